// Graph files of others: Standard Task Graph, WfFormat, tasks.rec. What they become, and what is said of broken ones.
#include <algorithm>
#include <mitra/error.hpp>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/shared_data.hpp"
#include "workloads/graph_files/graph_file.hpp"

using namespace mitra;
using test::contains;
using workloads::GraphFormat;
using workloads::read_graph_text;

namespace {

using Indices = std::vector<std::uint32_t>;

const char* const kStg =
    "  3\n"
    "  0  0  0\n"
    "  1  4  1  0\n"
    "  2  2.5  1  0\n"
    "  3  6  2  1  2\n"
    "  4  0  1  3\n"
    "# trailer: not 4 words\n";

const char* const kWfFormat = R"({
  "name": "w", "schemaVersion": "1.5",
  "workflow": {
    "specification": {
      "tasks": [
        {"name": "merge", "id": "c", "parents": ["a", "b"], "children": [], "inputFiles": ["f", "g"], "outputFiles": ["h"]},
        {"name": "a", "id": "a", "parents": [], "children": ["c"], "inputFiles": [], "outputFiles": ["f"]},
        {"name": "b", "id": "b", "parents": [], "children": ["c"], "inputFiles": ["g"], "outputFiles": ["g"]}
      ],
      "files": [{"id": "f", "sizeInBytes": 100}, {"id": "g", "sizeInBytes": 200}, {"id": "h", "sizeInBytes": 0}]
    },
    "execution": {
      "makespanInSeconds": 9,
      "tasks": [
        {"id": "a", "runtimeInSeconds": 1.5, "command": {"program": "sort", "arguments": ["x"]}},
        {"id": "c", "runtimeInSeconds": 3, "priority": 20, "command": {"program": "#!/bin/sh\necho"}},
        {"id": "b", "runtimeInSeconds": 2}
      ]
    }
  }
})";

const char* const kTasksRec =
    "%rec: task\n"
    "\n"
    "# the second in time was submitted first\n"
    "Name: gemm\n"
    "Model: chol_model_gemm\n"
    "JobId: 12\n"
    "SubmitOrder: 9\n"
    "Priority: 3\n"
    "DependsOn: 7 5\n"
    "WorkerId: 3\n"
    "StartTime: 4.000000\n"
    "EndTime: 91.800000\n"
    "Footprint: 24c84a50\n"
    "GFlop: 1.769472\n"
    "Handles: 55d0c0 55d1c0 55d2c0\n"
    "Modes: R RWC RW\n"
    "Sizes: 3686400 3686400 100\n"
    "Parameters: long\n"
    "+ continued\n"
    "\n\n"
    "Control: WontUse\n"
    "JobId: 5\n"
    "SubmitOrder: 8\n"
    "Handles: 55d0c0\n"
    "\n"
    "Model: potrf\n"
    "JobId: 7\n"
    "SubmitOrder: 2\n"
    "Handles: 55d0c0 aa bb\n"
    "Modes: W S X-mpi\n"
    "Sizes: 3686400 1 2";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

void refused(GraphFormat format, const std::string& text, const std::string& message) {
  CAPTURE(text);
  CHECK_THROWS_AS(read_graph_text(text, format, "file"), Error);
  CHECK_THROWS_WITH(read_graph_text(text, format, "file"), contains(message));
}

}  // namespace

TEST_CASE("a Standard Task Graph keeps its dummy entry and exit as tasks without time") {
  const TaskGraph graph = read_graph_text(kStg, GraphFormat::stg, "dir/small.stg");
  CHECK(graph.name == "small.stg");
  REQUIRE(graph.tasks.size() == 5);
  CHECK(graph.data.empty());
  CHECK(graph.tasks[0].seconds == 0.0);
  CHECK(graph.tasks[2].seconds == 2.5);
  CHECK(graph.tasks[3].after == Indices{1, 2});
  CHECK(graph.tasks[4].after == Indices{3});
}

