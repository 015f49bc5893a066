#include "model/machine_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mitra::model {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({change, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

/// What a person wrote there, short enough for a message.
std::string written(const DocumentNode& value) {
  switch (value.kind) {
    case DocumentNode::Kind::text: return fmt::format("\"{}\"", value.text.substr(0, 60));
    case DocumentNode::Kind::integer: return fmt::format("{}", value.integer);
    case DocumentNode::Kind::number: return fmt::format("{}", value.number);
    case DocumentNode::Kind::boolean: return value.boolean ? "true" : "false";
    case DocumentNode::Kind::array: return "a list";
    case DocumentNode::Kind::table: return "a table";
  }
  return "";
}

bool is_number(const DocumentNode& value) {
  return value.kind == DocumentNode::Kind::integer || value.kind == DocumentNode::Kind::number;
}

}  // namespace

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  word = word.substr(0, 64);
  const std::string* best = nullptr;
  std::size_t distance = std::max<std::size_t>(1, (word.size() + 1) / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t d = edit_distance(word, candidate);
    if (d < distance) {
      distance = d;
      best = &candidate;
    }
  }
  return best == nullptr ? "" : fmt::format("; did you mean '{}'?", *best);
}

Section::Section(const DocumentNode& node, std::string path, std::vector<ValueOrigin>* origins)
    : node_(&node), path_(std::move(path)), origins_(origins) {
  if (!node.is_table()) fail_at(node, fmt::format("{} is {}; expected a table of keys", path_, written(node)));
}

std::string Section::name_of(const DocumentNode& value) const {
  return path_.empty() || value.key.empty() ? path_ + value.key : path_ + "." + value.key;
}

void Section::note_origin(const DocumentNode& value, std::string text) {
  if (origins_ != nullptr)
    origins_->push_back({name_of(value), std::move(text), value.source, value.assumption, value.note});
}

const DocumentNode* Section::find(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  return node_->find(key);
}

double Section::quantity_of(const DocumentNode& value, Dimension dimension, bool may_be_zero) {
  if (is_number(value))
    fail_at(value, fmt::format("{} = {} has no unit; expected {}", name_of(value), written(value), describe(dimension)));
  const std::optional<double> parsed = value.is_text() ? parse_quantity(value.text, dimension) : std::nullopt;
  if (!parsed) fail_at(value, fmt::format("{} = {}: expected {}", name_of(value), written(value), describe(dimension)));
  if (*parsed < 0.0 || (*parsed == 0.0 && !may_be_zero))
    fail_at(value, fmt::format("{} = {}: expected {}", name_of(value), written(value),
                               may_be_zero ? "0 or more" : "more than 0; leave the key out if it is not known"));
  note_origin(value, value.text);
  return *parsed;
}

double Section::quantity(std::string_view key, Dimension dimension, double otherwise, bool may_be_zero) {
  const DocumentNode* value = find(key);
  return value == nullptr ? otherwise : quantity_of(*value, dimension, may_be_zero);
}

double Section::ratio_of(const DocumentNode& value, double low, double high) {
  if (!is_number(value) || !(value.number >= low && value.number <= high))
    fail_at(value, fmt::format("{} = {}: expected a number from {} to {}", name_of(value), written(value), low, high));
  note_origin(value, written(value));
  return value.number;
}

double Section::ratio(std::string_view key, double low, double high, double otherwise) {
  const DocumentNode* value = find(key);
  return value == nullptr ? otherwise : ratio_of(*value, low, high);
}

unsigned Section::count(std::string_view key, unsigned low, unsigned high, unsigned otherwise) {
  const DocumentNode* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->kind != DocumentNode::Kind::integer || value->integer < low || value->integer > high)
    fail_at(*value, fmt::format("{} = {}: expected a whole number from {} to {}", name_of(*value), written(*value), low, high));
  note_origin(*value, written(*value));
  return static_cast<unsigned>(value->integer);
}

bool Section::flag(std::string_view key, bool otherwise) {
  const DocumentNode* value = find(key);
  if (value == nullptr) return otherwise;
  if (value->kind != DocumentNode::Kind::boolean)
    fail_at(*value, fmt::format("{} = {}: expected true or false", name_of(*value), written(*value)));
  return value->boolean;
}

std::string Section::text(std::string_view key, std::string otherwise) {
  const DocumentNode* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_text() || value->text.empty())
    fail_at(*value, fmt::format("{} = {}: expected a text in quotes", name_of(*value), written(*value)));
  if (std::ranges::any_of(value->text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    fail_at(*value, fmt::format("{}: expected one line of text, without control characters", name_of(*value)));
  return value->text;
}

std::vector<std::string> Section::texts(std::string_view key) {
  const DocumentNode* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array()) return {text(key, "")};
  std::vector<std::string> all;
  for (const DocumentNode& element : value->children) {
    if (!element.is_text() || element.text.empty())
      fail_at(element, fmt::format("{}: {} in the list; expected texts in quotes", name_of(*value), written(element)));
    all.push_back(element.text);
  }
  return all;
}

std::size_t Section::word(std::string_view key, const std::vector<std::string>& words, std::size_t otherwise) {
  const DocumentNode* value = find(key);
  if (value == nullptr) return otherwise;
  const auto found = value->is_text() ? std::ranges::find(words, value->text) : words.end();
  if (found == words.end())
    fail_at(*value, fmt::format("{} = {}: expected one of {}", name_of(*value), written(*value), fmt::join(words, ", ")));
  return static_cast<std::size_t>(found - words.begin());
}

std::optional<Section> Section::section(std::string_view key) {
  const DocumentNode* value = find(key);
  if (value == nullptr) return {};
  return Section(*value, name_of(*value), origins_);
}

std::vector<DocumentNode> Section::tables(std::string_view key) {
  const DocumentNode* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array()) fail_at(*value, fmt::format("{}: expected a list of tables; write [[{}]]", name_of(*value), key));
  for (const DocumentNode& element : value->children)
    if (!element.is_table())
      fail_at(element, fmt::format("{}: {} in the list; expected tables: write [[{}]]", name_of(*value), written(element), key));
  return value->children;
}

std::vector<const DocumentNode*> Section::names(bool of_tables) {
  std::vector<const DocumentNode*> all;
  for (const DocumentNode& child : node_->children) {
    if (std::ranges::find(known_, child.key) != known_.end()) continue;
    known_.push_back(child.key);
    if (of_tables && !child.is_table())
      fail_at(child, fmt::format("{} = {}: expected a table; write [{}.NAME]", name_of(child), written(child), path_));
    if (child.key.empty() || child.key.size() > 64)
      fail_at(child, fmt::format("a name in [{}] has {} characters; expected 1 to 64", path_, child.key.size()));
    all.push_back(&child);
  }
  return all;
}

void Section::require(std::string_view key, std::string_view expected) {
  if (find(key) == nullptr)
    fail_at(*node_, fmt::format("{} has no '{}'; expected a line such as {}", path_.empty() ? "the file" : path_, key, expected));
}

void Section::finish() const {
  for (const DocumentNode& child : node_->children)
    if (std::ranges::find(known_, child.key) == known_.end())
      fail_at(child, fmt::format("unknown key '{}'{}{}; known: {}", child.key.substr(0, 60),
                                 path_.empty() ? "" : " in " + path_, suggestion(child.key, known_), fmt::join(known_, ", ")));
}

}  // namespace mitra::model
