# Warnings for every target of Mitra; sanitizers, link time optimisation and the compiler cache for the whole build.

# Warnings belong to the targets of this project: nobody who links Mitra inherits them.
function(mitra_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion
    $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wthread-safety>
    $<$<BOOL:${MITRA_WERROR}>:-Werror>)
endfunction()

if(MITRA_SANITIZE)
  add_compile_options(-fsanitize=${MITRA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MITRA_SANITIZE})
endif()

if(MITRA_LTO)
  include(CheckIPOSupported)
  check_ipo_supported(LANGUAGES CXX)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
endif()

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(MITRA_CCACHE ccache DOC "Compiler cache, used when found")
  mark_as_advanced(MITRA_CCACHE)
  if(MITRA_CCACHE)
    # Precompiled headers are cached only when ccache may trust the macros that they define.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${MITRA_CCACHE}")
  endif()
endif()
