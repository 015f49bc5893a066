// The parser of machine files: whatever the text, it gives a machine or a ConfigError.
#include <chrono>
#include <mitra/error.hpp>
#include <mitra/machine_file.hpp>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "support/scale.hpp"

using namespace mitra;

namespace {

struct Outcomes {
  std::size_t machines = 0, refusals = 0;
};

/// Reads the text; what is a machine is seen by policies, and survives being written.
void feed(const std::string& text, Outcomes& outcomes) {
  MachineDescription machine;
  try {
    machine = parse_machine(text, "fuzz.toml");
  } catch (const ConfigError& error) {
    ++outcomes.refusals;
    if (std::string_view(error.what()).find(".toml:") == std::string_view::npos) FAIL("no file and line: " << error.what());
    return;
  } catch (const std::exception& error) {
    FAIL("not a ConfigError: " << error.what() << "\n" << text);
  }
  ++outcomes.machines;
  std::size_t workers = 0;
  for (const WorkerClassDescription& c : machine.classes) workers += c.count;
  if (machine.local_routes.size() != std::size_t{machine.memories_per_node} * machine.memories_per_node) FAIL("routes are missing\n" << text);
  if (workers * machine.compute_nodes > 20'000 || machine.links.size() > 20'000) return;  // the rest costs time only
  if (to_machine(machine).workers.size() != workers * machine.compute_nodes) FAIL("workers are missing\n" << text);
  const std::string written = write_machine_file(machine);
  try {
    if (write_machine_file(parse_machine(written, "written.toml")) != written) FAIL("written, it is another machine\n" << text);
  } catch (const ConfigError& error) {
    FAIL("what was written is refused: " << error.what() << "\n" << text << "\n----\n" << written);
  }
}

std::string mutated(std::string text, const std::vector<ShippedMachine>& machines, test::Random& random) {
  static const std::vector<std::string> words{"0", "-1", "1e308", "nan", "inf", "\"\"", "[", "]", "{", "}", "=", "\"", "'", "\n", "#", ".", "\"\"\"",
                                              "99999999999999999999", "65536", "true", "[[link]]", "[class.cpu]", "network", "value", "source", "\\u0000", "\xff",
                                              "extends = \"mirage\"\n", "compute_nodes = 3\n", "package = 2\n", "shared = \"all\"\n", "\"1 GB/s\"", "count = 7\n"};
  for (int edits = random.between(1, 6); edits > 0 && !text.empty(); --edits) {
    const std::size_t at = random.below(text.size());
    switch (random.below(7)) {
      case 0: text[at] = static_cast<char>(random.next()); break;
      case 1: text.erase(at, random.below(40)); break;
      case 2: text.insert(at, random.pick(words)); break;
      case 3: {  // a line is lost, or said twice
        const std::size_t begin = text.rfind('\n', at) + 1, end = text.find('\n', begin);
        if (end == std::string::npos) break;
        const std::string line = text.substr(begin, end + 1 - begin);
        if (random.chance(0.5)) text.erase(begin, line.size());
        else text.insert(random.chance(0.5) ? begin : 0, line);
        break;
      }
      case 4: {  // digits change most of what is valid
        const std::size_t digit = text.find_first_of("0123456789", at);
        if (digit != std::string::npos) text[digit] = static_cast<char>('0' + random.below(10));
        break;
      }
      case 5: {
        const std::string_view other = random.pick(machines).text;
        const std::size_t from = random.below(other.size());
        text.insert(text.rfind('\n', at) + 1, std::string(other.substr(from, random.below(200))));
        break;
      }
      default: text.resize(at);
    }
  }
  return text;
}

}  // namespace

TEST_CASE("mutated machine files give a machine or a ConfigError") {
  const std::vector<ShippedMachine> machines = shipped_machines();
  const std::size_t rounds = test::scaled(1000);
  Outcomes outcomes;
  for (const std::uint64_t seed : test::seeds(2)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    for (std::size_t i = 0; i < rounds; ++i) feed(mutated(std::string(random.pick(machines).text), machines, random), outcomes);
  }
  CHECK(outcomes.machines > outcomes.refusals / 50);  // the mutations are gentle enough to reach everything
  CHECK(outcomes.refusals > outcomes.machines / 50);
}

TEST_CASE("random bytes and random TOML give a ConfigError") {
  const std::string_view alphabet = "[]{}=\".',#\n\t 019azAZ_-\\\xc3\xa9\xff";
  Outcomes outcomes;
  for (const std::uint64_t seed : test::seeds(2)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    for (std::size_t i = 0; i < test::scaled(4000); ++i) {
      std::string text;
      for (std::size_t n = random.below(300); n > 0; --n)
        text += random.chance(0.9) ? alphabet[random.below(alphabet.size())] : static_cast<char>(random.next());
      feed(text, outcomes);
    }
  }
  CHECK(outcomes.machines == 0);
}
