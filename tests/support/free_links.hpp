// Mirage with links that take no time: reference values of schedules without communication hold there.
// Flow: [free links] -> machine file -> tests of policies. Thread-safety: one thread.
#pragma once

#include <string>

#include "support/machines.hpp"

namespace mitra::test {

/// Its GPUs do not take a task before they need one: the methods behind the reference values decide when a worker is free.
/// @returns The path of the machine file.
inline std::string mirage_with_free_links() {
  std::string text = "extends = \"mirage\"\n[class.gpu]\npipeline = 1\n";
  const char* const memories[] = {"ram", "gpu0", "gpu1", "gpu2"};
  for (const char* from : memories)
    for (const char* to : memories)
      if (from != to)
        text += std::string("[[route]]\nfrom = \"") + from + "\"\nto = \"" + to + "\"\nbandwidth = \"1e9 GB/s\"\nlatency = \"0 us\"\nlinks = []\n";
  return machine_file("mirage_free_links", text);
}

}  // namespace mitra::test
