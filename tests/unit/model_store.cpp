// The model file: what is written comes back, processes merge, broken files are refused and kept.
#include <mitra/model_store.hpp>

#include <mitra/error.hpp>

#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/catch.hpp"

using namespace mitra;

namespace {

/// A directory that goes with the test.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "mitra-models-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TimingRecord record(std::string codelet, int samples, double seconds) {
  TimingRecord result{{std::move(codelet), {{960, 960, 8}, {1, 3, 4}}, "cpu", {}, 1.5e9}, 0, {}, {}};
  for (int i = 0; i < samples; ++i) add_sample(result, Seconds(seconds * (1 + 0.001 * i)));
  return result;
}

ModelSet sample_set() {
  ModelSet set{"node7", {}};
  TimingRecord odd = record("a \"quoted\" \\ name\twith\ncontrol \x01", 3, 1.0 / 3.0);
  odd.key.power_state = "cap 200 W";
  odd.key.shapes.clear();
  odd.key.flops = 0.0;
  TimingRecord imported{{"gemm", {{320, 320, 4}}, "gpu", {}, 0.0}, 0, {}, ImportedTime{Seconds(2.8e-3), 0.025, 13129, 1.77e9, "chol_model_gemm.mirage"}};
  merge_into(set, {record("gemm", 100, 0.1728), record("potrf", 4, 1e-7), odd, imported});
  return set;
}

void check_equal(const ModelSet& a, const ModelSet& b) {
  CHECK(a.machine == b.machine);
  REQUIRE(a.records.size() == b.records.size());
  for (std::size_t i = 0; i < a.records.size(); ++i) {
    CHECK(a.records[i].key == b.records[i].key);
    CHECK(a.records[i].count == b.records[i].count);
    CHECK(a.records[i].samples == b.records[i].samples);
    REQUIRE(a.records[i].imported.has_value() == b.records[i].imported.has_value());
    if (!a.records[i].imported) continue;
    CHECK(a.records[i].imported->seconds == b.records[i].imported->seconds);
    CHECK(a.records[i].imported->spread == b.records[i].imported->spread);
    CHECK(a.records[i].imported->count == b.records[i].imported->count);
    CHECK(a.records[i].imported->flops == b.records[i].imported->flops);
    CHECK(a.records[i].imported->origin == b.records[i].imported->origin);
  }
}

const std::string kHead = "format = 1\nmachine = \"m\"\n";
const std::string kTiming = "[[timing]]\ncodelet = \"f\"\nclass = \"cpu\"\n";
const std::string kRest = "data = [\"2x3 of 8 B\"]\ncount = 1\nsamples_s = [1.0]\n";

}  // namespace

TEST_CASE("a model file says what was written into it") {
  const ModelSet set = sample_set();
  const std::string text = write_models(set);
  check_equal(parse_models(text, "a.toml"), set);
  CHECK(write_models(parse_models(text, "a.toml")) == text);
  check_equal(parse_models(write_models({"empty", {}}), "b.toml"), {"empty", {}});
}

TEST_CASE("records of equal keys are merged, others sorted in") {
  ModelSet set = sample_set();
  const std::size_t before = set.records.size();
  merge_into(set, {record("gemm", 10, 0.2), record("aaa", 1, 1.0)});
  CHECK(set.records.size() == before + 1);
  CHECK(std::is_sorted(set.records.begin(), set.records.end(),
                       [](const TimingRecord& a, const TimingRecord& b) { return a.key < b.key; }));
  for (const TimingRecord& r : set.records)
    if (r.key == record("gemm", 0, 0).key) CHECK(r.count == 110);
}

