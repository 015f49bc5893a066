// StarPU's files: the real ones of two machines, and everything that can be wrong with them.
#include <mitra/starpu_import.hpp>

#include <mitra/error.hpp>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "model/starpu_platform.hpp"
#include "support/catch.hpp"
#include "support/shared_data.hpp"

using namespace mitra;

namespace {

/// One combination with one device, written by hand.
std::string sampling(const std::string& entries, int count, const std::string& device = "0\n0\n1\n") {
  return "45\n1\n1\n" + device + "1\n" + std::to_string(count) +
         "\n0. 0. 0. 0. nan nan 0 0 0\nnan nan nan\n0\n" + entries;
}
const std::string kGemm960 = "24c84a50 11059200 1.769472e+09 8.778020e+04 9.598441e+02 2.889724e+08 2.536909e+13 3292\n";

const TimingRecord* find(const StarpuTimes& times, std::size_t n, const std::string& worker_class) {
  for (const TimingRecord& record : times.records)
    if (record.key.shapes.front().rows == n && record.key.worker_class == worker_class) return &record;
  return nullptr;
}

}  // namespace

TEST_CASE("footprints of square tiles are StarPU's") {
  CHECK(starpu_footprint(320, 3) == 0xd46431bb);
  CHECK(starpu_footprint(640, 3) == 0xf0ac7beb);
  CHECK(starpu_footprint(960, 3) == 0x24c84a50);
  CHECK(starpu_footprint(32, 3) == 0x6e96d715);
  CHECK(starpu_footprint(960, 1) == 0x617e5fe6);
  CHECK(starpu_footprint(960, 2) == 0xff82dda0);
}

TEST_CASE("symbols of StarPU mean codelets") {
  CHECK(starpu_codelet("chol_model_gemm") == "gemm");
  CHECK(starpu_codelet("starpu_dlu_lu_model_trsm_ll") == "trsm_ll");
  CHECK(starpu_codelet("starpu_slu_lu_model_getrf_atlas") == "getrf_atlas");
  CHECK(starpu_codelet("starpu_dgemm_gemm") == "dgemm_gemm");
  CHECK(starpu_codelet("null") == "null");
  CHECK(starpu_codelet("my_model_") == "my_model_");
}

TEST_CASE("a codelet file gives one record for each size and class") {
  const StarpuSampling found = parse_starpu_sampling(sampling(kGemm960, 1), "some/where/chol_model_gemm.mirage");
  CHECK(found.symbol == "chol_model_gemm");
  CHECK(found.host == "mirage");
  REQUIRE(found.entries.size() == 1);
  CHECK(found.entries[0].footprint == 0x24c84a50);
  CHECK(found.entries[0].mean == 8.778020e+04);
  const StarpuTimes times = convert_starpu_sampling(found);
  REQUIRE(times.records.size() == 1);
  CHECK(times.skipped.empty());
  CHECK(times.records[0].key.codelet == "gemm");
  CHECK(times.records[0].key.worker_class == "cpu");
  CHECK(times.records[0].key.shapes == std::vector<DataShape>(3, DataShape{960, 960, 4}));
  CHECK(times.records[0].imported->seconds.value == Approx(87.78020e-3));
  CHECK(times.records[0].imported->spread == Approx(9.598441e+02 / 8.778020e+04));
  CHECK(times.records[0].imported->count == 3292);
  CHECK(times.records[0].imported->flops == 1.769472e+09);
}

TEST_CASE("double precision is told from single by the footprint, and by flops where that is strange") {
  const auto shapes = [](const std::string& line, const char* file) {
    const StarpuTimes times = convert_starpu_sampling(parse_starpu_sampling(sampling(line, 1), file));
    return times.records.empty() ? std::vector<DataShape>() : times.records[0].key.shapes;
  };
  CHECK(shapes("24c84a50 22118400 1.769472e+09 1e5 1 1 1 1\n", "chol_model_gemm.h") ==
        std::vector<DataShape>(3, DataShape{960, 960, 8}));
  CHECK(shapes("00000000 22118400 1.769472e+09 1e5 1 1 1 1\n", "chol_model_gemm.h") ==
        std::vector<DataShape>(3, DataShape{960, 960, 8}));
  CHECK(shapes("00000000 22118400 1.0e+09 1e5 1 1 1 1\n", "chol_model_gemm.h").empty());
  CHECK(shapes("24c84a50 22118400 0 1e5 1 1 1 1\n", "other.h") == std::vector<DataShape>(3, DataShape{960, 960, 8}));
  CHECK(shapes("00000000 22118400 1.769472e+09 1e5 1 1 1 1\n", "other.h").empty());
}

