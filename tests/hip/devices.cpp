// What the HIP driver finds, and what it says where it finds nothing.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <mitra/error.hpp>

#include "rig.hpp"

using namespace mitra;
using namespace mitra::test;

TEST_CASE("hip: devices are described") {
  HipRig rig({}, {});
  const auto devices = rig.driver->devices();
  REQUIRE(devices.size() == 2);
  CHECK(rig.driver->name() == "hip");
  CHECK(rig.driver->implementation() == WorkerKind::hip);
  CHECK(rig.driver->remark().empty());
  CHECK(devices[1].name == "Double of a GPU (1)");
  CHECK(devices[0].worker_class == "hip-gfx90a");
  CHECK(devices[0].capacity == Bytes((std::uint64_t{256} << 20) / 10 * 9));
  CHECK(devices[0].streams == 4);
  CHECK(devices[0].pipeline == 8);
  CHECK(devices[0].power_domain == "pci 0000:c1:00");
  CHECK(devices[1].power_domain == "pci 0000:c2:00");
  CHECK(rig.driver->joined(0, 1));
  rig.end_cleanly();
}

TEST_CASE("hip: a limit of memory holds, and the free memory does") {
  HipOptions options;
  options.memory = Bytes(1 << 20);
  HipRig rig({}, options);
  CHECK(rig.driver->devices()[0].capacity == Bytes(1 << 20));
  std::byte *first = nullptr, *second = nullptr;
  CHECK(rig.driver->allocate(0, Bytes(700'000), first).ok());
  const DeviceResult result = rig.driver->allocate(0, Bytes(700'000), second);
  CHECK(result.status == DeviceStatus::out_of_memory);
  CHECK_THAT(result.text, contains("700000 of 1048576 are in use"));
  CHECK(rig.driver->allocate(1, Bytes(700'000), second).ok());
  rig.driver->release(0, first, Bytes(700'000));
  rig.driver->release(1, second, Bytes(700'000));
  options.memory = Bytes(std::uint64_t{1} << 40);
  HipRig large({}, options);
  CHECK(large.driver->devices()[0].capacity == Bytes(std::uint64_t{256} << 20));
}

TEST_CASE("hip: compute partitions of one GPU share a power cap") {
  HipDoubleOptions hardware;
  hardware.devices = 4;
  hardware.bus_id = [](int device) {
    return device < 2 ? std::string("0000:C1:00.0") : "0000:C2:00." + std::to_string(device);
  };
  HipRig rig(hardware);
  const auto devices = rig.driver->devices();
  CHECK(devices[0].power_domain == devices[1].power_domain);
  CHECK(devices[2].power_domain == devices[3].power_domain);
  CHECK(devices[0].power_domain != devices[2].power_domain);
}

TEST_CASE("hip: the NUMA domain is that of the PCI device") {
  const auto root = std::filesystem::temp_directory_path() / ("mitra-hip-" + std::to_string(getpid()));
  std::filesystem::create_directories(root / "bus/pci/devices/0000:c1:00.0");
  std::filesystem::create_directories(root / "bus/pci/devices/0000:c2:00.0");
  std::ofstream(root / "bus/pci/devices/0000:c1:00.0/numa_node") << "3\n";
  std::ofstream(root / "bus/pci/devices/0000:c2:00.0/numa_node") << "-1\n";
  HipDoubleOptions hardware;
  hardware.bus_id = [](int device) { return device == 0 ? "0000:C1:00.0" : "0000:C2:00.0"; };
  HipOptions options;
  options.sysfs = root.string();
  HipRig rig(hardware, options);
  CHECK(rig.driver->devices()[0].numa_domain == 3);
  CHECK(rig.driver->devices()[1].numa_domain == 0);
  std::filesystem::remove_all(root);
}

TEST_CASE("hip: no device is a normal state") {
  HipDoubleOptions hardware;
  hardware.devices = 0;
  HipRig rig(hardware);
  CHECK(rig.driver->devices().empty());
  CHECK(rig.driver->remark() == "HIP: no GPU is used, hipGetDeviceCount finds none (hipErrorNoDevice)");
  CHECK(rig.driver->allocate_host(Bytes(100)) == nullptr);
  CHECK(rig.hip.calls("hipSetDevice") == 0);
}

TEST_CASE("hip: no library is a normal state") {
  HipOptions options;
  options.gate = "/nowhere/kfd";
  CHECK_THAT(std::string(make_hip_driver(options)->remark()), contains("there is no /nowhere/kfd"));
  options.gate.clear();
  options.library = "/nowhere/libamdhip64.so";
  const auto driver = make_hip_driver(options);
  CHECK(driver->devices().empty());
  CHECK_THAT(std::string(driver->remark()), contains("/nowhere/libamdhip64.so"));
  options.library = "libc.so.6";
  const auto other = make_hip_driver(options);
  CHECK(other->devices().empty());
  CHECK_THAT(std::string(other->remark()), contains("has no function hip"));
}

TEST_CASE("hip: options out of their range are refused") {
  const auto with = [](auto set) {
    HipOptions options;
    set(options);
    make_hip_driver(options);
  };
  CHECK_THROWS_WITH(with([](HipOptions& o) { o.streams = 0; }), contains("streams=0; 1 to 64 are possible"));
  CHECK_THROWS_WITH(with([](HipOptions& o) { o.pipeline = 0; }), contains("pipeline=0"));
  CHECK_THROWS_WITH(with([](HipOptions& o) { o.staging = Bytes(1); }), contains("staging=1"));
  CHECK_THROWS_WITH(with([](HipOptions& o) { o.piece = Bytes(0); }), contains("piece=0"));
  CHECK_THROWS_WITH(with([](HipOptions& o) { o.patience = Seconds(-1.0); }), contains("patience=-1"));
}

TEST_CASE("hip: a device that cannot be used is left out, and the others keep their numbers apart from HIP's") {
  HipDoubleOptions hardware;
  hardware.devices = 3;
  hardware.faults.push_back({"hipMemGetInfo", 1, hipErrorECCNotCorrectable, 1});
  HipRig rig(hardware);
  REQUIRE(rig.driver->devices().size() == 2);
  CHECK(rig.driver->devices()[1].name == "Double of a GPU (2)");
  CHECK_THAT(std::string(rig.driver->remark()),
             contains("device 1 is not used: hipMemGetInfo on device 1: hipErrorECCNotCorrectable"));
  REQUIRE(rig.driver->joined(0, 1));
  CHECK(rig.driver->attach(0).ok());
  CHECK(rig.driver->attach(1).ok());
  const double* const there = rig.upload(std::vector<double>(1000, 2.5), 0);
  double* const other = rig.upload(std::vector<double>(1000), 1);
  CHECK(rig.driver
            ->copy(1, {{0, reinterpret_cast<std::byte*>(const_cast<double*>(there)), 8000},
                       {1, reinterpret_cast<std::byte*>(other), 8000},
                       8000,
                       1,
                       false,
                       1})
            .ok());
  CHECK(rig.ended(1, 1)[0].result.ok());
  CHECK(rig.download(other, 1000, 1) == std::vector<double>(1000, 2.5));
  rig.end_cleanly();
}

TEST_CASE("hip: devices that do not reach each other are not joined") {
  HipDoubleOptions hardware;
  hardware.devices = 3;
  hardware.peers = [](int a, int b) {
    return a + b == 1 || (a == 1 && b == 2);
  };  // 0 and 1; 1 sees 2, not the other way round
  HipRig rig(hardware);
  CHECK(rig.driver->joined(0, 1));
  CHECK(rig.driver->joined(1, 0));
  CHECK(!rig.driver->joined(1, 2));
  CHECK(!rig.driver->joined(0, 2));
  CHECK(rig.driver->joined(2, 2));
  CHECK(rig.driver->attach(2).ok());
  const DeviceResult result = rig.driver->copy(2, {{0, nullptr, 8}, {2, nullptr, 8}, 8, 1, false, 1});
  CHECK(result.status == DeviceStatus::failed);
  CHECK_THAT(result.text, contains("copy through the host's"));
}

TEST_CASE("hip: peer access that somebody else has enabled is as good") {
  HipDoubleOptions hardware;
  HipDouble hip(hardware);
  HipOptions options;
  options.functions = hip.functions();
  CHECK(make_hip_driver(options)->joined(0, 1));
  CHECK(make_hip_driver(options)->joined(0, 1));
}

TEST_CASE("hip: the caller's current device stays what it is") {
  HipRig rig;
  const auto functions = rig.hip.functions();
  REQUIRE(functions->hipSetDevice(0) == hipSuccess);
  std::byte* memory = nullptr;
  CHECK(rig.driver->allocate(1, Bytes(100), memory).ok());
  rig.driver->release(1, memory, Bytes(100));
  int device = -1;
  CHECK(functions->hipGetDevice(&device) == hipSuccess);
  CHECK(device == 0);
  CHECK(rig.hip.memory_in_use(0) == 0);
}

TEST_CASE("hip: drivers on several doubles do not meet") {
  HipRig first, second;
  CHECK(first.driver->attach(0).ok());
  CHECK(second.driver->attach(0).ok());
  const std::vector<double> a(100, 1.0), b(100, 2.0);
  const double* const x = first.upload(a);
  const double* const y = second.upload(b);
  CHECK(first.download(x, 100) == a);
  CHECK(second.download(y, 100) == b);
  CHECK(first.hip.memory_in_use(0) == 1024);
  first.hip.lose(0, hipErrorUnknown);
  CHECK(second.download(y, 100) == b);
  second.end_cleanly();
}
