#include "mitra/machine_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

#include <mitra/error.hpp>

#include "model/machine_document.hpp"
#include "model/machine_reader.hpp"
#include "model/machine_section.hpp"
#include "model/shipped_machines.hpp"

namespace mitra {

namespace {

namespace fs = std::filesystem;
using model::DocumentNode;

constexpr unsigned kMaxIdentical = 65536;
constexpr int kMaxExtends = 8;
constexpr std::uintmax_t kMaxFileSize = 16U << 20;

const model::ShippedText* shipped(std::string_view name) {
  const auto texts = model::shipped_texts();
  const auto found = std::ranges::find(texts, name, &model::ShippedText::name);
  return found == texts.end() ? nullptr : &*found;
}

std::string shipped_names() {
  std::string names;
  for (const model::ShippedText& text : model::shipped_texts()) names += fmt::format("{}{}", names.empty() ? "" : ", ", text.name);
  return names;
}

std::string read_text(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) throw ConfigError(fmt::format("there is no file '{}'", path.string()));
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || size > kMaxFileSize)
    throw ConfigError(fmt::format("'{}' is no machine file: larger than {} MiB", path.string(), kMaxFileSize >> 20));
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || in.bad()) throw ConfigError(fmt::format("'{}' cannot be read", path.string()));
  return text;
}

/// The file, with everything that it extends below it.
DocumentNode load(std::string_view text, const std::string& file, int depth) {
  DocumentNode document = model::parse_document(text, file);
  const DocumentNode* extends = document.find("extends");
  if (extends == nullptr) return document;
  if (!extends->is_text() || extends->text.empty())
    fail_at(*extends, "extends: expected the name of a shipped machine, or of a file beside this one");
  if (depth == kMaxExtends)
    fail_at(*extends, fmt::format("more than {} machines extend each other, or one extends itself", kMaxExtends));

  DocumentNode base;
  if (const model::ShippedText* found = shipped(extends->text)) {
    base = load(found->text, fmt::format("machines/{}.toml", found->name), depth + 1);
  } else {
    const fs::path path = fs::path(file).parent_path() / extends->text;
    std::string inner;
    try {
      inner = read_text(path);
    } catch (const ConfigError& error) {
      fail_at(*extends, fmt::format("extends = \"{}\": {}, nor a shipped machine of that name; shipped: {}", extends->text.substr(0, 80),
                                    error.what(), shipped_names()));
    }
    base = load(inner, path.string(), depth + 1);
  }
  std::erase_if(base.children, [](const DocumentNode& child) { return child.key == "name" || child.key == "extends"; });
  base.file = document.file;
  base.line = document.line;
  model::merge_document(base, std::move(document));
  return base;
}

std::optional<unsigned> identical_workers(std::string_view name) {
  if (name == "identical") return 4;
  if (!name.starts_with("identical-")) return {};
  name.remove_prefix(10);
  unsigned count = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), count);
  if (error != std::errc{} || end != name.data() + name.size())
    throw ConfigError(fmt::format("machine 'identical-{}': expected a number of workers, such as identical-16", name));
  return count;
}

}  // namespace

MachineDescription parse_machine(std::string_view text, std::string_view file_name) {
  const std::string file(file_name);
  return model::read_machine(load(text, file, 0), fs::path(file).stem().string());
}

MachineDescription read_machine_file(const std::filesystem::path& path) { return parse_machine(read_text(path), path.string()); }

MachineDescription find_machine(std::string_view name_or_file) {
  if (const model::ShippedText* found = shipped(name_or_file))
    return parse_machine(found->text, fmt::format("machines/{}.toml", found->name));
  if (const auto workers = identical_workers(name_or_file)) return identical_machine(*workers);
  const fs::path path(name_or_file);
  std::error_code error;
  if (fs::is_regular_file(path, error)) return read_machine_file(path);
  std::vector<std::string> known{"identical"};
  for (const model::ShippedText& text : model::shipped_texts()) known.emplace_back(text.name);
  throw ConfigError(fmt::format("there is no machine '{}', nor a file of that name{}; known: {}, identical-N", name_or_file.substr(0, 200),
                                model::suggestion(name_or_file, known), fmt::join(known, ", ")));
}

std::vector<ShippedMachine> shipped_machines() {
  std::vector<ShippedMachine> all;
  for (const model::ShippedText& text : model::shipped_texts()) {
    const DocumentNode document = model::parse_document(text.text, fmt::format("machines/{}.toml", text.name));
    const DocumentNode* summary = document.find("summary");
    all.push_back({text.name, summary == nullptr ? "" : summary->text, text.text});
  }
  return all;
}

MachineDescription identical_machine(unsigned workers) {
  if (workers == 0 || workers > kMaxIdentical)
    throw ConfigError(fmt::format("{} identical workers; expected 1 to {}", workers, kMaxIdentical));
  return parse_machine(fmt::format("name = \"identical-{}\"\n"
                                   "summary = \"{} equal workers, one memory, no transfers\"\n"
                                   "[memory.ram]\n"
                                   "[class.cpu]\n"
                                   "kind = \"cpu\"\n"
                                   "count = {}\n"
                                   "memory = \"ram\"\n",
                                   workers, workers, workers),
                       "identical");
}

}  // namespace mitra