TEST_CASE("what an import cannot use is said") {
  const auto skipped = [](const std::string& text, const char* file = "chol_model_gemm.h") {
    const StarpuTimes times = convert_starpu_sampling(parse_starpu_sampling(text, file));
    CHECK(times.records.empty());
    return times.skipped.empty() ? std::string() : times.skipped.front();
  };
  CHECK_THAT(skipped(sampling("deadbeef 1000 0 1e5 1 1 1 1\n", 1)), Catch::Contains("shapes"));
  CHECK_THAT(skipped(sampling(kGemm960, 1, "2\n0\n1\n")), Catch::Contains("only CPU, CUDA and HIP"));
  CHECK_THAT(skipped(sampling(kGemm960, 1, "0\n0\n4\n")), Catch::Contains("several"));
  CHECK_THAT(skipped("45\n1\n2\n0\n0\n1\n1\n0\n1\n1\n1\n0 0 0 0 0 0 0 0 0\nnan nan nan\n0\n" + kGemm960),
             Catch::Contains("several"));
  CHECK_THAT(skipped(sampling("24c84a50 11059200 1.7e+09 0 0 0 0 0\n", 1)), Catch::Contains("no time"));
}

TEST_CASE("the fastest implementation stands for a device, the mean over devices for a class") {
  const auto device = [](int id, const std::string& implementations) {
    return "1\n1\n" + std::to_string(id) + "\n1\n" + implementations;
  };
  const auto implementation = [](const std::string& mean) {
    return "1\n0 0 0 0 0 0 0 0 0\nnan nan nan\n0\n24c84a50 11059200 1.7e9 " + mean + " 0 1 1 10\n";
  };
  const std::string text = "45\n2\n" + device(0, "2\n" + implementation("300") + implementation("100")) +
                           device(1, "1\n" + implementation("200"));
  const StarpuTimes times = convert_starpu_sampling(parse_starpu_sampling(text, "chol_model_gemm.h"));
  REQUIRE(times.records.size() == 1);
  CHECK(times.records[0].key.worker_class == "gpu");
  CHECK(times.records[0].imported->seconds.value == Approx(150e-6));
  CHECK(times.records[0].imported->spread == Approx(50.0 / 150));
  CHECK(times.records[0].imported->count == 20);
}

TEST_CASE("codelet files of other shapes are refused with file, line and what was expected") {
  const std::string good = sampling(kGemm960, 1);
  struct Case {
    std::string text, says;
  };
  std::string without_nan = good, one_more = good + kGemm960;
  without_nan.erase(without_nan.find("nan nan nan\n"), 12);
  const Case cases[] = {
      {"", ":1: the file ends where version 45"},
      {"44\n", ":1: version 45"},
      {"# comment\n\n45\nmany\n", ":4: the number of combinations"},
      {"45\n99999999999999999999\n", ":2: the number of combinations"},
      // Fewer entries announced than there are, and a missing line of the non-linear regression: both have been shipped.
      {one_more, ":13: the file ends after the 1 combinations"},
      {without_nan, ":10: a, b and c"},
      {sampling(kGemm960, 2), ":12: the file ends where an entry"},
      {sampling("24c84a50 11059200 1 2 3\n", 1), ":12: an entry of 8 columns"},
      {sampling("24c84a5 11059200 1 2 3 4 5 6\n", 1), ":12: a hash of 8"},
      {sampling("24c84a5g 11059200 1 2 3 4 5 6\n", 1), ":12: a hash of 8"},
      {sampling("24c84a50 -1 1 2 3 4 5 6\n", 1), ":12: the size in bytes"},
      {sampling("24c84a50 1 1 nan 3 4 5 6\n", 1), ":12: the mean in us"},
      {sampling("24c84a50 1 1 -2 3 4 5 6\n", 1), ":12: the mean in us is not negative"},
      {sampling("24c84a50 1 1 2 3 4 5 6.5\n", 1), ":12: the number of measurements"},
      {sampling(kGemm960, 1, "0\n0\nx\n"), ":6: the number of cores"},
  };
  for (const Case& broken : cases) {
    INFO(broken.text);
    CHECK_THROWS_AS(parse_starpu_sampling(broken.text, "d/chol_model_gemm.h"), ConfigError);
    CHECK_THROWS_WITH(parse_starpu_sampling(broken.text, "d/chol_model_gemm.h"),
                      Catch::StartsWith("d/chol_model_gemm.h" + broken.says));
  }
  CHECK_THROWS_WITH(parse_starpu_sampling(good, "gemm"), Catch::Contains("SYMBOL.HOST"));
  CHECK_THROWS_WITH(read_starpu_sampling("/nowhere/a.b"), Catch::Contains("/nowhere/a.b"));
  CHECK_THROWS_AS(read_starpu_sampling("/"), ConfigError);
  // Old files have no column of flops; one number was once printed with a shorter exponent.
  CHECK(parse_starpu_sampling(sampling("24c84a50 11059200 8.7e+04 9.5 2.8e+08 5.002746e+6 3292\n", 1), "a.b").entries[0].flops == 0.0);
}

