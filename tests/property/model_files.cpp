// Files of models, changed at random: a reader gives a value or a ConfigError, and nothing else.
#include <mitra/error.hpp>
#include <mitra/model_store.hpp>
#include <mitra/starpu_import.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "model/starpu_platform.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

using namespace mitra;

namespace {

const std::string kModels = R"(# a comment
format = 1
machine = "node7"

[[timing]]
codelet = "gemm"
class = "cpu"
power_state = "cap 200 W"
data = ["960x960 of 8 B", "960x960 of 8 B", "1x3 of 4 B"]
flops = 1769472000
count = 70
samples_s = [0.1728, 1e-3, 0.2, 3.5e-05]

[[timing]]
codelet = "potrf"
class = "gpu"
data = []
count = 0
samples_s = []
imported = { mean_s = 0.0028, spread = 0.025, count = 13129, flops = 1.77e9, origin = "chol_model_gemm.mirage" }
)";

const std::string kSampling = R"(##################
# Performance Model Version
45

2
1
0
0
1
1
2
# sumlnx	sumlnx2		sumlny		sumlnxlny	alpha		beta		n	minx		maxx
0.000000e+00   	0.000000e+00   	0.000000e+00   	0.000000e+00   	nan            	nan            	0	0              	0
nan            	nan            	nan
2 1.5 -2.5
24c84a50	11059200       	1.769472e+09   	8.778020e+04   	9.598441e+02   	2.889724e+08   	2.536909e+13   	3292
d46431bb	1228800        	6.553600e+07   	3.262643e+03   	7.810468e+01   	1.532463e+07   	5.002746e+10   	4697
1
1
2
1
1
1
0 0 0 0 0 0 0 0 0
nan nan nan
0
d46431bb	1228800        	2.011248e+02   	1.498037e+01   	1.633334e+06   	3.303264e+08   	8121
)";

const std::string kPlatform = R"(<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "simgrid.dtd">
<platform version="4">
 <config id="General"><prop id="network/TCP-gamma" value="-1"></prop></config>
 <AS id="AS0" routing="Full">
  <host id="CUDA0" speed="2000000000f"><prop id="memsize" value="5636554752"/></host>
  <host id="RAM" speed="1f"/> <!-- memory -->
  <link id="Host" bandwidth="6517450307.894589Bps" latency="0.000000s"/>
  <link id="RAM-CUDA0" bandwidth="6010679672.23Bps" latency="0.000010s"/>
  <route src="RAM" dst="CUDA0" symmetrical="NO"><link_ctn id="RAM-CUDA0"/><link_ctn id="Host"/></route>
  <route src="CUDA0" dst="RAM"><link_ctn id="Host"/></route>
 </AS>
</platform>
)";

const std::vector<std::string> kPieces = {"nan", "-1", "1e999", "0", "99999999999999999999", "\n", "\0", "\"", "[[", "]]", "=", "<", ">", "/>", "<!--",
                                          "45", "#", "x", " of ", " B", "\xff\xfe", "{", "}", "'", "\\", "[[timing]]\n", "</platform>", "4294967296"};

std::string changed(std::string text, test::Random& random) {
  for (std::size_t changes = 1 + random.below(6); changes > 0; --changes) {
    const std::size_t at = random.below(text.size() + 1), length = std::min(text.size() - at, random.below(30));
    switch (random.below(6)) {
      case 0: text.erase(at, length); break;
      case 1: text.insert(at, random.pick(kPieces)); break;
      case 2: text.insert(at, text.substr(random.below(text.size() + 1), random.below(40))); break;
      case 3: text.resize(at); break;
      case 4:
        if (at < text.size()) text[at] = static_cast<char>(random.below(256));
        break;
      default: text.replace(at, length, random.pick(kPieces));
    }
  }
  return text;
}

/// Gives changed texts to `read`, for at most so many seconds; `read` throws ConfigError or returns.
template <class Read>
void fuzz(const std::string& original, double seconds, Read&& read) {
  const std::size_t rounds = test::scaled(20000);
  std::size_t accepted = 0, refused = 0;
  for (const std::uint64_t seed : test::seeds(1)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < rounds && std::chrono::steady_clock::now() - start < std::chrono::duration<double>(seconds); ++i) {
      const std::string text = changed(original, random);
      try {
        read(text);
        ++accepted;
      } catch (const ConfigError& error) {
        ++refused;
        if (std::string_view(error.what()).empty()) FAIL("a refusal says nothing");
      } catch (const std::exception& error) {
        FAIL("round " << i << ": " << error.what() << "\n" << text);
      }
    }
  }
  // Both have to happen, or the changes are too small or too large to try anything.
  CHECK(accepted > 0);
  CHECK(refused > 0);
}

}  // namespace

TEST_CASE("fuzzed model files are read, or refused with a reason") {
  fuzz(kModels, 1.0, [](const std::string& text) {
    const ModelSet set = parse_models(text, "models.toml");
    // What has been read can be written, and read again as the same.
    const std::string written = write_models(set);
    REQUIRE(write_models(parse_models(written, "again.toml")) == written);
  });
}

TEST_CASE("fuzzed StarPU codelet files are read, or refused with a reason") {
  fuzz(kSampling, 1.0, [](const std::string& text) {
    for (const TimingRecord& record : convert_starpu_sampling(parse_starpu_sampling(text, "chol_model_gemm.host")).records)
      REQUIRE(record.imported->seconds.value > 0.0);
  });
}

TEST_CASE("fuzzed StarPU platform files are read, or refused with a reason") {
  fuzz(kPlatform, 1.0, [](const std::string& text) { static_cast<void>(model::parse_starpu_platform(text, "platform.xml")); });
}

TEST_CASE("fuzzed StarPU bus files are read, or refused with a reason") {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("mitra-fuzz-bus-" + std::to_string(getpid()));
  std::filesystem::create_directories(root / "bus");
  const std::pair<std::string, std::string> files[] = {
      {"config", "# Current configuration\n3 # Number of CPUs\n2 # Number of CUDA devices\n0 # Number of OpenCL devices\n"},
      {"affinity", "# GPU\tCPU0\tCPU1\n0\t0\t1\t2\n1\t2\t1\t0\n"},
      {"bandwidth", "# to 0\tto 1\n0\t10.5\t11\tnan\n1.2e4\t0\t7.5\tnan\n5\t6\t0\tnan\nnan\tnan\tnan\tnan\n"},
      {"latency", "0\t1.5\t2\tnan\n3\t0\t4\tnan\n5\t6\t0\tnan\n"},
      {"platform.v4.xml", kPlatform}};
  const auto put = [&](const std::string& kind, const std::string& text) {
    std::ofstream(root / "bus" / ("host." + kind), std::ios::binary) << text;
  };
  for (std::size_t i = 0; i + 1 < std::size(files); ++i) {
    for (const auto& [kind, text] : files) put(kind, text);
    std::filesystem::remove(root / "bus" / "host.platform.v4.xml");
    fuzz(files[i].second, 0.25, [&](const std::string& text) {
      put(files[i].first, text);
      const MachineDescription machine = import_starpu_machine(root.string(), "host");
      for (const LinkDescription& link : machine.links) REQUIRE(link.bandwidth > 0.0);
    });
  }
  std::filesystem::remove_all(root);
}