TEST_CASE("a Standard Task Graph may name successors first: it is sorted") {
  const TaskGraph graph = read_graph_text("2\n0 1 2 3 1\n1 2 1 2\n2 3 0\n3 4 1 2\n", GraphFormat::stg, "g");
  REQUIRE(graph.tasks.size() == 4);
  CHECK(graph.tasks[0].seconds == 3.0);  // task 2 of the file
  CHECK(graph.tasks[1].seconds == 2.0);
  CHECK(graph.tasks[2].seconds == 4.0);
  CHECK(graph.tasks[3].after == Indices{1, 2});
}

TEST_CASE("broken Standard Task Graphs say line and reason") {
  const auto stg = [](const std::string& text, const std::string& message) { refused(GraphFormat::stg, text, message); };
  stg("", "file:1: the number of tasks is missing");
  stg("# only a comment\n", "the number of tasks is missing");
  stg("x\n", "file:1: the number of tasks is a whole number, not 'x'");
  stg("3 4\n", "stands alone");
  stg("1000000000000\n0 0 0\n", "file:1: 1000000000000 tasks are announced, besides entry and exit, and 1 lines of tasks follow");
  stg(replaced(kStg, "  4  0  1  3\n", ""), "3 tasks are announced, besides entry and exit, and 4 lines");
  stg(replaced(kStg, "6  2  1  2", "6  3  1  2"), "file:5: task 3 announces 3 predecessors, and 2 follow");
  stg(replaced(kStg, "6  2  1  2", "6  1  1  2"), "file:5: task 3 announces 1 predecessors, and 2 follow");
  stg(replaced(kStg, "6  2  1  2", "6  1000000000000  1  2"), "announces 1000000000000 predecessors");
  stg(replaced(kStg, "6  2  1  2", "-6  2  1  2"), "file:5: the time of task 3 is a number of at least 0, not '-6'");
  stg(replaced(kStg, "6  2  1  2", "inf  2  1  2"), "not 'inf'");
  stg(replaced(kStg, "6  2  1  2", "6  2  1  77"), "file:5: unknown predecessor 77 of task 3");
  stg(replaced(kStg, "  2  2.5", "  1  2.5"), "file:4: task 1 is there twice");
  stg(replaced(kStg, "  0  0  0\n", "  0  0  1  4\n"), "a cycle of 4 tasks: ");
  stg(replaced(kStg, "1  4  1  0", "1  4  1  1"), "file:3: a cycle of 1 tasks: 1 -> 1");
  stg(replaced(kStg, "1  4  1  0", "1"), "the time of task 1 is a number of at least 0, not ''");
}

TEST_CASE("a workflow becomes tasks with edges, files and runtimes") {
  const TaskGraph graph = read_graph_text(kWfFormat, GraphFormat::wfformat, "w.json");
  REQUIRE(graph.tasks.size() == 3);  // sorted: a, b, merge
  REQUIRE(graph.data.size() == 3);
  CHECK(graph.data[1].name == "g");
  CHECK(graph.data[1].rows * graph.data[1].cols * graph.data[1].element_size == 200);
  CHECK(graph.tasks[0].name == "sort");
  CHECK(graph.tasks[0].seconds == 1.5);
  CHECK(graph.tasks[1].name == "b");
  REQUIRE(graph.tasks[1].accesses.size() == 1);
  CHECK(graph.tasks[1].accesses[0].mode == AccessMode::readwrite);
  const GraphTask& merge = graph.tasks[2];
  CHECK(merge.name == "merge");
  CHECK(merge.after == Indices{0, 1});
  CHECK(merge.seconds == 3.0);
  CHECK(merge.priority == 20);
  REQUIRE(merge.accesses.size() == 3);
  CHECK(merge.accesses[0].datum == 0);
  CHECK(merge.accesses[0].mode == AccessMode::read);
  CHECK(merge.accesses[2].mode == AccessMode::write);
}

