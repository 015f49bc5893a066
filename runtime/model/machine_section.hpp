// One table of a machine file, read key by key: each value checked, its origin noted, what nobody asked for refused.
// Flow: machine document -> [machine section] -> machine reader. Thread-safety: one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <mitra/machine_description.hpp>

#include "model/machine_document.hpp"
#include "model/machine_units.hpp"

namespace mitra::model {

/// @returns "; did you mean 'X'?" with the known word nearest to this one, or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

class Section {
 public:
  /// @param path     Of this table, for origins: "class.gpu"; empty for the root.
  /// @param origins  Receives the origin of each quantity that is read; null: they are not wanted.
  /// @throws ConfigError if the node is no table.
  Section(const DocumentNode& node, std::string path, std::vector<ValueOrigin>* origins);

  const DocumentNode& node() const { return *node_; }
  const std::string& path() const { return path_; }

  /// A quantity with a unit, above 0, or from 0 where `may_be_zero`; `otherwise` where the key is missing.
  double quantity(std::string_view key, Dimension dimension, double otherwise, bool may_be_zero = false);
  /// A plain number within [low, high].
  double ratio(std::string_view key, double low, double high, double otherwise);
  /// A whole number within [low, high].
  unsigned count(std::string_view key, unsigned low, unsigned high, unsigned otherwise);
  bool flag(std::string_view key, bool otherwise);
  /// A text that is not empty.
  std::string text(std::string_view key, std::string otherwise);
  /// A text, or a list of texts; empty if the key is missing.
  std::vector<std::string> texts(std::string_view key);
  /// One of the words, by its place.
  std::size_t word(std::string_view key, const std::vector<std::string>& words, std::size_t otherwise);

  /// A table inside; a missing one is nothing.
  std::optional<Section> section(std::string_view key);
  /// The tables of [[key]].
  std::vector<DocumentNode> tables(std::string_view key);
  /// All keys that nobody asked for yet, where they are names of the file's own. Each must be a table if `of_tables`.
  std::vector<const DocumentNode*> names(bool of_tables);

  /// The node of a key, which is known from now on; null if it is missing.
  const DocumentNode* find(std::string_view key);
  /// @throws ConfigError if the key is missing. @param expected  What it should say: `kind = "cpu"`
  void require(std::string_view key, std::string_view expected);
  /// @throws ConfigError for the first key that was never asked for.
  void finish() const;

  /// A quantity in a node of this section.
  double quantity_of(const DocumentNode& value, Dimension dimension, bool may_be_zero);
  double ratio_of(const DocumentNode& value, double low, double high);

 private:
  std::string name_of(const DocumentNode& value) const;
  void note_origin(const DocumentNode& value, std::string text);

  const DocumentNode* node_;
  std::string path_;
  std::vector<ValueOrigin>* origins_;
  std::vector<std::string> known_;
};

}  // namespace mitra::model
