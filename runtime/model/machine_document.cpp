#include "model/machine_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include <mitra/error.hpp>

#include "model/toml_library.hpp"

namespace mitra::model {

namespace {

/// The library walks dotted keys by recursion: a key of 100 000 parts would end the process. Counts the dots of each key
/// before it sees the text, outside of strings and comments.
void check_depth(std::string_view text, const std::string& file) {
  constexpr unsigned kMaxDots = 16;
  unsigned dots = 0, line = 1;
  char quote = 0;
  bool triple = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quote != 0) {
      if (c == '\\' && quote == '"' && i + 1 < text.size() && text[i + 1] != '\n') {
        ++i;
      } else if (c == '\n' && !triple) {
        quote = 0;
      } else if (c == quote && !triple) {
        quote = 0;
      } else if (c == quote && text.substr(i, 3) == std::string(3, quote)) {
        quote = 0;
        i += 2;
      }
      continue;
    }
    if (c == '"' || c == '\'') {
      quote = c;
      triple = text.substr(i, 3) == std::string(3, c);
      if (triple) i += 2;
    } else if (c == '#') {
      while (i + 1 < text.size() && text[i + 1] != '\n') ++i;
    } else if (c == '.') {
      if (++dots > kMaxDots)
        throw ConfigError(fmt::format("{}:{}: a key of more than {} parts; the keys of a machine file have at most 5", file,
                                      line, kMaxDots));
    } else if (std::string_view("=,[]{}\n").find(c) != std::string_view::npos) {
      dots = 0;
    }
  }
}

class Conversion {
 public:
  explicit Conversion(const std::string& file) : file_(std::make_shared<const std::string>(file)) {}

  DocumentNode table(const toml::table& from, std::uint32_t line, const DocumentNode& around) const {
    DocumentNode node = at(DocumentNode::Kind::table, line);
    node.source = around.source;
    node.note = around.note;
    node.assumption = around.assumption;
    read_origin(from, node);
    if (const toml::node* value = from.get("value")) return valued(from, *value, node);

    struct Entry {
      toml::source_position where;
      const toml::key* key;
      const toml::node* value;
    };
    std::vector<Entry> entries;  // the library sorts by name; people mean the order in which they wrote
    for (const auto& [key, value] : from)
      if (!is_origin(key.str())) entries.push_back({key.source().begin, &key, &value});
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.where < b.where; });
    for (const Entry& entry : entries) {
      DocumentNode child = convert(*entry.value, node, entry.where.line);
      child.key = std::string(entry.key->str());
      node.children.push_back(std::move(child));
    }
    return node;
  }

 private:
  static bool is_origin(std::string_view key) { return key == "source" || key == "assumption" || key == "note"; }

  DocumentNode at(DocumentNode::Kind kind, std::uint32_t line) const {
    DocumentNode node;
    node.kind = kind;
    node.file = file_;
    node.line = line;
    return node;
  }

  void read_origin(const toml::table& from, DocumentNode& node) const {
    const auto read = [&]<class T>(const char* key, T& into, const char* expected) {
      const toml::node* found = from.get(key);
      if (found == nullptr) return;
      const std::optional<T> value = found->value_exact<T>();
      if (!value) fail_at(at(node.kind, found->source().begin.line), fmt::format("'{}' must be {}", key, expected));
      into = *value;
    };
    // What is said again here is said of these values: an assumption around them does not stay beside a new source.
    if (from.contains("source")) {
      node.assumption = false;
      node.note.clear();
    }
    read("source", node.source, "a text, such as \"STREAM, measured\"");
    read("assumption", node.assumption, "true or false");
    read("note", node.note, "a text, such as \"120..250 W\"");
  }

  DocumentNode valued(const toml::table& from, const toml::node& value, const DocumentNode& origin) const {
    for (const auto& [key, other] : from)
      if (key.str() != "value" && !is_origin(key.str()))
        fail_at(at(DocumentNode::Kind::table, key.source().begin.line),
                fmt::format("unknown key '{}' beside 'value'; known: value, source, assumption, note", key.str()));
    DocumentNode node = convert(value, origin, value.source().begin.line);
    if (node.is_table()) fail_at(node, "'value' must be a text, a number or a list, not a table");
    return node;
  }

  DocumentNode convert(const toml::node& from, const DocumentNode& around, std::uint32_t line) const {
    if (const toml::table* inner = from.as_table()) return table(*inner, from.source().begin.line, around);
    DocumentNode node = at(DocumentNode::Kind::array, line);
    node.source = around.source;
    node.note = around.note;
    node.assumption = around.assumption;
    if (const toml::array* list = from.as_array()) {
      for (const toml::node& element : *list) node.children.push_back(convert(element, node, element.source().begin.line));
    } else if (const auto* text = from.as_string()) {
      node.kind = DocumentNode::Kind::text;
      node.text = text->get();
    } else if (const auto* integer = from.as_integer()) {
      node.kind = DocumentNode::Kind::integer;
      node.integer = integer->get();
      node.number = static_cast<double>(integer->get());
    } else if (const auto* number = from.as_floating_point()) {
      node.kind = DocumentNode::Kind::number;
      node.number = number->get();
    } else if (const auto* boolean = from.as_boolean()) {
      node.kind = DocumentNode::Kind::boolean;
      node.boolean = boolean->get();
    } else {
      fail_at(node, "a date or a time of day; machine files have none: write a text with a unit");
    }
    return node;
  }

  std::shared_ptr<const std::string> file_;
};

