// The text of a model file, read and written.
// Flow: model store -> [model text] -> model store.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include <mitra/error.hpp>
#include <mitra/model_store.hpp>

#include "model/toml_library.hpp"

#include "model/toml_library.hpp"

namespace mitra {
namespace {

/// Reads one file; every refusal names it, the line, and what was expected.
class ModelReader {
 public:
  explicit ModelReader(std::string_view file) : file_(file) {}

  ModelSet read(std::string_view text) const {
    const toml::table root = model::parse_toml(text, std::string(file_));
    const std::int64_t format = whole(root, root, "format");
    if (format > kModelFormat)
      refuse(root.get("format"), fmt::format("format {} is newer than {}, which this Mitra reads; use a newer Mitra, or "
                                             "name another file", format, kModelFormat));
    if (format < 1) refuse(root.get("format"), fmt::format("there is no format {}", format));
    only(root, {"format", "machine", "timing"});

    ModelSet set{text_of(root, root, "machine"), {}};
    const toml::node* timings = root.get("timing");
    if (timings == nullptr) return set;
    if (!timings->is_array()) refuse(timings, "[[timing]] sections are expected");
    for (const toml::node& node : *timings->as_array()) {
      if (!node.is_table()) refuse(&node, "a [[timing]] section is expected");
      set.records.push_back(record(*node.as_table()));
    }
    std::ranges::sort(set.records, {}, &TimingRecord::key);
    for (std::size_t i = 1; i < set.records.size(); ++i)
      if (set.records[i].key == set.records[i - 1].key)
        refuse(timings, "two timings of '" + set.records[i].key.codelet + "' have the same class, data, flops and state");
    return set;
  }

 private:
  TimingRecord record(const toml::table& table) const {
    only(table, {"codelet", "class", "power_state", "data", "flops", "count", "samples_s", "imported"});
    TimingRecord result;
    result.key.codelet = text_of(table, table, "codelet");
    result.key.worker_class = text_of(table, table, "class");
    if (table.contains("power_state")) result.key.power_state = text_of(table, table, "power_state");
    if (table.contains("flops")) result.key.flops = number(table, table, "flops");
    for (const toml::node& node : list(table, "data")) result.key.shapes.push_back(shape(node));
    result.count = static_cast<std::uint64_t>(whole(table, table, "count"));
    for (const toml::node& node : list(table, "samples_s")) result.samples.push_back(positive(node, "samples_s"));
    if (result.samples.size() > kReservoir)
      refuse(table.get("samples_s"), fmt::format("{} samples, at most {} are kept", result.samples.size(), kReservoir));
    if (result.count < result.samples.size())
      refuse(table.get("count"), fmt::format("count = {}, and there are {} samples", result.count, result.samples.size()));
    if (const toml::node* node = table.get("imported")) {
      if (!node->is_table()) refuse(node, "imported = { mean_s = ..., spread = ..., count = ..., origin = ... } is expected");
      result.imported = imported(*node->as_table());
    }
    return result;
  }

  ImportedTime imported(const toml::table& table) const {
    only(table, {"mean_s", "spread", "count", "flops", "origin"});
    ImportedTime result;
    result.seconds = Seconds(number(table, table, "mean_s"));
    result.spread = number(table, table, "spread");
    result.count = static_cast<std::uint64_t>(whole(table, table, "count"));
    if (result.count == 0) refuse(table.get("count"), "an imported time has a count of at least 1");
    if (table.contains("flops")) result.flops = number(table, table, "flops");
    result.origin = text_of(table, table, "origin");
    return result;
  }

  DataShape shape(const toml::node& node) const {
    const auto text = node.value<std::string_view>();
    constexpr const char* expected = "ROWSxCOLS of BYTES B is expected, as in \"960x960 of 8 B\"";
    if (!text) refuse(&node, expected);
    DataShape result;
    const char *at = text->data(), *const end = at + text->size();
    const auto take = [&](std::size_t& into, std::string_view then) {
      const auto [stop, error] = std::from_chars(at, end, into);
      if (error != std::errc{} || !std::string_view(stop, end).starts_with(then)) refuse(&node, expected);
      at = stop + then.size();
    };
    take(result.rows, "x");
    take(result.cols, " of ");
    take(result.element_size, " B");
    if (at != end) refuse(&node, expected);
    return result;
  }

