# The shipped machines are the files in machines/: adding a machine is adding a file.

# mitra_shipped_machines(TARGET)
# Generates mitra::model::shipped_texts(), the names and texts of machines/*.toml, and compiles it into TARGET.
function(mitra_shipped_machines target)
  file(GLOB names CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/machines" "${PROJECT_SOURCE_DIR}/machines/*.toml")
  list(TRANSFORM names REPLACE "\\.toml$" "")
  list(SORT names)
  list(LENGTH names count)

  set(entries "")
  foreach(name IN LISTS names)
    set(path "${PROJECT_SOURCE_DIR}/machines/${name}.toml")
    set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${path}")
    if(NOT name MATCHES "^[a-z0-9][a-z0-9-]*$")
      message(FATAL_ERROR "machines/${name}.toml: a shipped machine's file name is its name (a-z, 0-9, -) and .toml")
    endif()
    file(SIZE "${path}" size)
    if(size GREATER 60000)
      message(FATAL_ERROR "machines/${name}.toml: longer than 60000 bytes, which not every compiler takes as one literal")
    endif()
    file(READ "${path}" text)
    string(APPEND entries "    {\"${name}\", R\"MACHINE(${text})MACHINE\"},\n")
  endforeach()

  set(file "${PROJECT_BINARY_DIR}/generated/shipped_machines.cpp")
  file(CONFIGURE OUTPUT "${file}" @ONLY CONTENT [=[
// Generated from machines/*.toml. Flow: machines/ -> [shipped machines] -> machine file. Thread-safety: immutable.
#include "model/shipped_machines.hpp"

#include <array>

namespace mitra::model {

namespace {

constexpr std::array<ShippedText, @count@> kTexts{{
@entries@}};

}  // namespace

std::span<const ShippedText> shipped_texts() noexcept { return kTexts; }

}  // namespace mitra::model
]=])
  target_sources(${target} PRIVATE "${file}")
endfunction()