TEST_CASE("broken workflows say element and reason") {
  const auto wf = [](const char* from, const char* to, const std::string& message) {
    refused(GraphFormat::wfformat, replaced(kWfFormat, from, to), message);
  };
  refused(GraphFormat::wfformat, "", "file:1: no JSON");
  refused(GraphFormat::wfformat, "{\n\"a\": 1,\n}", "file:3: no JSON");
  refused(GraphFormat::wfformat, "[]", "file: document: an object is expected");
  refused(GraphFormat::wfformat, "{}", "file: document: the member 'schemaVersion' is missing");
  wf("\"1.5\"", "\"1.4\"", "file: schemaVersion: WfFormat 1.5 is read, not '1.4'");
  wf("\"specification\"", "\"other\"", "file: workflow: the member 'specification' is missing");
  wf("[\"a\", \"b\"]", "[\"a\", \"x\"]", "file: workflow.specification.tasks[0]: unknown predecessor x of task c");
  wf("[\"a\", \"b\"]", "[\"a\", 7]", "workflow.specification.tasks[0].parents[1]: a text is expected");
  wf("[\"a\", \"b\"]", "\"a\"", "workflow.specification.tasks[0].parents: a list is expected");
  wf("\"id\": \"c\", ", "", "workflow.specification.tasks[0]: the member 'id' is missing");
  wf("\"id\": \"b\", ", "\"id\": \"a\", ", "task a is there twice");
  wf("\"parents\": [], \"children\": [\"c\"]", "\"parents\": [\"c\"], \"children\": []", "a cycle of 2 tasks");
  wf("[\"f\", \"g\"]", "[\"f\", \"z\"]", "workflow.specification.tasks[0].inputFiles[1]: the file 'z' is not listed");
  wf("\"id\": \"g\", \"sizeInBytes\": 200", "\"id\": \"f\", \"sizeInBytes\": 200", "files[1]: the file 'f' is there twice");
  wf("\"sizeInBytes\": 200", "\"sizeInBytes\": -200", "files[1].sizeInBytes: a number of at least 0");
  wf("\"sizeInBytes\": 200", "\"sizeInBytes\": 2.5", "files[1].sizeInBytes: a whole number");
  wf("\"sizeInBytes\": 200", "\"sizeInBytes\": 1e300", "files[1].sizeInBytes: a whole number");
  wf("1.5, \"command\"", "-1.5, \"command\"", "workflow.execution.tasks[0].runtimeInSeconds: a number of at least 0");
  wf("1.5, \"command\"", "1e999, \"command\"", "no JSON");
  wf("\"priority\": 20", "\"priority\": 4294967296", "workflow.execution.tasks[1].priority: a whole number of 32 bits");
  wf("\"id\": \"b\", \"runtime", "\"id\": \"x\", \"runtime", "workflow.execution.tasks[2]: the task 'x' is not in");
  wf("\"id\": \"b\", \"runtime", "\"id\": \"a\", \"runtime", "workflow.execution.tasks[2]: the task 'a' is there twice");
}

TEST_CASE("StarPU's tasks come in the order of submission, in seconds and flops") {
  const TaskGraph graph = read_graph_text(kTasksRec, GraphFormat::starpu_tasks, "tasks.rec");
  REQUIRE(graph.tasks.size() == 2);
  const GraphTask &potrf = graph.tasks[0], &gemm = graph.tasks[1];
  CHECK(potrf.name == "potrf");
  CHECK(potrf.seconds == 0.0);
  REQUIRE(potrf.accesses.size() == 3);
  CHECK(potrf.accesses[0].mode == AccessMode::write);
  CHECK(potrf.accesses[1].mode == AccessMode::scratch);
  CHECK(potrf.accesses[2].mode == AccessMode::reduce);
  CHECK(gemm.name == "gemm");
  CHECK(gemm.priority == 3);
  CHECK(gemm.seconds == Approx(0.0878).epsilon(1e-12));
  CHECK(gemm.flops == Approx(1.769472e9).epsilon(1e-12));
  CHECK(gemm.after == Indices{0});  // job 5 is no task
  REQUIRE(gemm.accesses.size() == 3);
  CHECK(gemm.accesses[0].mode == AccessMode::read);
  CHECK(gemm.accesses[0].datum == potrf.accesses[0].datum);
  CHECK(gemm.accesses[1].mode == AccessMode::commute);
  CHECK(gemm.accesses[2].mode == AccessMode::readwrite);
  CHECK(graph.data.at(gemm.accesses[0].datum).rows == 3686400);
  CHECK(graph.data.at(gemm.accesses[2].datum).rows == 100);
}

