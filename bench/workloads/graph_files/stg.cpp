// Standard Task Graph set: Tobita, Kasahara, Journal of Scheduling 5 (2002). The first line is the number of tasks without
// the dummy entry and exit; then a task a line: number, time, number of predecessors, predecessors; then a trailer after '#'.
// Flow: graph_file.cpp -> [stg] -> task graph.

#include <string>

#include "workloads/graph_files/draft_graph.hpp"
#include "workloads/graph_files/formats.hpp"
#include "workloads/graph_files/text_lines.hpp"

namespace mitra::workloads {
namespace {

void read_task(TextLines& lines, std::string_view id_word, DraftGraph& draft) {
  const std::string id = std::to_string(lines.whole(id_word, "a task's number"));
  GraphTask task;
  task.name = "task";
  task.seconds = lines.amount(lines.word(), "the time of task " + id);
  const std::uint64_t announced = lines.whole(lines.word(), "the number of predecessors of task " + id);
  std::uint64_t found = 0;
  for (std::string_view word = lines.word(); !word.empty(); word = lines.word(), ++found)
    draft.add_edge(std::to_string(lines.whole(word, "a predecessor of task " + id)), id, lines.number());
  if (found != announced)
    lines.fail(detail::message("task ", id, " announces ", announced, " predecessors, and ", found, " follow on the line"));
  draft.add_task(id, std::move(task), draft.tasks(), lines.number());
}

}  // namespace

TaskGraph read_stg(std::string_view text, const std::string& file) {
  TextLines lines(text, file);
  DraftGraph draft([&](DraftGraph::Place line) { return at_line(file, line); });
  bool has_header = false;
  std::uint64_t announced = 0;
  std::size_t header_line = 1;
  while (lines.next()) {
    const std::string_view word = lines.word();
    if (word.empty()) continue;
    if (word.front() == '#') break;
    if (has_header) {
      read_task(lines, word, draft);
      continue;
    }
    announced = lines.whole(word, "the number of tasks");
    if (const std::string_view more = lines.word(); !more.empty())
      lines.fail("the number of tasks stands alone on its line, not before " + shown(more));
    has_header = true;
    header_line = lines.number();
  }
  if (!has_header) throw Error(at_line(file, header_line) + "the number of tasks is missing");
  // Some files count the entry and the exit.
  if (draft.tasks() != announced && !(draft.tasks() >= 2 && draft.tasks() - 2 == announced))
    throw Error(detail::message(at_line(file, header_line), announced, " tasks are announced, besides entry and exit, and ",
                                draft.tasks(), " lines of tasks follow"));
  return draft.finish();
}

}  // namespace mitra::workloads
