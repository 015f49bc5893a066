# Finds OpenBLAS (the interface cblas.h) and LAPACKE (lapacke.h), and defines the target CblasLapacke::CblasLapacke.
# Only the workloads use it; the library Mitra does not.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(PC_OPENBLAS QUIET openblas)
  pkg_check_modules(PC_LAPACKE QUIET lapacke)
endif()

find_path(CblasLapacke_CBLAS_INCLUDE_DIR cblas.h HINTS ${PC_OPENBLAS_INCLUDE_DIRS} PATH_SUFFIXES openblas)
find_library(CblasLapacke_OPENBLAS_LIBRARY openblas HINTS ${PC_OPENBLAS_LIBRARY_DIRS})
find_path(CblasLapacke_LAPACKE_INCLUDE_DIR lapacke.h HINTS ${PC_LAPACKE_INCLUDE_DIRS} PATH_SUFFIXES openblas lapacke)
find_library(CblasLapacke_LAPACKE_LIBRARY lapacke HINTS ${PC_LAPACKE_LIBRARY_DIRS})
mark_as_advanced(CblasLapacke_CBLAS_INCLUDE_DIR CblasLapacke_OPENBLAS_LIBRARY
  CblasLapacke_LAPACKE_INCLUDE_DIR CblasLapacke_LAPACKE_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CblasLapacke
  REQUIRED_VARS CblasLapacke_OPENBLAS_LIBRARY CblasLapacke_LAPACKE_LIBRARY
    CblasLapacke_CBLAS_INCLUDE_DIR CblasLapacke_LAPACKE_INCLUDE_DIR)

if(CblasLapacke_FOUND AND NOT TARGET CblasLapacke::CblasLapacke)
  add_library(CblasLapacke::CblasLapacke INTERFACE IMPORTED)
  set_target_properties(CblasLapacke::CblasLapacke PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${CblasLapacke_CBLAS_INCLUDE_DIR};${CblasLapacke_LAPACKE_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "${CblasLapacke_LAPACKE_LIBRARY};${CblasLapacke_OPENBLAS_LIBRARY}")
endif()
