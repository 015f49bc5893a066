// Mitra's own graph format: what is written is read back as it was; broken files say line and reason.
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mitra/error.hpp>
#include <string>

#include "observe/graph_writer.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "workloads/graph_files/graph_file.hpp"

using namespace mitra;
using test::contains;
using workloads::GraphFormat;

namespace {

TaskGraph read(const std::string& text) { return workloads::read_graph_text(text, GraphFormat::mitra, "g.mgraph"); }

void check_equal(const TaskGraph& a, const TaskGraph& b) {
  REQUIRE(a.data.size() == b.data.size());
  REQUIRE(a.tasks.size() == b.tasks.size());
  for (std::size_t d = 0; d < a.data.size(); ++d) {
    CHECK(a.data[d].name == b.data[d].name);
    CHECK(a.data[d].rows == b.data[d].rows);
    CHECK(a.data[d].cols == b.data[d].cols);
    CHECK(a.data[d].element_size == b.data[d].element_size);
  }
  for (std::size_t t = 0; t < a.tasks.size(); ++t) {
    const GraphTask &x = a.tasks[t], &y = b.tasks[t];
    CHECK(x.name == y.name);
    CHECK(x.priority == y.priority);
    CHECK(x.after == y.after);
    CHECK(x.flops == y.flops);
    CHECK(x.bytes == y.bytes);
    CHECK(x.seconds == y.seconds);
    CHECK(x.gpu_seconds == y.gpu_seconds);
    REQUIRE(x.accesses.size() == y.accesses.size());
    for (std::size_t i = 0; i < x.accesses.size(); ++i) {
      CHECK(x.accesses[i].datum == y.accesses[i].datum);
      CHECK(x.accesses[i].mode == y.accesses[i].mode);
    }
  }
}

TaskGraph random_graph(test::Random& random) {
  const auto name = [&] {
    std::string text;
    for (std::size_t i = random.below(12); i > 0; --i) text += static_cast<char>(random.below(256));
    return text;
  };
  const auto amount = [&] {
    return random.chance(0.3) ? 0.0 : static_cast<double>(random.next() >> 11) * std::pow(2.0, random.between(-120, 60));
  };
  TaskGraph graph;
  for (std::size_t d = random.below(8); d > 0; --d) graph.data.push_back({name(), random.below(5000), random.below(5000), random.below(17)});
  for (std::size_t t = 0, n = random.below(20); t < n; ++t) {
    GraphTask task{.name = name(), .priority = static_cast<std::int32_t>(random.next())};
    for (std::size_t i = t == 0 ? 0 : random.below(4); i > 0; --i) task.after.push_back(static_cast<std::uint32_t>(random.below(t)));
    for (std::size_t i = graph.data.empty() ? 0 : random.below(4); i > 0; --i)
      task.accesses.push_back({static_cast<std::uint32_t>(random.below(graph.data.size())), static_cast<AccessMode>(random.below(6))});
    task.flops = amount();
    task.bytes = amount();
    task.seconds = amount();
    task.gpu_seconds = amount();
    graph.tasks.push_back(std::move(task));
  }
  return graph;
}

}  // namespace

TEST_CASE("a graph as text has a header, data, tasks and an end") {
  TaskGraph graph;
  graph.data = {{"A(0,0)", 960, 960, 8}, {"token", 0, 0, 0}};
  graph.tasks = {{.name = "potrf", .priority = 3, .accesses = {{0, AccessMode::readwrite}}, .flops = 2.5e8, .seconds = 0.0336},
                 {.name = "say \"hi\"\n", .after = {0}, .accesses = {{0, AccessMode::read}, {1, AccessMode::commute}}}};
  CHECK(observe::write_graph(graph) ==
        "mgraph 1\n"
        "datum \"A(0,0)\" 960 960 8\n"
        "datum \"token\" 0 0 0\n"
        "task \"potrf\" priority=3 access=rw:0 flops=250000000 seconds=0.0336\n"
        "task \"say \\\"hi\\\"\\n\" after=0 access=r:0,commute:1\n"
        "end 2 2\n");
  CHECK(observe::write_graph({}) == "mgraph 1\nend 0 0\n");
}

TEST_CASE("a graph that was written is read back as it was") {
  for (const std::uint64_t seed : test::seeds(100)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const TaskGraph graph = random_graph(random);
    check_equal(read(observe::write_graph(graph)), graph);
  }
}

TEST_CASE("a graph that could not be read back is not written") {
  TaskGraph graph;
  graph.tasks = {{.name = "a", .after = {0}}};
  CHECK_THROWS_WITH(observe::write_graph(graph), contains("task 0 ('a') comes after task 0"));
  graph.tasks = {{.name = "a", .accesses = {{0, AccessMode::read}}}};
  CHECK_THROWS_WITH(observe::write_graph(graph), contains("accesses datum 0 of 0"));
  graph.tasks = {{.name = "a", .seconds = -1}};
  CHECK_THROWS_WITH(observe::write_graph(graph), contains("seconds=-1"));
  graph.tasks = {{.name = "a", .flops = std::numeric_limits<double>::infinity()}};
  CHECK_THROWS_WITH(observe::write_graph(graph), contains("flops=inf"));
}

