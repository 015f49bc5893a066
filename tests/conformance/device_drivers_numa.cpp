// The memories of NUMA domains, under the tests of device_drivers.cpp: of a machine that hwloc makes up.
#include <mitra/numa_driver.hpp>

#include "device_drivers.hpp"
#include "support/environment.hpp"

namespace {

using namespace mitra;

conformance::DeviceRig make(const conformance::WantedDevices& wanted) {
  const std::string domain = "numa:1(memory=" + std::to_string(wanted.memory.value) + ") core:1 pu:1";
  const test::Variable topology("HWLOC_SYNTHETIC", ("pack:" + std::to_string(wanted.devices + 1) + " " + domain).c_str());
  const test::Variable here("HWLOC_THISSYSTEM", "1");  // it asks the system to bind, which fails: no error
  NumaOptions options;
  for (unsigned d = 1; d <= wanted.devices; ++d) options.domains.push_back(static_cast<int>(d));
  return {nullptr, make_numa_driver(options), nullptr};
}

const bool added = conformance::add_device_driver({"numa", make, true});

}  // namespace
