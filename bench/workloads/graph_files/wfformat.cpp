// WfFormat 1.5, the JSON of WfCommons: https://wfcommons.org/format. Parents and children are edges, files are data that
// tasks read and write, runtimes come from the recorded execution.
// Flow: graph_file.cpp -> [wfformat] -> task graph.

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <mitra/error.hpp>

#include "workloads/graph_files/draft_graph.hpp"
#include "workloads/graph_files/formats.hpp"
#include "workloads/graph_files/text_lines.hpp"

namespace mitra::workloads {
namespace {

using nlohmann::json;

/// An element of the document, and how to find it.
class Element {
 public:
  Element(const json& value, const std::string& file, std::string path) : value_(&value), file_(&file), path_(std::move(path)) {}

  bool has(const char* key) const { return value_->is_object() && value_->contains(key); }
  Element at(const char* key) const {
    if (!value_->is_object()) fail("an object is expected");
    const auto found = value_->find(key);
    if (found == value_->end()) fail(detail::message("the member '", key, "' is missing"));
    return {*found, *file_, path_.empty() ? key : path_ + '.' + key};
  }
  std::size_t size() const {
    if (!value_->is_array()) fail("a list is expected");
    return value_->size();
  }
  Element at(std::size_t i) const { return {(*value_)[i], *file_, path_ + '[' + std::to_string(i) + ']'}; }
  const std::string& text() const {
    if (!value_->is_string()) fail("a text is expected");
    return value_->get_ref<const std::string&>();
  }
  double amount() const {
    const double value = value_->is_number() ? value_->get<double>() : -1.0;
    if (!(value >= 0.0) || !std::isfinite(value)) fail("a number of at least 0 is expected");
    return value;
  }
  std::uint64_t bytes() const {
    if (value_->is_number_unsigned()) return value_->get<std::uint64_t>();
    const double value = amount();
    if (value != std::floor(value) || value >= 0x1p64) fail("a whole number of bytes is expected");
    return static_cast<std::uint64_t>(value);
  }
  std::int32_t priority() const {
    constexpr auto kLeast = std::numeric_limits<std::int32_t>::min(), kMost = std::numeric_limits<std::int32_t>::max();
    const bool fits = value_->is_number_unsigned() ? value_->get<std::uint64_t>() <= static_cast<std::uint64_t>(kMost)
                                                   : value_->is_number_integer() && value_->get<std::int64_t>() >= kLeast &&
                                                         value_->get<std::int64_t>() <= kMost;
    if (!fits) fail("a whole number of 32 bits is expected");
    return value_->get<std::int32_t>();
  }
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(*file_ + ": " + (path_.empty() ? "document" : path_) + ": " + reason);
  }

 private:
  const json* value_;
  const std::string* file_;
  std::string path_;
};

std::size_t line_of(std::string_view text, std::size_t byte) {
  std::size_t line = 1;
  for (const char c : text.substr(0, byte)) line += c == '\n' ? 1 : 0;
  return line;
}

class Reader {
 public:
  Reader(const json& document, const std::string& file)
      : document_(document, file, ""), draft_([&](DraftGraph::Place task) {
          return detail::message(file, ": workflow.specification.tasks[", task, "]: ");
        }) {}

  TaskGraph read() {
    if (const std::string& version = document_.at("schemaVersion").text(); version != "1.5")
      document_.at("schemaVersion").fail("WfFormat 1.5 is read, not " + shown(version));
    const Element workflow = document_.at("workflow"), specification = workflow.at("specification");
    if (specification.has("files")) read_files(specification.at("files"));
    const Element tasks = specification.at("tasks");
    for (std::size_t i = 0; i < tasks.size(); ++i) read_task(tasks.at(i), i);
    if (workflow.has("execution")) read_execution(workflow.at("execution").at("tasks"));
    return draft_.finish();
  }

 private:
  void read_files(const Element& files) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const Element file = files.at(i);
      const std::string& id = file.at("id").text();
      if (!data_.try_emplace(id, static_cast<std::uint32_t>(data_.size())).second)
        file.fail("the file " + shown(id) + " is there twice");
      draft_.add_datum({id, file.at("sizeInBytes").bytes(), 1, 1});
    }
  }

  void read_task(const Element& element, std::size_t place) {
    const std::string& id = element.at("id").text();
    GraphTask task;
    task.name = element.at("name").text();
    if (element.has("inputFiles")) add_accesses(element.at("inputFiles"), AccessMode::read, task);
    if (element.has("outputFiles")) add_accesses(element.at("outputFiles"), AccessMode::write, task);
    if (element.has("parents")) {
      const Element parents = element.at("parents");
      for (std::size_t i = 0; i < parents.size(); ++i) draft_.add_edge(parents.at(i).text(), id, place);
    }
    if (element.has("children")) {
      const Element children = element.at("children");
      for (std::size_t i = 0; i < children.size(); ++i) draft_.add_edge(id, children.at(i).text(), place);
    }
    numbers_.try_emplace(id, draft_.add_task(id, std::move(task), place, place));
  }

  void add_accesses(const Element& files, AccessMode mode, GraphTask& task) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const Element file = files.at(i);
      const auto known = data_.find(file.text());
      if (known == data_.end())
        file.fail("the file " + shown(file.text()) + " is not listed in workflow.specification.files");
      bool merged = false;  // read and written by the same task
      for (GraphAccess& access : task.accesses)
        if (access.datum == known->second) {
          if (access.mode != mode) access.mode = AccessMode::readwrite;
          merged = true;
        }
      if (!merged) task.accesses.push_back({known->second, mode});
    }
  }

  void read_execution(const Element& tasks) {
    std::unordered_set<std::string> seen;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const Element element = tasks.at(i);
      const std::string& id = element.at("id").text();
      const auto found = numbers_.find(id);
      if (found == numbers_.end()) element.fail("the task " + shown(id) + " is not in workflow.specification.tasks");
      if (!seen.insert(id).second) element.fail("the task " + shown(id) + " is there twice");
      GraphTask& task = draft_.task(found->second);
      task.seconds = element.at("runtimeInSeconds").amount();
      if (element.has("priority")) task.priority = element.at("priority").priority();
      // Names of tasks are often unique; what was run is the codelet, where it is one word and no script.
      if (task.name == id && element.has("command") && element.at("command").has("program")) {
        const std::string& program = element.at("command").at("program").text();
        if (!program.empty() && program.find_first_of(" \t\r\n") == std::string::npos) task.name = program;
      }
    }
  }

  Element document_;
  DraftGraph draft_;
  std::unordered_map<std::string, std::uint32_t> data_, numbers_;
};

}  // namespace

TaskGraph read_wfformat(std::string_view text, const std::string& file) {
  json document;
  try {
    document = json::parse(text.begin(), text.end());
  } catch (const json::parse_error& error) {
    const std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: reason"
    const std::size_t reason = what.find(": ");
    throw Error(at_line(file, line_of(text, error.byte == 0 ? 0 : error.byte - 1)) + "no JSON: " +
                (reason == std::string::npos ? what : what.substr(reason + 2)));
  } catch (const json::exception& error) {  // numbers beyond double
    throw Error(file + ": no JSON: " + error.what());
  }
  return Reader(document, file).read();
}

}  // namespace mitra::workloads