TEST_CASE("every real codelet file is read, and tile 960 is what has been published") {
  const std::string directory = test::shared_data("starpu/codelets/45");
  if (directory.empty()) return;
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    INFO(file.path());
    const StarpuSampling found = read_starpu_sampling(file.path().string());
    const StarpuTimes times = convert_starpu_sampling(found);
    CHECK(found.entries.size() == (found.host == "mirage" ? 16 : 20));
    CHECK(times.skipped.empty());
    CHECK(times.records.size() == 8);
    ++files;
  }
  CHECK(files == 8);

  // Milliseconds on a core and on the first GPU, as Chameleon's and StarPU's models print them.
  struct Published {
    const char *host, *codelet;
    double cpu, gpu;
  };
  constexpr Published published[] = {
      {"mirage", "potrf", 18.85, 5.37}, {"mirage", "trsm", 45.65, 6.39},  {"mirage", "syrk", 43.89, 1.403},
      {"mirage", "gemm", 87.78, 2.805}, {"sirocco", "potrf", 7.38, 8.46}, {"sirocco", "trsm", 17.76, 2.005},
      {"sirocco", "syrk", 17.47, .372}, {"sirocco", "gemm", 34.94, .743}};
  for (const Published& row : published) {
    const std::string path = directory + "/chol_model_" + row.codelet + "." + row.host;
    INFO(path);
    const StarpuSampling sampling = read_starpu_sampling(path);
    const StarpuTimes times = convert_starpu_sampling(sampling);
    REQUIRE(find(times, 960, "cpu") != nullptr);
    REQUIRE(find(times, 960, "gpu") != nullptr);
    CHECK(find(times, 960, "cpu")->key.shapes.front().element_size == 4);
    CHECK(find(times, 960, "cpu")->imported->seconds.value * 1e3 == Approx(row.cpu).epsilon(0.001));
    // The GPUs of a machine differ by up to 4 %.
    CHECK(find(times, 960, "gpu")->imported->seconds.value * 1e3 == Approx(row.gpu).epsilon(0.03));
    const auto first = std::ranges::find_if(sampling.entries, [&](const StarpuEntry& e) {
      return e.type == 1 && e.device == 0 && e.bytes == find(times, 960, "gpu")->key.shapes.size() * 960 * 960 * 4;
    });
    CHECK(first->mean * 1e-3 == Approx(row.gpu).epsilon(0.002));
  }
}