TEST_CASE("StarPU's tasks without dependencies come in the order of submission, not of their end") {
  const char* text = "JobId: 2\nSubmitOrder: 20\nHandles: a\nModes: R\n\nJobId: 1\nSubmitOrder: 10\nHandles: a\nModes: W\nPriority: -1\n";
  const TaskGraph graph = read_graph_text(text, GraphFormat::starpu_tasks, "tasks.rec");
  REQUIRE(graph.tasks.size() == 2);
  CHECK(graph.tasks[0].priority == -1);
  CHECK(predecessors_of(graph) == std::vector<Indices>{{}, {0}});
  CHECK(graph.tasks[0].name == "task");
}

TEST_CASE("broken tasks.rec files say line and reason") {
  const auto rec = [](const char* from, const char* to, const std::string& message) {
    refused(GraphFormat::starpu_tasks, replaced(kTasksRec, from, to), message);
  };
  refused(GraphFormat::starpu_tasks, "", "file: no record has a JobId");
  refused(GraphFormat::starpu_tasks, "Name: a\n", "file:1: the record has no JobId");
  rec("Name: gemm", "Name gemm", "file:4: a field `Key: value` is expected, not 'Name gemm'");
  rec("JobId: 12", "JobId: twelve", "file:6: a job is a number, or rank_number, not 'twelve'");
  rec("JobId: 7", "JobId: 12", "task 12 is there twice");
  rec("DependsOn: 7 5", "DependsOn: 7 6", "file:4: unknown predecessor 6 of task 12");
  rec("SubmitOrder: 2", "SubmitOrder: 2\nDependsOn: 12", "a cycle of 2 tasks: ");
  rec("EndTime: 91.800000", "EndTime: 3.5", "file:4: task 12 ends at 3.5 ms, before it starts at 4 ms");
  rec("EndTime: 91.800000\n", "", "has only one of StartTime and EndTime");
  rec("StartTime: 4.000000", "StartTime: -4", "StartTime is a number of at least 0, not '-4'");
  rec("GFlop: 1.769472", "GFlop: many", "GFlop is a number of at least 0, not 'many'");
  rec("Modes: R RWC RW", "Modes: R RWC", "task 12 has 3 Handles, 2 Modes and 3 Sizes");
  rec("Modes: R RWC RW", "Modes: R Q RW", "Modes of task 12 has 'Q'");
  rec("Sizes: 3686400 3686400 100", "Sizes: 3686400 -1 100", "Sizes of task 12 has '-1'");
  rec("Priority: 3", "Priority: 3000000000", "Priority is a whole number of 32 bits");
}

TEST_CASE("the format of a graph file is told by its name, then by its first words") {
  using workloads::graph_format;
  CHECK(graph_format("a.stg", "{") == GraphFormat::stg);
  CHECK(graph_format("a.json", "") == GraphFormat::wfformat);
  CHECK(graph_format("dir/tasks.rec", "") == GraphFormat::starpu_tasks);
  CHECK(graph_format("a.mgraph", "") == GraphFormat::mitra);
  CHECK(graph_format("a", "\n {\"name\"") == GraphFormat::wfformat);
  CHECK(graph_format("a.txt", "mgraph 1\n") == GraphFormat::mitra);
  CHECK(graph_format("a.txt", "Name: gemm\n") == GraphFormat::starpu_tasks);
  CHECK(graph_format("a.txt", "   50\n") == GraphFormat::stg);
  CHECK_THROWS_WITH(graph_format("a.txt", "<xml>"), contains("a.txt: not a graph file; known are"));
  CHECK_THROWS_AS(graph_format("a.txt", ""), Error);
  CHECK(workloads::is_graph_file_name("x.stg"));
  CHECK_FALSE(workloads::is_graph_file_name("cholesky"));
}

