// Machine files that tests need, beside those which the library ships.
// Flow: tests -> [machines] -> Config::machine. Thread-safety: one thread.
#pragma once

#include <filesystem>
#include <fstream>
#include <mitra/config.hpp>
#include <string>
#include <unistd.h>

namespace mitra::test {

/// Writes a machine file for the time of this process. @returns Its path.
inline std::string machine_file(const std::string& name, const std::string& text) {
  struct Directory {
    Directory() { std::filesystem::create_directories(path); }
    ~Directory() { std::filesystem::remove_all(path); }
    std::filesystem::path path = std::filesystem::temp_directory_path() / ("mitra_machines_" + std::to_string(getpid()));
  };
  static const Directory directory;
  const std::filesystem::path path = directory.path / (name + ".toml");
  std::ofstream(path) << text;
  return path.string();
}

/// Three cores, and two devices whose memories hold a handful of 8-byte data: something must always leave.
inline std::string machine_of_small_memories() {
  return machine_file("small_memories", R"(
name = "small-memories"
summary = "devices that are always full"

[class.cpu]
kind = "cpu"
count = 3
memory = "dram"
[class.cpu.peak]
fp64 = "10 GFLOP/s"

[class.gpu]
kind = "hip"
count = 2
memory = "hbm"
pipeline = 2
[class.gpu.peak]
fp64 = "100 GFLOP/s"

[memory.dram]
capacity = "1 GB"
[memory.hbm]
count = 2
capacity = "48 B"

[[link]]
name = "bus"
between = ["dram", "hbm"]
bandwidth = "1 kB/s"
latency = "1 ms"
)");
}

/// Virtual time on a machine given by its text.
inline Config simulated_on(const std::string& name, const std::string& text, const std::string& scheduler) {
  Config config;
  config.backend = "sim";
  config.scheduler = scheduler;
  config.machine = machine_file(name, text);
  return config;
}

}  // namespace mitra::test
