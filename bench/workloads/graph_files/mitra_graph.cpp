// Mitra's own graphs, `.mgraph`: docs/graph-files.md has the format, runtime/observe/graph_writer.cpp writes it.
// Flow: graph_file.cpp -> [mitra graph] -> task graph.

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "workloads/graph_files/formats.hpp"
#include "workloads/graph_files/text_lines.hpp"

namespace mitra::workloads {
namespace {

constexpr std::uint64_t kVersion = 1;

constexpr std::array<std::pair<std::string_view, AccessMode>, 6> kModes{{{"r", AccessMode::read},
                                                                          {"w", AccessMode::write},
                                                                          {"rw", AccessMode::readwrite},
                                                                          {"commute", AccessMode::commute},
                                                                          {"reduce", AccessMode::reduce},
                                                                          {"scratch", AccessMode::scratch}}};

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : lines_(text, file) {}

  TaskGraph read() {
    read_header();
    while (next_line()) {
      if (ended_) lines_.fail("nothing follows the line `end`");
      const std::string_view kind = word();
      if (kind == "datum") read_datum();
      else if (kind == "task") read_task();
      else if (kind == "end") read_end();
      else lines_.fail("a line starts with datum, task, end or #, not with " + shown(kind));
    }
    if (!ended_) lines_.fail("the line `end` is missing: the file is not complete");
    return std::move(graph_);
  }

 private:
  void read_header() {
    if (!next_line() || word() != "mgraph") lines_.fail("the first line is `mgraph " + std::to_string(kVersion) + "`");
    if (const std::uint64_t version = lines_.whole(word(), "the version of the format"); version != kVersion)
      lines_.fail(detail::message("version ", version, " of the format; this program reads version ", kVersion));
    end_of_line();
  }

  void read_datum() {
    GraphDatum datum;
    datum.name = quoted();
    datum.rows = lines_.whole(word(), "the number of rows");
    datum.cols = lines_.whole(word(), "the number of columns");
    datum.element_size = lines_.whole(word(), "the size of an element");
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(datum.rows, datum.cols, &bytes) || __builtin_mul_overflow(bytes, datum.element_size, &bytes))
      lines_.fail("the datum has more than 2^64 bytes");
    end_of_line();
    graph_.data.push_back(std::move(datum));
  }

  void read_task() {
    GraphTask task;
    task.name = quoted();
    for (std::string_view field = word(); !field.empty(); field = word()) {
      const std::size_t equals = field.find('=');
      if (equals == std::string_view::npos) lines_.fail("a field KEY=VALUE is expected, not " + shown(field));
      const std::string_view key = field.substr(0, equals), value = field.substr(equals + 1);
      if (value.ends_with(',')) lines_.fail("something is expected after the comma in " + shown(field));
      if (key == "priority") task.priority = lines_.signed_whole(value, key);
      else if (key == "after") read_after(value, task);
      else if (key == "access") read_accesses(value, task);
      else if (key == "flops") task.flops = lines_.amount(value, key);
      else if (key == "bytes") task.bytes = lines_.amount(value, key);
      else if (key == "seconds") task.seconds = lines_.amount(value, key);
      else if (key == "gpu_seconds") task.gpu_seconds = lines_.amount(value, key);
      else lines_.fail("unknown field " + shown(key) + "; known: priority, after, access, flops, bytes, seconds, gpu_seconds");
    }
    graph_.tasks.push_back(std::move(task));
  }

  void read_after(std::string_view list, GraphTask& task) {
    for (std::string_view item = taken(list);; item = taken(list)) {
      const std::uint64_t before = lines_.whole(item, "a predecessor");
      if (before >= graph_.tasks.size())
        lines_.fail(detail::message("task ", graph_.tasks.size(), " comes after task ", before,
                                    ", which is not above it: predecessors come first"));
      task.after.push_back(static_cast<std::uint32_t>(before));
      if (list.empty()) return;
    }
  }

  void read_accesses(std::string_view list, GraphTask& task) {
    for (std::string_view item = taken(list);; item = taken(list)) {
      const std::size_t colon = item.find(':');
      const auto mode = std::ranges::find(kModes, item.substr(0, colon), &std::pair<std::string_view, AccessMode>::first);
      if (colon == std::string_view::npos || mode == kModes.end())
        lines_.fail("an access is MODE:DATUM with the mode r, w, rw, commute, reduce or scratch, not " + shown(item));
      const std::uint64_t datum = lines_.whole(item.substr(colon + 1), "the number of a datum");
      if (datum >= graph_.data.size())
        lines_.fail(detail::message("datum ", datum, " is not above the task; there are ", graph_.data.size()));
      task.accesses.push_back({static_cast<std::uint32_t>(datum), mode->second});
      if (list.empty()) return;
    }
  }

  void read_end() {
    const std::uint64_t data = lines_.whole(word(), "the number of data"), tasks = lines_.whole(word(), "the number of tasks");
    if (data != graph_.data.size() || tasks != graph_.tasks.size())
      lines_.fail(detail::message("the file ends with ", data, " data and ", tasks, " tasks, and has ", graph_.data.size(), " and ",
                                  graph_.tasks.size(), ": lines are missing or double"));
    end_of_line();
    ended_ = true;
  }

  /// Takes the first of a list of items with commas between them.
  static std::string_view taken(std::string_view& list) {
    const std::size_t comma = list.find(',');
    const std::string_view item = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    return item;
  }

  /// Goes to the next line that is neither empty nor a comment.
  bool next_line() {
    while (lines_.next()) {
      rest_ = lines_.line();
      const std::size_t start = rest_.find_first_not_of(" \t");
      if (start != std::string_view::npos && rest_[start] != '#') return true;
    }
    return false;
  }
  std::string_view word() { return TextLines::word_of(rest_); }
  void end_of_line() {
    if (const std::string_view more = word(); !more.empty()) lines_.fail("the line is to end before " + shown(more));
  }

  std::string quoted() {
    const std::size_t start = rest_.find_first_not_of(" \t");
    if (start == std::string_view::npos || rest_[start] != '"') lines_.fail("a name in double quotes is expected");
    std::string name;
    for (std::size_t i = start + 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_ = rest_.substr(i + 1);
        if (!rest_.empty() && rest_.front() != ' ' && rest_.front() != '\t') lines_.fail("a space is expected after a name");
        return name;
      }
      if (rest_[i] != '\\') {
        name += rest_[i];
        continue;
      }
      if (++i == rest_.size()) break;
      switch (rest_[i]) {
        case '"':
        case '\\': name += rest_[i]; break;
        case 'n': name += '\n'; break;
        case 'r': name += '\r'; break;
        case 't': name += '\t'; break;
        case 'x': {
          unsigned code = 0;
          const char* digits = rest_.data() + i + 1;
          if (rest_.size() - i < 3 || std::from_chars(digits, digits + 2, code, 16).ptr != digits + 2)
            lines_.fail("\\x is followed by two hexadecimal digits");
          name += static_cast<char>(code);
          i += 2;
          break;
        }
        default: lines_.fail("a name has \\\", \\\\, \\n, \\r, \\t and \\xHH, not " + shown(rest_.substr(i - 1, 2)));
      }
    }
    lines_.fail("the name has no closing quote");
  }

  TextLines lines_;
  std::string_view rest_;  // of the line
  TaskGraph graph_;
  bool ended_ = false;
};

}  // namespace

TaskGraph read_mitra_graph(std::string_view text, const std::string& file) { return Reader(text, file).read(); }

}  // namespace mitra::workloads
