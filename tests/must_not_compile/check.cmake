# cmake -DCOMPILER=... -DINCLUDE_DIR=... -DSOURCE=... -P check.cmake
# Compiles SOURCE (syntax only) and compares the outcome with its leading lines `// expect: TEXT` or `// expect-ok`.

set(expected "")
set(expect_ok FALSE)
file(READ "${SOURCE}" rest)
while(rest MATCHES "^//[ \t]*expect(-ok|:[ \t]*([^\n]*))\r?\n")
  string(LENGTH "${CMAKE_MATCH_0}" length)
  if(CMAKE_MATCH_1 STREQUAL "-ok")
    set(expect_ok TRUE)
  else()
    string(REPLACE ";" "\\;" text "${CMAKE_MATCH_2}")
    string(STRIP "${text}" text)
    list(APPEND expected "${text}")
  endif()
  string(SUBSTRING "${rest}" ${length} -1 rest)
endwhile()

if(expected AND expect_ok)
  message(FATAL_ERROR "${SOURCE}: either `// expect: TEXT` or `// expect-ok`, not both")
elseif(NOT expected AND NOT expect_ok)
  message(FATAL_ERROR "${SOURCE}: the first line must be `// expect: TEXT` or `// expect-ok`")
endif()

set(ENV{LC_ALL} C)
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -fsyntax-only "-I${INCLUDE_DIR}" "${SOURCE}"
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
string(REPLACE "\n" "\n  " output "\n${output}")  # indented lines are not wrapped by message()

if(expect_ok)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${SOURCE} must compile, and does not:${output}")
  endif()
  return()
endif()

if(result EQUAL 0)
  message(FATAL_ERROR "${SOURCE} must not compile, and does; expected: ${expected}")
endif()
foreach(text IN LISTS expected)
  string(FIND "${output}" "${text}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "${SOURCE} is refused, but the compiler does not say '${text}':${output}")
  endif()
endforeach()
