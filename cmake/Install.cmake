# Install rules: headers, library, tool, the CMake package Mitra (find_package) and mitra.pc (pkg-config).

include(CMakePackageConfigHelpers)

# What a consumer has to find for each library that Mitra links: CMake package and pkg-config module or linker flag.
set(package_of_fmt::fmt fmt)
set(package_of_Hwloc::hwloc Hwloc)
set(package_of_TBB::tbb TBB)
set(module_of_fmt::fmt fmt)
set(module_of_Hwloc::hwloc hwloc)
set(module_of_TBB::tbb tbb)

set(packages "")
set(modules "")
set(libs "-pthread")
foreach(library IN LISTS MITRA_LIBRARIES)
  if(DEFINED package_of_${library})
    list(APPEND packages ${package_of_${library}})
    list(APPEND modules ${module_of_${library}})
  elseif(library MATCHES "::")
    message(FATAL_ERROR "cmake/Install.cmake does not know how a consumer finds ${library}")
  else()
    string(APPEND libs " -l${library}")
  endif()
endforeach()

# A shared library brings its own libraries; a static one leaves them to whoever links it.
list(JOIN modules " " modules)
set(MITRA_DEPENDENCIES "find_dependency(Threads)\n")
get_target_property(mitra_type mitra TYPE)
if(mitra_type STREQUAL "STATIC_LIBRARY")
  foreach(package IN LISTS packages)
    string(APPEND MITRA_DEPENDENCIES "find_dependency(${package})\n")
  endforeach()
  set(MITRA_PC_LIBRARIES "Requires: ${modules}\nLibs: -L\${libdir} -lmitra ${libs}")
else()
  set(MITRA_PC_LIBRARIES "Requires.private: ${modules}\nLibs: -L\${libdir} -lmitra\nLibs.private: ${libs}")
endif()

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Mitra")
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# Paths in mitra.pc are relative to the file, so that an installed tree can be moved.
file(RELATIVE_PATH MITRA_PC_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH MITRA_PC_LIBDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH MITRA_PC_INCLUDEDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
string(REGEX REPLACE "/$" "" MITRA_PC_PREFIX "${MITRA_PC_PREFIX}")

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/MitraConfig.cmake.in" "${PROJECT_BINARY_DIR}/generated/MitraConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/generated/MitraConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
configure_file("${CMAKE_CURRENT_LIST_DIR}/mitra.pc.in" "${PROJECT_BINARY_DIR}/generated/mitra.pc" @ONLY)

install(TARGETS mitra mitra_headers EXPORT MitraTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
# Targets of their own: who does not ask for the bounds needs no GLPK.
install(TARGETS mitra_bounds EXPORT MitraBoundsTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT MitraBoundsTargets NAMESPACE Mitra:: DESTINATION "${package_dir}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/mitra" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.hpp")
install(EXPORT MitraTargets NAMESPACE Mitra:: DESTINATION "${package_dir}")
install(FILES
  "${PROJECT_BINARY_DIR}/generated/MitraConfig.cmake"
  "${PROJECT_BINARY_DIR}/generated/MitraConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/FindGLPK.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/FindHwloc.cmake"
  DESTINATION "${package_dir}")
install(FILES "${PROJECT_BINARY_DIR}/generated/mitra.pc" DESTINATION "${pkgconfig_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
if(TARGET mitra_tool)
  file(RELATIVE_PATH to_libdir "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}")
  set_target_properties(mitra_tool PROPERTIES INSTALL_RPATH "$ORIGIN/${to_libdir}")
  install(TARGETS mitra_tool RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
