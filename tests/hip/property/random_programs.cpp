// Random programs with `.hip` bodies on the double of HIP, under every policy, from one device to eight, with memories from ample
// to one task's data, and with faults: what is left in the end is what the sequential execution leaves.
#include <mitra/hip_driver.hpp>
#include <mitra/registry.hpp>

#include "hip_double/hip_double.hpp"
#include "property/execution.hpp"
#include "property/settings.hpp"

using namespace mitra;
using namespace mitra::property;
using test::HipDouble;
using test::HipDoubleOptions;
using test::HipFault;

namespace {

/// A machine of its own: hardware, and a Runtime on it.
struct Machine {
  Machine(const std::string& policy, HipDoubleOptions hardware, std::uint64_t memory, unsigned streams, unsigned pipeline)
      : hip(std::move(hardware)),
        functions{[this](void* stream, std::function<void()> f) { hip.enqueue(stream, std::move(f)); },
                  [this](const void* address) { return hip.touch(address); }, [this] { hip.settle(); }},
        config(test::with_workers(2, policy)) {
    HipOptions options;
    options.memory = Bytes(memory);
    options.streams = streams;
    options.pipeline = pipeline;
    options.staging = Bytes(64);
    options.piece = Bytes(64);
    options.functions = hip.functions();
    config.devices.push_back([options] { return make_hip_driver(options); });
  }
  auto problems_of_run() {
    return [this](Runtime& rt, const Program& program) { return property::problems_of_run(rt, program, &functions); };
  }
  auto wrong_values_of_run() {
    return [this](Runtime& rt, const Program& program) { return property::wrong_values_of_run(rt, program, &functions); };
  }

  HipDouble hip;
  const StreamFunctions functions;
  Config config;
};

/// Bodies on streams have no children, and do not wait.
Program flat_program(std::uint64_t seed) {
  Program program = random_program(seed, {.tasks = 150, .nested = false});
  for (TaskSpec& task : program.tasks) task.waits = false;
  return program;
}

void run_everywhere(std::uint64_t seeds) {
  struct Hardware {
    int devices;
    std::uint64_t memory;  // the largest working set: 12 data of 8 bytes, a scratch buffer of 192
    unsigned streams, pipeline;
    bool peers;
  };
  std::size_t kernels = 0;
  for (const PolicyInfo* policy : schedulers())
    for (const Hardware& h : {Hardware{1, 288, 1, 2, true}, {2, 1 << 20, 2, 5, true}, {3, 320, 2, 2, true}, {8, 290, 1, 3, false}}) {
      HipDoubleOptions hardware;
      hardware.devices = h.devices;
      if (!h.peers) hardware.peers = [](int, int) { return false; };
      Machine machine(policy->name, hardware, h.memory, h.streams, h.pipeline);
      {
        Runtime rt(machine.config);
        for (const std::uint64_t seed : test::seeds(seeds)) {
          MITRA_INFO_SEED(seed);
          INFO(policy->name << " on " << h.devices << " devices of " << h.memory << " bytes");
          expect_well(rt, flat_program(seed), machine.problems_of_run());
        }
      }
      for (const auto& executed : machine.hip.executed()) kernels += executed.kind == HipDouble::Executed::Kind::kernel;
      CHECK(machine.hip.complaints() == std::vector<std::string>());
      CHECK(machine.hip.left_over() == 0);
    }
  CHECK(kernels > 100 * seeds);
}

/// One fault or two, at any call: memory that is not there, copies and kernels that fail, devices that are lost.
void run_with_faults(std::uint64_t seeds) {
  std::uint64_t lost = 0, recomputed = 0;
  const auto policies = schedulers();
  for (const std::uint64_t seed : test::seeds(seeds)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    HipDoubleOptions hardware;
    hardware.devices = static_cast<int>(1 + random.below(4));
    hardware.seed = seed;
    for (std::size_t i = 1 + random.below(2); i > 0; --i) {
      const HipFault kinds[] = {{"kernel", 0, hipErrorLaunchFailure},
                                {"copy", 0, hipErrorIllegalAddress},
                                {"hipMalloc", 0, hipErrorOutOfMemory},
                                {"hipMemcpyAsync", 0, hipErrorLaunchFailure},
                                {"enqueue", 0, hipErrorLaunchFailure}};
      HipFault fault = kinds[random.below(std::size(kinds))];
      fault.call = 1 + random.below(fault.function == "hipMalloc" ? 5 : 60);
      fault.device = static_cast<int>(random.below(static_cast<std::uint64_t>(hardware.devices)));
      hardware.faults.push_back(fault);
    }
    Machine machine(policies[random.below(policies.size())]->name, hardware, random.chance(0.3) ? 300 : 1 << 20, 2, 3);
    std::string faults;
    for (const HipFault& fault : hardware.faults)
      faults += detail::message(faults.empty() ? "" : ", ", fault.function, " at call ", fault.call, " of device ", fault.device);
    INFO(machine.config.scheduler << " on " << hardware.devices << " devices, of which fail: " << faults);
    Runtime rt(machine.config);
    expect_well(rt, flat_program(seed), machine.wrong_values_of_run());
    lost += rt.statistics().lost_devices;
    recomputed += rt.statistics().recomputed;
  }
  CHECK(lost > seeds / 10);
  CHECK(recomputed > seeds / 40);
}

}  // namespace

TEST_CASE("hip: random programs run on the double as in sequence") { run_everywhere(test::kSanitized ? 2 : 8); }
TEST_CASE("hip: random programs run as in sequence where calls of HIP fail") { run_with_faults(test::kSanitized ? 30 : 300); }
TEST_CASE("hip: many random programs run on the double as in sequence", "[.nightly]") {
  run_everywhere(200);
  run_with_faults(10000);
}