TEST_CASE("files that cannot be read say why") {
  CHECK_THROWS_WITH(workloads::read_graph_file("/nonexistent/a.stg"), contains("/nonexistent/a.stg: cannot be opened: No such file"));
  CHECK_THROWS_WITH(workloads::read_graph_file("/"), contains("a directory"));
}

TEST_CASE("recorded workflows of others are read") {
  const std::string folder = test::shared_data("wfcommons");
  if (folder.empty()) return;
  struct Expected {
    const char* file;
    std::size_t tasks, data;
  };
  constexpr Expected kFiles[] = {{"bacass-dirt02-001.json", 11, 67}, {"helloworld-forkjoin-10-chameleon.json", 10, 11}, {"srasearch-chameleon-10a-001.json", 22, 48}};
  for (const Expected& expected : kFiles) {
    const TaskGraph graph = workloads::read_graph_file(folder + '/' + expected.file);
    CAPTURE(expected.file);
    CHECK(graph.tasks.size() == expected.tasks);
    CHECK(graph.data.size() == expected.data);
    CHECK(predecessors_of(graph).size() == expected.tasks);
    CHECK(std::ranges::any_of(graph.tasks, [](const GraphTask& task) { return task.seconds > 100; }));
    // Every file is written before it is read, or by nobody: the parents say the same as the files.
    std::vector<bool> read(graph.data.size(), false);
    for (const GraphTask& task : graph.tasks)
      for (const GraphAccess& access : task.accesses) {
        if (access.mode == AccessMode::write) CHECK_FALSE(read[access.datum]);
        if (access.mode == AccessMode::read) read[access.datum] = true;
      }
  }
}

TEST_CASE("random damage to graph files ends in a graph or in an Error that names the file") {
  const std::string mgraph = "mgraph 1\ndatum \"A\" 4 4 8\ntask \"a\\x41\" priority=-3 access=rw:0 flops=1e9\ntask \"b\" after=0 seconds=0.5\nend 1 2\n";
  const std::pair<GraphFormat, std::string> originals[] = {{GraphFormat::stg, kStg},
                                                           {GraphFormat::wfformat, kWfFormat},
                                                           {GraphFormat::starpu_tasks, kTasksRec},
                                                           {GraphFormat::mitra, mgraph}};
  const std::vector<std::string> pieces = {"\"", "\n", "999999999999999999999", "-1", "0", "nan", "1e308", "{", "[", "]", "}", ",", "\\x", "\\", ":", "#", " ", "\t", "\xff", std::string(1, '\0'), "DependsOn: 12\n", "null", "after=1"};
  std::size_t graphs = 0, errors = 0;
  for (const std::uint64_t seed : test::seeds(60000)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const auto& [format, original] = originals[random.below(4)];
    std::string text = original;
    for (int n = random.between(1, 4); n > 0; --n) {
      const std::size_t at = random.below(text.size() + 1), length = random.below(std::min<std::size_t>(text.size() - at, 12) + 1);
      switch (random.below(4)) {
        case 0: text.erase(at, length); break;
        case 1: text.insert(at, random.pick(pieces)); break;
        case 2: text.replace(at, length, random.pick(pieces)); break;
        default: text.insert(random.below(text.size() + 1), text.substr(at, length)); break;
      }
    }
    try {
      const TaskGraph graph = read_graph_text(text, format, "damaged");
      ++graphs;
      CHECK(predecessors_of(graph).size() == graph.tasks.size());
      for (const GraphTask& task : graph.tasks)
        if (!(task.seconds >= 0.0 && task.flops >= 0.0)) FAIL("a negative amount in " << text);
    } catch (const Error& error) {
      ++errors;
      const std::string what = error.what();
      if (!what.starts_with("damaged:")) FAIL("the message does not name the file: " << what);
    }
  }
  if (graphs + errors > 1000) {  // not one seed alone
    CHECK(graphs > 100);
    CHECK(errors > 1000);
  }
}