TEST_CASE("a file with a graph is replaced as a whole") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "mitra_test_graph_writer";
  std::filesystem::create_directory(folder);
  const std::string path = folder / "g.mgraph";
  std::ofstream(path) << "old";
  TaskGraph graph;
  graph.tasks = {{.name = "a"}};
  observe::check_graph_file(path);
  observe::write_graph_file(graph, path);
  check_equal(workloads::read_graph_file(path), graph);
  CHECK(workloads::read_graph_file(path).name == "g.mgraph");
  // A graph that cannot be written leaves the file as it was, and nothing beside it.
  graph.tasks[0].seconds = -1;
  CHECK_THROWS(observe::write_graph_file(graph, path));
  CHECK(workloads::read_graph_file(path).tasks.size() == 1);
  graph.tasks[0].seconds = 1;
  CHECK_THROWS_WITH(observe::write_graph_file(graph, folder), contains("rename"));
  CHECK(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()) == 1);
  std::filesystem::remove_all(folder);
  CHECK_THROWS_WITH(observe::write_graph_file(graph, path), contains("No such file or directory"));
  CHECK_THROWS_WITH(observe::check_graph_file(path), contains("No such file or directory"));
  CHECK_THROWS_WITH(observe::check_graph_file(std::filesystem::temp_directory_path()), contains("a directory"));
}

TEST_CASE("comments and empty lines of a graph file mean nothing") {
  const TaskGraph graph = read("# by hand\n\nmgraph 1\n  # data\ndatum \"x\" 1 1 8\r\ntask \"t\"\n\nend 1 1\n# over\n");
  CHECK(graph.data.size() == 1);
  CHECK(graph.tasks.at(0).name == "t");
}

TEST_CASE("broken files of recorded graphs say line and reason") {
  const auto refused = [](const std::string& text, const std::string& message) {
    CAPTURE(text);
    CHECK_THROWS_AS(read(text), Error);
    CHECK_THROWS_WITH(read(text), contains("g.mgraph:") && contains(message));
  };
  const std::string start = "mgraph 1\ndatum \"x\" 1 1 8\n";
  refused("", "the first line is `mgraph 1`");
  refused("graph 1\n", ":1: the first line is `mgraph 1`");
  refused("mgraph 2\n", "version 2 of the format; this program reads version 1");
  refused("mgraph 1 x\n", "the line is to end before 'x'");
  refused(start, ":2: the line `end` is missing");
  refused(start + "end 1000000000000 1\n", "the file ends with 1000000000000 data and 1 tasks, and has 1 and 0");
  refused(start + "end 1 0\ntask \"a\"\n", ":4: nothing follows the line `end`");
  refused(start + "edge 1 2\n", ":3: a line starts with datum, task, end or #, not with 'edge'");
  refused(start + "datum x 1 1 8\n", ":3: a name in double quotes is expected");
  refused(start + "datum \"x 1 1 8\n", "the name has no closing quote");
  refused(start + "datum \"x\\q\" 1 1 8\n", "a name has");
  refused(start + "datum \"x\\x1\" 1 1 8\n", "hexadecimal");
  refused(start + "datum \"x\\x", "hexadecimal");
  refused(start + "datum \"x\\", "no closing quote");
  refused(start + "datum \"x\"1 1 8\n", "a space is expected");
  refused(start + "datum \"x\" 1 1\n", "the size of an element is a whole number, not ''");
  refused(start + "datum \"x\" 1 1 8 9\n", "the line is to end before '9'");
  refused(start + "datum \"x\" -1 1 8\n", "the number of rows is a whole number, not '-1'");
  refused(start + "datum \"x\" 99999999999 99999999999 8\n", "more than 2^64 bytes");
  refused(start + "datum \"x\" 99999999999999999999 1 8\n", "not '99999999999999999999'");
  refused(start + "task \"a\" after=0\n", "task 0 comes after task 0, which is not above it");
  refused(start + "task \"a\"\ntask \"b\" after=0,\n", ":4: something is expected after the comma");
  refused(start + "task \"a\" after=\n", "a predecessor is a whole number, not ''");
  refused(start + "task \"a\" access=r:1\n", "datum 1 is not above the task; there are 1");
  refused(start + "task \"a\" access=x:0\n", "not 'x:0'");
  refused(start + "task \"a\" access=r\n", "an access is MODE:DATUM");
  refused(start + "task \"a\" seconds=-1\n", "seconds is a number of at least 0, not '-1'");
  refused(start + "task \"a\" seconds=nan\n", "not 'nan'");
  refused(start + "task \"a\" flops=1e999\n", "not '1e999'");
  refused(start + "task \"a\" priority=1.5\n", "priority is a whole number of 32 bits, not '1.5'");
  refused(start + "task \"a\" speed=3\n", "unknown field 'speed'; known: priority");
  refused(start + "task \"a\" fast\n", "a field KEY=VALUE is expected, not 'fast'");
}
