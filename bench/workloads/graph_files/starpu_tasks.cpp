// StarPU's tasks.rec, as starpu_fxt_tool writes it: GNU recutils, a record a task, fields `Key: value`, an empty line
// between records. Tasks are in the order of their end; SubmitOrder is the order in which accesses imply edges.
// Flow: graph_file.cpp -> [starpu tasks] -> task graph.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "workloads/graph_files/draft_graph.hpp"
#include "workloads/graph_files/formats.hpp"
#include "workloads/graph_files/text_lines.hpp"

namespace mitra::workloads {
namespace {

/// The fields of one record that are used; others are known to StarPU and mean nothing here.
struct Record {
  std::size_t line = 0;  // of its first field
  bool control = false;
  std::string name, model, job;
  std::vector<std::string> depends_on, handles, modes, sizes;
  std::optional<std::uint64_t> submit_order;
  std::optional<double> start, end;  // ms
  double gflop = 0.0;
  std::int32_t priority = 0;
  bool empty() const { return line == 0; }
};

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> result;
  for (std::string_view word = TextLines::word_of(text); !word.empty(); word = TextLines::word_of(text)) result.emplace_back(word);
  return result;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file)
      : file_(file), lines_(text, file), draft_([&](DraftGraph::Place line) { return at_line(file, line); }) {}

  TaskGraph read() {
    while (lines_.next()) {
      const std::string_view line = lines_.line();
      if (line.find_first_not_of(" \t") == std::string_view::npos) {
        end_record();
      } else if (line.front() != '#' && line.front() != '%' && line.front() != '+') {  // comments, descriptors, long values
        read_field(line);
      }
    }
    end_record();
    if (draft_.tasks() == 0) throw Error(file_ + ": no record has a JobId: this is not a tasks.rec with tasks");
    return draft_.finish();
  }

 private:
  void read_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line.find_first_of(" \t") < colon)
      lines_.fail("a field `Key: value` is expected, not " + shown(line));
    if (record_.empty()) record_.line = lines_.number();
    const std::string_view key = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    const std::size_t start = value.find_first_not_of(" \t");
    value = start == std::string_view::npos ? std::string_view() : value.substr(start, value.find_last_not_of(" \t") - start + 1);
    if (key == "Control") record_.control = true;
    else if (key == "Name") record_.name = value;
    else if (key == "Model") record_.model = value;
    else if (key == "JobId") record_.job = job(value);
    else if (key == "DependsOn") {
      for (const std::string& before : words(value)) record_.depends_on.push_back(job(before));
    } else if (key == "Handles") record_.handles = words(value);
    else if (key == "Modes") record_.modes = words(value);
    else if (key == "Sizes") record_.sizes = words(value);
    else if (key == "SubmitOrder") record_.submit_order = lines_.whole(value, key);
    else if (key == "StartTime") record_.start = lines_.amount(value, key);
    else if (key == "EndTime") record_.end = lines_.amount(value, key);
    else if (key == "GFlop") record_.gflop = lines_.amount(value, key);
    else if (key == "Priority") record_.priority = lines_.signed_whole(value, key);
  }

  /// A number, after the rank and an underscore where several processes were traced.
  std::string job(std::string_view value) const {
    if (value.empty() || value.find_first_not_of("0123456789_") != std::string_view::npos)
      lines_.fail("a job is a number, or rank_number, not " + shown(value));
    return std::string(value);
  }

  void end_record() {
    if (record_.empty()) return;
    const Record record = std::exchange(record_, {});
    const auto fail = [&](const std::string& reason) { throw Error(at_line(file_, record.line) + reason); };
    if (record.control) {  // an instruction to StarPU: it takes a JobId, and no time
      if (!record.job.empty()) draft_.add_nothing(record.job, record.line);
      return;
    }
    if (record.job.empty()) fail("the record has no JobId");
    GraphTask task;
    task.name = !record.name.empty() ? record.name : !record.model.empty() ? record.model : "task";
    task.priority = record.priority;
    task.flops = record.gflop * 1e9;
    if (record.start.has_value() != record.end.has_value()) fail("task " + record.job + " has only one of StartTime and EndTime");
    if (record.start) {
      if (*record.end < *record.start)
        fail(detail::message("task ", record.job, " ends at ", *record.end, " ms, before it starts at ", *record.start, " ms"));
      task.seconds = (*record.end - *record.start) * 1e-3;
    }
    if (record.handles.size() != record.modes.size() || (!record.sizes.empty() && record.sizes.size() != record.handles.size()))
      fail(detail::message("task ", record.job, " has ", record.handles.size(), " Handles, ", record.modes.size(), " Modes and ",
                           record.sizes.size(), " Sizes"));
    for (std::size_t i = 0; i < record.handles.size(); ++i)
      task.accesses.push_back({datum(record, i), mode(record, i)});
    for (const std::string& before : record.depends_on) draft_.add_edge(before, record.job, record.line);
    draft_.add_task(record.job, std::move(task), record.submit_order.value_or(draft_.tasks()), record.line);
  }

  /// An address may be another datum later: one of another size is.
  std::uint32_t datum(const Record& record, std::size_t i) {
    std::uint64_t size = 0;
    if (!record.sizes.empty()) {
      const std::string& text = record.sizes[i];
      const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), size);
      if (error != std::errc{} || stop != text.data() + text.size())
        throw Error(at_line(file_, record.line) + "Sizes of task " + record.job + " has " + shown(text) + ", which is no number of bytes");
    }
    const auto [known, is_new] = data_.try_emplace({record.handles[i], size}, 0);
    if (is_new) known->second = draft_.add_datum({record.handles[i], size, 1, 1});
    return known->second;
  }

  AccessMode mode(const Record& record, std::size_t i) const {
    std::string_view text = record.modes[i];
    if (text == "X-mpi") return AccessMode::reduce;
    const bool commutes = text.size() > 1 && text.ends_with('C');
    if (commutes) text.remove_suffix(1);
    if (text == "R") return AccessMode::read;
    if (text == "W") return commutes ? AccessMode::commute : AccessMode::write;
    if (text == "RW") return commutes ? AccessMode::commute : AccessMode::readwrite;
    if (text == "S") return AccessMode::scratch;
    if (text == "X") return AccessMode::reduce;
    throw Error(at_line(file_, record.line) + "Modes of task " + record.job + " has " + shown(record.modes[i]) +
                "; known are R, W, RW, S, X and X-mpi, with C behind them");
  }

  const std::string& file_;
  TextLines lines_;
  DraftGraph draft_;
  Record record_;
  std::map<std::pair<std::string, std::uint64_t>, std::uint32_t> data_;  // by handle and size
};

}  // namespace

TaskGraph read_starpu_tasks(std::string_view text, const std::string& file) { return Reader(text, file).read(); }

}  // namespace mitra::workloads
