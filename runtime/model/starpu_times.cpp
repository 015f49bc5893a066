// StarPU's measurements as records of ours: hashes become shapes, devices become classes.
// Flow: StarPU sampling -> [StarPU times] -> machine description, model store.

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

#include <mitra/error.hpp>
#include <mitra/starpu_import.hpp>

namespace mitra {
namespace {

/// Eight bits of a CRC of 32: polynomial 0x1EDC6F41, the highest bit first, nothing reflected or inverted.
std::uint32_t crc(std::uint32_t digest, std::uint8_t byte) {
  digest ^= std::uint32_t{byte} << 24;
  for (int bit = 0; bit < 8; ++bit) digest = (digest & 0x80000000U) != 0 ? digest << 1 ^ 0x1EDC6F41U : digest << 1;
  return digest;
}
std::uint32_t crc_word(std::uint32_t word, std::uint32_t digest) {
  for (int byte = 0; byte < 4; ++byte, word >>= 8) digest = crc(digest, static_cast<std::uint8_t>(word));
  return digest;
}

/// A codelet of the tiled Cholesky factorisation: its data, and its flops for tiles of order n.
struct KnownCodelet {
  const char* name;
  unsigned accesses;
  double cubes;  ///< flops = cubes n^3, and lower powers
};
constexpr KnownCodelet kKnown[] = {{"potrf", 1, 1.0 / 3.0}, {"trsm", 2, 1.0}, {"syrk", 2, 1.0}, {"gemm", 3, 2.0}};
constexpr unsigned kMostAccesses = 6;
constexpr std::size_t kElementSizes[] = {4, 8, 2, 1, 16};

/// @returns n, if `bytes` are `count` square matrices of order n.
std::optional<std::uint32_t> square_order(std::uint64_t bytes, unsigned count, std::size_t element) {
  if (bytes == 0 || bytes % (count * element) != 0) return std::nullopt;
  const std::uint64_t area = bytes / (count * element);
  const auto n = static_cast<std::uint64_t>(std::llround(std::sqrt(static_cast<double>(area))));
  if (n * n != area || n > 0xffffffffU) return std::nullopt;
  return static_cast<std::uint32_t>(n);
}

std::optional<std::vector<DataShape>> shapes_of(const StarpuEntry& entry, std::string_view codelet) {
  const auto known = std::ranges::find(kKnown, codelet, &KnownCodelet::name);
  const bool is_known = known != std::end(kKnown);
  const unsigned least = is_known ? known->accesses : 1, most = is_known ? known->accesses : kMostAccesses;
  const auto squares = [](unsigned count, std::size_t n, std::size_t element) {
    return std::vector<DataShape>(count, DataShape{n, n, element});
  };
  for (unsigned count = least; count <= most; ++count)
    for (const std::size_t element : kElementSizes)
      if (const auto n = square_order(entry.bytes, count, element); n && starpu_footprint(*n, count) == entry.footprint)
        return squares(count, *n, element);
  if (!is_known || entry.flops <= 0.0) return std::nullopt;
  for (const std::size_t element : kElementSizes)
    if (const auto n = square_order(entry.bytes, known->accesses, element)) {
      const double cube = static_cast<double>(*n) * static_cast<double>(*n) * static_cast<double>(*n);
      if (std::abs(entry.flops / (known->cubes * cube) - 1.0) <= 0.05) return squares(known->accesses, *n, element);
    }
  return std::nullopt;
}

std::optional<std::string> class_of(int type) {
  if (type == 0) return "cpu";
  if (type == 1 || type == 7) return "gpu";
  return std::nullopt;
}

/// The mean over devices, each with the same weight: the class stands for all of them.
ImportedTime mean_over_devices(const std::vector<const StarpuEntry*>& devices, std::string origin) {
  const double n = static_cast<double>(devices.size());
  double mean = 0.0, square = 0.0;
  ImportedTime time;
  for (const StarpuEntry* entry : devices) {
    mean += entry->mean / n;
    square += (entry->deviation * entry->deviation + entry->mean * entry->mean) / n;
    time.count += entry->count;
    time.flops = std::max(time.flops, entry->flops);
  }
  time.seconds = Seconds(mean * 1e-6);
  time.spread = std::sqrt(std::max(0.0, square - mean * mean)) / mean;
  time.origin = std::move(origin);
  return time;
}

}  // namespace

std::uint32_t starpu_footprint(std::uint32_t n, unsigned count) {
  constexpr std::uint32_t matrix_interface = 0;
  const std::uint32_t handle = crc_word(crc_word(n, n), matrix_interface);
  std::uint32_t task = 0;
  for (unsigned i = 0; i < count; ++i) task = crc_word(handle, task);
  return task;
}

std::string starpu_codelet(std::string_view symbol) {
  constexpr std::string_view mark = "model_", prefix = "starpu_";
  if (const std::size_t at = symbol.rfind(mark); at != std::string_view::npos && at + mark.size() < symbol.size())
    symbol.remove_prefix(at + mark.size());
  else if (symbol.starts_with(prefix) && symbol.size() > prefix.size())
    symbol.remove_prefix(prefix.size());
  return std::string(symbol);
}

StarpuTimes convert_starpu_sampling(const StarpuSampling& sampling) {
  const std::string codelet = starpu_codelet(sampling.symbol), origin = sampling.symbol + "." + sampling.host;
  StarpuTimes result;
  const auto skip = [&](const StarpuEntry& entry, std::string_view why) {
    result.skipped.push_back(detail::message(origin, ": ", entry.bytes, " bytes on device ", entry.device, " of type ",
                                             entry.type, ": ", why));
  };

  // The fastest implementation of each device, by key.
  std::map<TimingKey, std::map<std::pair<int, int>, const StarpuEntry*>> by_key;
  for (const StarpuEntry& entry : sampling.entries) {
    const auto worker_class = class_of(entry.type);
    if (!worker_class) {
      skip(entry, "only CPU, CUDA and HIP devices are imported");
      continue;
    }
    if (entry.cores != 1) {
      skip(entry, "workers of several devices or cores are not imported");
      continue;
    }
    if (entry.count == 0 || !(entry.mean > 0.0)) {
      skip(entry, "no time has been measured");
      continue;
    }
    const auto shapes = shapes_of(entry, codelet);
    if (!shapes) {
      skip(entry, "the shapes behind the footprint are not known: they are not those of equal square matrices");
      continue;
    }
    const StarpuEntry*& best = by_key[{codelet, *shapes, *worker_class, {}, 0.0}][{entry.type, entry.device}];
    if (best == nullptr || entry.mean < best->mean) best = &entry;
  }
  for (const auto& [key, devices] : by_key) {
    std::vector<const StarpuEntry*> entries;
    for (const auto& [device, entry] : devices) entries.push_back(entry);
    result.records.push_back({key, 0, {}, mean_over_devices(entries, origin)});
  }
  return result;
}

}  // namespace mitra
