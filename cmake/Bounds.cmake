# The lower bounds are a library of their own, since they alone need GLPK: Mitra::bounds.

find_package(GLPK 4.58 REQUIRED)

file(GLOB bound_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/runtime/bounds/*.cpp")
add_library(mitra_bounds ${bound_sources})
add_library(Mitra::bounds ALIAS mitra_bounds)
target_link_libraries(mitra_bounds PUBLIC mitra PRIVATE GLPK::GLPK)
set_target_properties(mitra_bounds PROPERTIES
  EXPORT_NAME bounds
  VERSION "${PROJECT_VERSION}"
  SOVERSION "${PROJECT_VERSION_MAJOR}")
mitra_warnings(mitra_bounds)
