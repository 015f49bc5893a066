# Each layer of Mitra is one directory and one OBJECT library; all of them are merged into the library Mitra::mitra.

# mitra_layer(NAME DIRECTORY [INTERNAL] [LIBRARIES target...])
# Makes the OBJECT library mitra_NAME of the .cpp files in DIRECTORY; a directory without any makes none.
# INTERNAL: the layer belongs to the runtime and sees runtime/ beside include/.
function(mitra_layer name directory)
  cmake_parse_arguments(PARSE_ARGV 2 layer "INTERNAL" "" "LIBRARIES")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${directory}/*.cpp")
  if(NOT sources)
    return()
  endif()
  add_library(mitra_${name} OBJECT ${sources})
  target_include_directories(mitra_${name} PRIVATE "${PROJECT_SOURCE_DIR}/include")
  if(layer_INTERNAL)
    target_include_directories(mitra_${name} PRIVATE "${PROJECT_SOURCE_DIR}/runtime")
  endif()
  target_link_libraries(mitra_${name} PRIVATE Threads::Threads ${layer_LIBRARIES})
  target_compile_definitions(mitra_${name} PRIVATE MITRA_VERSION="${PROJECT_VERSION}")
  target_compile_features(mitra_${name} PRIVATE cxx_std_20)
  mitra_warnings(mitra_${name})
  # Position-independent code of ours calls our functions, not ones that somebody puts in their place: they can be inlined.
  target_compile_options(mitra_${name} PRIVATE -fno-semantic-interposition)
  set_property(GLOBAL APPEND PROPERTY MITRA_LAYERS mitra_${name})
  set_property(GLOBAL APPEND PROPERTY MITRA_LIBRARIES ${layer_LIBRARIES})
endfunction()

# Merges the layers into the library target mitra (Mitra::mitra), and offers the headers alone as Mitra::headers:
# what a policy in a shared object needs, since the program that loads it brings the library.
# MITRA_LIBRARIES then lists the libraries to link, each once; cmake/Install.cmake publishes the same list.
function(mitra_merge_layers)
  get_property(layers GLOBAL PROPERTY MITRA_LAYERS)
  get_property(libraries GLOBAL PROPERTY MITRA_LIBRARIES)
  list(REMOVE_DUPLICATES libraries)
  list(SORT libraries)
  set(MITRA_LIBRARIES "${libraries}" PARENT_SCOPE)

  add_library(mitra_headers INTERFACE)
  add_library(Mitra::headers ALIAS mitra_headers)
  set_target_properties(mitra_headers PROPERTIES EXPORT_NAME headers)

  add_library(mitra)
  add_library(Mitra::mitra ALIAS mitra)
  foreach(layer IN LISTS layers)
    target_sources(mitra PRIVATE $<TARGET_OBJECTS:${layer}>)
  endforeach()
  target_link_libraries(mitra PUBLIC Threads::Threads PRIVATE ${libraries})
  set_target_properties(mitra PROPERTIES
    LINKER_LANGUAGE CXX
    VERSION "${PROJECT_VERSION}"
    SOVERSION "${PROJECT_VERSION_MAJOR}")

  foreach(kind IN ITEMS "mitra;PUBLIC" "mitra_headers;INTERFACE")
    list(GET kind 0 target)
    list(GET kind 1 visibility)
    target_compile_features(${target} ${visibility} cxx_std_20)
    target_include_directories(${target} ${visibility}
      "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
      "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  endforeach()
endfunction()