TEST_CASE("a machine is imported with its links, and without its platform file with one for each pair") {
  const std::string directory = test::shared_data("starpu");
  if (directory.empty()) return;
  std::vector<std::string> skipped;
  const MachineDescription sirocco = import_starpu_machine(directory, "sirocco", &skipped);
  CHECK(skipped.empty());
  REQUIRE(sirocco.classes.size() == 2);
  CHECK(sirocco.classes[0].name == "cpu");
  CHECK(sirocco.classes[0].count == 20);
  CHECK(sirocco.classes[1].name == "gpu");
  CHECK(sirocco.classes[1].count == 4);
  CHECK(sirocco.classes[1].kind == WorkerKind::hip);
  REQUIRE(sirocco.memories.size() == 5);
  CHECK(sirocco.memories[1].capacity == Bytes(12079136768));
  CHECK(sirocco.kernels.size() == 32);
  // 8 links of the host, 12 between GPUs, and the host's bus, which all of them cross.
  CHECK(sirocco.links.size() == 21);
  const Route up = sirocco.route(NodeId(0), NodeId(1));
  REQUIRE(up.links.size() == 2);
  CHECK(sirocco.links[up.links[0]].name == "RAM-CUDA0");
  CHECK(sirocco.links[up.links[0]].bandwidth == Approx(10517678844.27897));
  CHECK(sirocco.links[up.links[1]].name == "Host");
  CHECK(sirocco.route(NodeId(3), NodeId(0)).links[1] == up.links[1]);
  CHECK(up.latency.value == Approx(10e-6));

  const MachineDescription mirage = import_starpu_machine(directory, "mirage");
  CHECK(mirage.classes[0].count == 9);
  CHECK(mirage.classes[1].count == 3);
  for (const Route& route : mirage.local_routes)  // GPU to GPU crosses the host's bus twice in the file
    for (std::size_t i = 0; i < route.links.size(); ++i)
      CHECK(std::ranges::count(route.links, route.links[i]) == 1);

  const std::filesystem::path copy = std::filesystem::temp_directory_path() / ("mitra-starpu-" + std::to_string(getpid()));
  std::filesystem::create_directories(copy / "bus");
  for (const char* kind : {"config", "affinity", "bandwidth", "latency"})
    std::filesystem::copy_file(std::filesystem::path(directory) / "bus" / (std::string("sirocco.") + kind),
                               copy / "bus" / (std::string("sirocco.") + kind));
  const MachineDescription plain = import_starpu_machine(copy.string(), "sirocco");
  CHECK(plain.kernels.empty());
  CHECK(plain.links.size() == 20);
  CHECK(plain.links[plain.route(NodeId(0), NodeId(1)).links[0]].bandwidth == Approx(1.051768e10));
  CHECK(plain.route(NodeId(2), NodeId(1)).latency.value == Approx(1.167180e-05));

  const auto refused = [&](const char* kind, const std::string& text, const std::string& says) {
    const std::filesystem::path file = copy / "bus" / (std::string("sirocco.") + kind);
    const std::filesystem::path original = std::filesystem::path(directory) / "bus" / (std::string("sirocco.") + kind);
    std::ofstream(file) << text;
    INFO(kind << " " << text);
    CHECK_THROWS_AS(import_starpu_machine(copy.string(), "sirocco"), ConfigError);
    CHECK_THROWS_WITH(import_starpu_machine(copy.string(), "sirocco"), Catch::StartsWith(file.string() + ":" + says));
    std::filesystem::copy_file(original, file, std::filesystem::copy_options::overwrite_existing);
  };
  refused("config", "24 # Number of things\n", "1: a line `N # Number of CPUs`");
  refused("config", "2 # Number of CPUs\n4 # Number of CUDA devices\n", "1: ");
  refused("config", "many # Number of CPUs\n", "1: a number of devices");
  refused("affinity", "0 1\n2 1\n", "2: the row of GPU 1 is expected");
  refused("affinity", "0 1\n", "1: the file ends");
  refused("bandwidth", "0 1 2 3\n", "1: a row of bandwidths");
  refused("bandwidth", "0 1 2 3 nan\n", "1: bandwidths, a number");
  refused("bandwidth", "0 1 2 0 4\n", "1: bandwidths from memory 0 to 3");
  refused("latency", "0 1 2 3 -4\n", "1: latencies from memory 0 to 4");
  CHECK_THROWS_WITH(import_starpu_machine(directory, "nobody"), Catch::Contains("nobody.config"));
  std::filesystem::remove_all(copy);
}

TEST_CASE("platform files that are broken name file, line and reason") {
  const std::string link = "<link id=\"a\" bandwidth=\"5Bps\" latency=\"0.1s\"/>\n";
  const auto whole = [](const std::string& inside) { return "<platform version=\"4\">\n" + inside + "</platform>\n"; };
  const auto platform = model::parse_starpu_platform(
      "<?xml version='1.0'?>\n<!-- a\n comment -->\n" +
          whole(link + "<host id=\"G\"><prop id=\"memsize\" value=\"17\"/></host>\n<route src=\"R\" dst=\"G\"><link_ctn id=\"a\"/></route>"),
      "p");
  CHECK(platform.memory_size("G") == Bytes(17));
  CHECK(platform.has_host("G"));
  REQUIRE(platform.find_way("R", "G") != nullptr);
  CHECK(platform.find_way("G", "R")->links == std::vector<std::string>{"a"});  // symmetrical unless it says NO
  CHECK(platform.link("a").bandwidth == 5.0);

  const std::pair<std::string, std::string> cases[] = {
      {"", "1: the file ends where </platform>"},
      {whole("<link id=\"a\" bandwidth=\"5\" latency=\"0s\"/>"), "2: bandwidth=\"5\": a number with the unit Bps"},
      {whole("<link id=\"a\" bandwidth=\"0Bps\" latency=\"0s\"/>"), "2: a link of 0 Bps"},
      {whole("<link bandwidth=\"5Bps\" latency=\"0s\"/>"), "2: <link> without id"},
      {whole(link + link), "3: a second link"},
      {whole("<route src=\"a\" dst=\"b\"><link_ctn id=\"x\"/></route>"), "2: there is no link 'x'"},
      {whole("<link_ctn id=\"x\"/>"), "2: <link_ctn> outside"},
      {whole("</route>"), "2: no <route> is open"},
      {whole("<link id=a/>"), "2: a value in quotes"},
      {whole("<link id=\"a"), "2: "},
      {whole("< link/>"), "2: a name is expected"},
      {"<!-- never closed", "1: the file ends where -->"},
      {whole("") + link, "3: nothing is expected behind"},
  };
  for (const auto& [text, says] : cases) {
    INFO(text);
    CHECK_THROWS_AS(model::parse_starpu_platform(text, "p.xml"), ConfigError);
    CHECK_THROWS_WITH(model::parse_starpu_platform(text, "p.xml"), Catch::StartsWith("p.xml:" + says));
  }
}
