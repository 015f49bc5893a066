// A machine file as a tree that keeps the order of the file and knows the line of each value, free of the TOML library.
// Flow: text -> [machine document] -> machine reader. Thread-safety: a value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mitra::model {

struct DocumentNode {
  enum class Kind : std::uint8_t { table, array, text, integer, number, boolean };

  Kind kind = Kind::table;
  std::string key;   ///< In its table; empty for elements of arrays and for the root.
  std::string text;  ///< Kind::text
  std::int64_t integer = 0;
  double number = 0.0;  ///< Kind::number, and Kind::integer
  bool boolean = false;
  std::vector<DocumentNode> children;  ///< In the order of the file.

  /// Its own, or that of the nearest table around it that states one.
  std::string source, note;
  bool assumption = false;

  std::shared_ptr<const std::string> file;
  std::uint32_t line = 0;

  const DocumentNode* find(std::string_view name) const;
  bool is_table() const { return kind == Kind::table; }
  bool is_array() const { return kind == Kind::array; }
  bool is_text() const { return kind == Kind::text; }
};

/// @returns The root table. `{ value = V, source = ... }` is a V with that origin; `source`, `assumption` and `note` in
///          any other table are the origin of all its values that have none of their own.
/// @throws  ConfigError "file:line: ..." for what is no TOML, or is nested deeper than any machine.
DocumentNode parse_document(std::string_view text, const std::string& file);

/// Puts the values of `over` in the place of those of `base`, or beside them. A `link` is put over
/// the one of the same name, a `route` over the one of the same ends; a `kernel` replaces the times of its classes.
/// @throws ConfigError if two elements of `over` have the same identity.
void merge_document(DocumentNode& base, DocumentNode over);

/// @throws ConfigError "file:line: what", always.
[[noreturn]] void fail_at(const DocumentNode& node, const std::string& what);

}  // namespace mitra::model
