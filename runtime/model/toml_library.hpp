// The TOML library, with the same settings wherever it is included: two settings in one program would be two definitions
// of its functions. Few files include it: it takes longer to compile than all the rest of the model.
// Flow: machine files, model files -> [toml library]. Thread-safety: thread-safe.
#pragma once

#include <string>
#include <string_view>

// Its assertions fail on broken texts that the next lines of its parser refuse with a message and a line; where NDEBUG is
// defined it lets clang assume that they hold. Neither is for a text that somebody else wrote.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#define TOML_EXCEPTIONS 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 32
#include <toml++/toml.h>

namespace mitra::model {

/// @throws ConfigError "file:line: no TOML: why". Defined in machine_document.cpp.
toml::table parse_toml(std::string_view text, const std::string& file);

}  // namespace mitra::model