/// The keys by which elements of these arrays are the same in a file and in the one that it extends.
std::vector<std::string_view> identity_keys(std::string_view array) {
  if (array == "link") return {"name"};
  if (array == "route") return {"from", "to"};
  if (array == "kernel") return {"codelet", "shape", "precision"};
  return {};
}

void append_text(const DocumentNode& node, std::string& to) {
  if (node.is_text()) to += node.text;
  for (const DocumentNode& child : node.children) append_text(child, to += '/');
}

std::string identity(const DocumentNode& element, const std::vector<std::string_view>& keys) {
  std::string all;
  for (const std::string_view key : keys) {
    if (const DocumentNode* value = element.find(key)) append_text(*value, all);
    else if (key == "precision") all += "fp64";
    all += '\n';
  }
  return all;
}

bool is_array_of_tables(const DocumentNode& node) {
  return node.is_array() && std::ranges::all_of(node.children, [](const DocumentNode& c) { return c.is_table(); });
}

/// A row of kernel times replaces those of its classes.
void merge_kernels(DocumentNode& base, DocumentNode over, const std::vector<std::string_view>& keys) {
  const std::size_t known = base.children.size();
  for (DocumentNode& row : over.children) {
    const std::string id = identity(row, keys);
    const DocumentNode* times = row.find("time");
    for (std::size_t i = 0; i < known && times != nullptr; ++i) {
      if (identity(base.children[i], keys) != id) continue;
      for (DocumentNode& child : base.children[i].children)
        if (child.key == "time")
          std::erase_if(child.children, [&](const DocumentNode& time) { return times->find(time.key) != nullptr; });
    }
    base.children.push_back(std::move(row));
  }
  std::erase_if(base.children, [](const DocumentNode& row) {
    const DocumentNode* times = row.find("time");
    return times != nullptr && times->is_table() && times->children.empty();
  });
}

void merge_elements(DocumentNode& base, DocumentNode over, const std::vector<std::string_view>& keys) {
  const std::size_t known = base.children.size();
  std::vector<bool> replaced(known, false);
  for (DocumentNode& element : over.children) {
    const std::string id = identity(element, keys);
    std::size_t i = 0;
    while (i < known && identity(base.children[i], keys) != id) ++i;
    if (i == known) {
      base.children.push_back(std::move(element));
      continue;
    }
    if (replaced[i]) fail_at(element, fmt::format("this [[{}]] is given twice; leave one of them out", over.key));
    replaced[i] = true;
    merge_document(base.children[i], std::move(element));
  }
}

}  // namespace

const DocumentNode* DocumentNode::find(std::string_view name) const {
  const auto found = std::ranges::find(children, name, &DocumentNode::key);
  return found == children.end() ? nullptr : &*found;
}

DocumentNode parse_document(std::string_view text, const std::string& file) {
  return Conversion(file).table(parse_toml(text, file), 1, DocumentNode{});
}

toml::table parse_toml(std::string_view text, const std::string& file) {
  check_depth(text, file);
  try {
    return toml::parse(text, std::string_view(file));
  } catch (const toml::parse_error& error) {
    throw ConfigError(fmt::format("{}:{}: no TOML: {}", file, error.source().begin.line, error.description()));
  }
}

void merge_document(DocumentNode& base, DocumentNode over) {
  for (DocumentNode& child : over.children) {
    const auto found = std::ranges::find(base.children, child.key, &DocumentNode::key);
    if (found == base.children.end()) {
      base.children.push_back(std::move(child));
      continue;
    }
    const std::vector<std::string_view> keys = identity_keys(child.key);
    if (found->is_table() && child.is_table())
      merge_document(*found, std::move(child));
    else if (child.key == "kernel" && is_array_of_tables(*found) && is_array_of_tables(child))
      merge_kernels(*found, std::move(child), keys);
    else if (!keys.empty() && is_array_of_tables(*found) && is_array_of_tables(child))
      merge_elements(*found, std::move(child), keys);
    else
      *found = std::move(child);
  }
}

void fail_at(const DocumentNode& node, const std::string& what) {
  throw ConfigError(fmt::format("{}:{}: {}", node.file ? *node.file : std::string("machine"), node.line, what));
}

}  // namespace mitra::model
