// Flow: Config::emu -> [emu options] -> device set, `mitra machine`. Thread-safety: immutable.
#include <mitra/emu_driver.hpp>

#include <algorithm>

#include <mitra/error.hpp>

#include "engine/devices/settings.hpp"

namespace mitra {

using engine::for_each_setting;
using engine::number;
using engine::quantity;
using model::Dimension;

namespace {

/// "DEVICE@CALL"
EmuOptions::Fault fault(std::string_view key, std::string_view value, DeviceStatus status) {
  const std::size_t at = value.find('@');
  if (at == std::string_view::npos) throw ConfigError(detail::message("MITRA_EMU: ", key, "=", value, ": DEVICE@CALL is expected, 0@100 for instance"));
  return {number<unsigned>("MITRA_EMU", key, value.substr(0, at)), number<std::uint64_t>("MITRA_EMU", key, value.substr(at + 1)), status};
}

}  // namespace

EmuOptions parse_emu_options(std::string_view text, unsigned processors) {
  EmuOptions options;
  options.processors = std::max(1U, processors);
  const std::size_t colon = std::min(text.find(':'), text.size());
  options.devices = number<unsigned>("MITRA_EMU", "devices", text.substr(0, colon));
  bool peer = false;
  for_each_setting(text.substr(std::min(colon + 1, text.size())), [&](std::string_view key, std::string_view value) {
    if (key == "mem") {
      options.memory = Bytes(static_cast<std::uint64_t>(quantity("MITRA_EMU", key, value, Dimension::bytes)));
    } else if (key == "bw") {
      options.bandwidth = quantity("MITRA_EMU", key, value, Dimension::byte_rate);
    } else if (key == "peer") {
      options.peer_bandwidth = value == "0" ? 0.0 : quantity("MITRA_EMU", key, value, Dimension::byte_rate);
      peer = true;
    } else if (key == "latency") {
      options.latency = Seconds(quantity("MITRA_EMU", key, value, Dimension::time));
    } else if (key == "speed") {
      options.speed = number<double>("MITRA_EMU", key, value);
    } else if (key == "slow") {
      options.slow = number<double>("MITRA_EMU", key, value);
    } else if (key == "streams") {
      options.streams = number<unsigned>("MITRA_EMU", key, value);
    } else if (key == "pipeline") {
      options.pipeline = number<unsigned>("MITRA_EMU", key, value);
    } else if (key == "seed") {
      options.seed = number<std::uint64_t>("MITRA_EMU", key, value);
    } else if (key == "poison") {
      options.poison = number<unsigned>("MITRA_EMU", key, value) != 0;
    } else if (key == "lose") {
      options.faults.push_back(fault(key, value, DeviceStatus::lost));
    } else if (key == "fail") {
      options.faults.push_back(fault(key, value, DeviceStatus::failed));
    } else if (key == "oom") {
      options.faults.push_back(fault(key, value, DeviceStatus::out_of_memory));
    } else {
      throw ConfigError(detail::message("MITRA_EMU: unknown setting '", key, "' of emulated devices; known: mem, bw, peer, latency, speed, "
                                        "slow, streams, pipeline, seed, poison, lose, fail, oom; 4:mem=256MB,bw=8GB/s,speed=20 for instance"));
    }
  });
  if (!peer) options.peer_bandwidth = options.bandwidth;
  for (const EmuOptions::Fault& f : options.faults)
    if (f.device >= options.devices)
      throw ConfigError(detail::message("MITRA_EMU: a fault of device ", f.device, ", of ", options.devices, " devices, counted from 0"));
  return options;
}

}  // namespace mitra
