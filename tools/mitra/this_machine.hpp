// This machine as a machine file, with the emulated devices that stand beside its cores.
// Flow: Runtime::machine, machine file of `mitra calibrate` -> [this machine] -> `mitra machine --save`. Thread-safety: main thread.
#pragma once

#include <string>

#include <mitra/mitra.hpp>

namespace mitra::tool {

/// @returns The text of a machine file. How fast workers are is in it if there are emulated devices, and `mitra calibrate` has measured
///          this machine: the file that it has written then lies beside the models.
/// @throws ConfigError if that file is broken.
std::string file_of_this_machine(const Runtime& rt);

}  // namespace mitra::tool