TEST_CASE("broken model files name file, line and reason") {
  struct Case {
    std::string text, line, reason;
  };
  const Case cases[] = {
      {"", ":1:", "'format' is missing"},
      {"format = 2\n", ":1:", "format 2 is newer than 1"},
      {"format = 0\n", ":1:", "no format 0"},
      {"format = \"1\"\n", ":1:", "'format' is a whole number"},
      {"format = 1\n", ":1:", "'machine' is missing"},
      {"format = 1\nmachine = 7\n", ":2:", "'machine' is a text"},
      {kHead + "color = 3\n", ":3:", "unknown key 'color'; known: format, machine, timing"},
      {kHead + "timing = 3\n", ":3:", "[[timing]] sections"},
      {kHead + "timing = [3]\n", ":3:", "a [[timing]] section"},
      {kHead + "[[timing]]\nclass = \"cpu\"\n" + kRest, ":3:", "'codelet' is missing"},
      {kHead + kTiming + "count = 1\nsamples_s = []\n", ":3:", "'data' is missing"},
      {kHead + kTiming + "data = [\"2x3\"]\ncount = 0\nsamples_s = []\n", ":6:", "ROWSxCOLS of BYTES B"},
      {kHead + kTiming + "data = [7]\ncount = 0\nsamples_s = []\n", ":6:", "ROWSxCOLS of BYTES B"},
      {kHead + kTiming + "data = []\ncount = 0\nsamples_s = [1.0]\n", ":7:", "count = 0, and there are 1 samples"},
      {kHead + kTiming + "data = []\ncount = 1\nsamples_s = [-1.0]\n", ":8:", "'samples_s' is made of numbers"},
      {kHead + kTiming + "data = []\ncount = 1\nsamples_s = [nan]\n", ":8:", "'samples_s' is made of numbers"},
      {kHead + kTiming + "data = []\ncount = -1\nsamples_s = []\n", ":7:", "'count' is a whole number"},
      {kHead + kTiming + kRest + "imported = 3\n", ":9:", "imported = {"},
      {kHead + kTiming + kRest + "imported = { mean_s = 1.0 }\n", ":9:", "'spread' is missing"},
      {kHead + kTiming + kRest + "speed = 3\n", ":9:", "unknown key 'speed'"},
      {kHead + kTiming + kRest + kTiming + kRest, ":3:", "two timings of 'f'"},
      {kHead + "[[timing\n", ":3:", "no TOML"},
      {kHead + "a" + std::string(100000, '.') + "b = 1\n", ":3:", ""},
  };
  for (const Case& broken : cases) {
    INFO(broken.text);
    CHECK_THROWS_AS(parse_models(broken.text, "dir/models.toml"), ConfigError);
    CHECK_THROWS_WITH(parse_models(broken.text, "dir/models.toml"),
                      Catch::StartsWith("dir/models.toml" + broken.line) && Catch::Contains(broken.reason));
  }
}

TEST_CASE("merging creates the file and its directory, and adds up") {
  const Directory directory;
  const std::string path = directory.file("deep/down/models.toml");
  merge_models(path, sample_set());
  check_equal(load_models(path), sample_set());
  merge_models(path, {"node7", {record("gemm", 10, 0.2)}});
  for (const TimingRecord& r : load_models(path).records)
    if (r.key == record("gemm", 0, 0).key) CHECK(r.count == 110);
  CHECK_THROWS_WITH(load_models(directory.file("none.toml")), Catch::Contains("none.toml"));
}

TEST_CASE("a broken, newer or foreign file is refused, and stays as it is") {
  const Directory directory;
  const std::string path = directory.file("models.toml");
  for (const std::string& text : {std::string("format = 99\nfuture = true\n"), std::string("garbage"), std::string(),
                                  std::string("format = 1\nmachine = \"another\"\n")}) {
    std::ofstream(path) << text;
    CHECK_THROWS_AS(merge_models(path, sample_set()), ConfigError);
    CHECK(content(path) == text);
  }
  CHECK_THROWS_WITH(merge_models(path, sample_set()), Catch::Contains("'another'") && Catch::Contains("'node7'"));
  // What could not be read again is not written.
  std::filesystem::remove(path);
  CHECK_THROWS_AS(merge_models(path, {"node7", {record("\xff not UTF-8", 1, 1.0)}}), ConfigError);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("two processes that merge at the same time lose nothing") {
  const Directory directory;
  const std::string path = directory.file("models.toml");
  constexpr int rounds = 25;
  std::vector<pid_t> children;
  for (int child = 0; child < 2; ++child) {
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      int status = 0;
      try {
        for (int i = 0; i < rounds; ++i)
          merge_models(path, {"node7", {record("shared", 1, 1.0), record("own" + std::to_string(child), 1, 1.0)}});
      } catch (...) {
        status = 1;
      }
      _exit(status);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children) {
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
  }
  const ModelSet all = load_models(path);
  REQUIRE(all.records.size() == 3);
  CHECK(all.records[0].count == rounds);
  CHECK(all.records[1].count == rounds);
  CHECK(all.records[2].count == 2 * rounds);
}

TEST_CASE("who merges waits for the lock") {
  const Directory directory;
  const std::string path = directory.file("models.toml");
  const int lock = open((path + ".lock").c_str(), O_RDWR | O_CREAT, 0666);
  REQUIRE(lock >= 0);
  REQUIRE(flock(lock, LOCK_EX) == 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    close(lock);
    try {
      merge_models(path, sample_set());
      _exit(0);
    } catch (...) {
      _exit(1);
    }
  }
  usleep(50'000);
  CHECK_FALSE(std::filesystem::exists(path));
  close(lock);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("models lie in the cache directory, one file a machine") {
  CHECK(default_models_path("/cache", "/home/a", "node7") == "/cache/mitra/models-node7.toml");
  CHECK(default_models_path("", "/home/a", "node7") == "/home/a/.cache/mitra/models-node7.toml");
  CHECK(default_models_path("/cache", "", "../../etc/x") == "/cache/mitra/models-.._.._etc_x.toml");
  CHECK_THROWS_AS(default_models_path("", "", "node7"), ConfigError);
  CHECK_FALSE(host_name().empty());
}