  const toml::array& list(const toml::table& table, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) refuse(&table, fmt::format("'{}' is missing", key));
    if (!node->is_array()) refuse(node, fmt::format("'{}' is a list", key));
    return *node->as_array();
  }
  std::string text_of(const toml::table& within, const toml::table& table, std::string_view key) const {
    const auto value = node_of(within, table, key).value_exact<std::string>();
    if (!value) refuse(table.get(key), fmt::format("'{}' is a text", key));
    return *value;
  }
  std::int64_t whole(const toml::table& within, const toml::table& table, std::string_view key) const {
    const auto value = node_of(within, table, key).value_exact<std::int64_t>();
    if (!value || *value < 0) refuse(table.get(key), fmt::format("'{}' is a whole number of at least 0", key));
    return *value;
  }
  double number(const toml::table& within, const toml::table& table, std::string_view key) const {
    return positive(node_of(within, table, key), key);
  }
  double positive(const toml::node& node, std::string_view key) const {
    const auto value = node.value<double>();
    if (!node.is_number() || !value || !std::isfinite(*value) || *value < 0.0)
      refuse(&node, fmt::format("'{}' is made of numbers of at least 0", key));
    return *value;
  }
  const toml::node& node_of(const toml::table& within, const toml::table& table, std::string_view key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) refuse(&within, fmt::format("'{}' is missing", key));
    return *node;
  }
  void only(const toml::table& table, std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : table)
      if (std::ranges::find(known, key.str()) == known.end())
        refuse(&value, fmt::format("unknown key '{}'; known: {}", key.str(), fmt::join(known, ", ")));
  }

  [[noreturn]] void refuse(const toml::node* node, const std::string& why) const {
    refuse(node == nullptr ? 1 : node->source().begin.line, why);
  }
  [[noreturn]] void refuse(toml::source_index line, const std::string& why) const {
    throw ConfigError(fmt::format("{}:{}: not a model file: {}", file_, line == 0 ? 1 : line, why));
  }

  const std::string file_;
};

/// A TOML basic string.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      result += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else
      result += c;
  }
  return result + '"';
}

}  // namespace

ModelSet parse_models(std::string_view text, std::string_view file) { return ModelReader(file).read(text); }

std::string write_models(const ModelSet& set) {
  std::string text = fmt::format(
      "# Measured times of tasks, kept by Mitra; `mitra models` shows them. Times are in seconds. Of each kind of task a\n"
      "# fair choice of its measurements is kept.\n"
      "format = {}\nmachine = {}\n",
      kModelFormat, quoted(set.machine));
  for (const TimingRecord& record : set.records) {
    std::vector<std::string> data;
    for (const DataShape& shape : record.key.shapes)
      data.push_back(fmt::format("\"{} of {} B\"", to_string(shape), shape.element_size));
    text += fmt::format("\n[[timing]]\ncodelet = {}\nclass = {}\n", quoted(record.key.codelet),
                        quoted(record.key.worker_class));
    if (!record.key.power_state.empty()) text += fmt::format("power_state = {}\n", quoted(record.key.power_state));
    text += fmt::format("data = [{}]\n", fmt::join(data, ", "));
    if (record.key.flops > 0.0) text += fmt::format("flops = {}\n", record.key.flops);
    text += fmt::format("count = {}\n", record.count);
    if (record.samples.size() >= kLeastSamples) {
      const TimingSummary summary = *summarise(record);
      text += fmt::format("# mean without outliers {:.6g} s, spread {:.3g}\n", summary.seconds.value, summary.spread);
    }
    text += fmt::format("samples_s = [{}]\n", fmt::join(record.samples, ", "));
    if (record.imported)
      text += fmt::format("imported = {{ mean_s = {}, spread = {}, count = {}, flops = {}, origin = {} }}\n",
                          record.imported->seconds.value, record.imported->spread, record.imported->count,
                          record.imported->flops, quoted(record.imported->origin));
  }
  return text;
}

}  // namespace mitra
