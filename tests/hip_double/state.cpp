// The hardware of the double: memories, and the thread that runs what streams hold.
#include "state.hpp"

#include <algorithm>
#include <cstdlib>

namespace mitra::test {

using namespace std::chrono;

HipDouble::State::State(HipDoubleOptions o)
    : options(std::move(o)),
      random(options.seed),
      devices(static_cast<std::size_t>(options.devices)),
      faults(options.faults) {
  worker = std::thread([this] { work(); });
}

HipDouble::State::~State() {
  {
    const Lock lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  worker.join();
  // What nobody has released: a lost device's, on purpose. A sanitizer would take it for a leak of ours.
  for (const auto& [address, size] : pinned) std::free(const_cast<std::byte*>(address));
}

// ------------------------------------------------------------------------------------------------ errors

namespace {

/// Those that HIP repeats for ever.
bool is_sticky(hipError_t error) {
  switch (error) {
    case hipErrorDeinitialized:
    case hipErrorNoDevice:
    case hipErrorECCNotCorrectable:
    case hipErrorIllegalAddress:
    case hipErrorLaunchTimeOut:
    case hipErrorAssert:
    case hipErrorLaunchFailure:
    case hipErrorUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace

hipError_t HipDouble::State::enter(const char* function, int device, bool asks_device) {
  const std::uint64_t on_any = ++counted[{function, -1}];
  const std::uint64_t on_this = device >= 0 ? ++counted[{function, device}] : 0;
  if (asks_device && device >= 0 && devices[static_cast<std::size_t>(device)].lost != hipSuccess)
    return devices[static_cast<std::size_t>(device)].lost;
  for (const HipFault& fault : faults) {
    if (fault.function != function || (fault.device != -1 && fault.device != device)) continue;
    const std::uint64_t call = fault.device == -1 ? on_any : on_this;
    if (call != fault.call && !(fault.for_ever && call > fault.call)) continue;
    if (device >= 0 && is_sticky(fault.error)) lose_locked(device, fault.error);
    return fault.error;
  }
  return hipSuccess;
}

void HipDouble::State::lose_locked(int device, hipError_t error) {
  Device& d = devices[static_cast<std::size_t>(device)];
  if (d.lost != hipSuccess) return;
  d.lost = error;
  d.hangs = false;
  for (const auto& stream : streams) {
    if (stream->device != device) continue;
    // What runs at this moment runs to its end, as on a GPU.
    while (stream->operations.size() > (stream->running ? 1U : 0U)) stream->operations.pop_back();
  }
  changed.notify_all();
}

// ------------------------------------------------------------------------------------------------ memory

std::byte* HipDouble::State::alias_of(const void* address, std::size_t size, int& device) const {
  const auto* const begin = static_cast<const std::byte*>(address);
  auto next = memories.upper_bound(begin);
  if (next == memories.begin()) return nullptr;
  const auto& [start, memory] = *std::prev(next);
  const auto offset = static_cast<std::size_t>(begin - start);
  if (offset > memory.size || size > memory.size - offset) return nullptr;
  device = memory.device;
  return memory.alias + offset;
}

bool HipDouble::State::is_pinned(const void* address, std::size_t size) const {
  const auto* const begin = static_cast<const std::byte*>(address);
  auto next = pinned.upper_bound(begin);
  if (next == pinned.begin()) return false;
  const auto& [start, length] = *std::prev(next);
  const auto offset = static_cast<std::size_t>(begin - start);
  return offset <= length && size <= length - offset;
}

// ------------------------------------------------------------------------------------------------ streams

HipDouble::State::Stream* HipDouble::State::find(hipStream_t stream) {
  for (const auto& s : streams)
    if (static_cast<void*>(s.get()) == static_cast<void*>(stream)) return s.get();
  return nullptr;
}

std::shared_ptr<HipDouble::State::Event> HipDouble::State::find(hipEvent_t event) {
  const auto found = events.find(event);
  return found == events.end() ? nullptr : found->second;
}

bool HipDouble::State::idle(int device) const {
  return std::ranges::all_of(streams, [&](const auto& s) { return s->device != device || s->operations.empty(); });
}

void HipDouble::State::push(Stream& stream, Operation operation) {
  if (options.jitter.count() > 0 && operation.counts)
    operation.duration += microseconds(random.below(static_cast<std::size_t>(options.jitter.count()) + 1));
  operation.what.device = stream.device;
  operation.what.stream = &stream;
  stream.operations.push_back(std::move(operation));
  changed.notify_all();
}

/// One stream after the other ends its first operation, in the order of the seed; their times overlap.
void HipDouble::State::step(Lock& lock) {
  std::vector<Stream*> ready;
  std::optional<Clock::time_point> soonest;
  const auto now = Clock::now();
  for (const auto& stream : streams) {
    const Device& device = devices[static_cast<std::size_t>(stream->device)];
    if (paused || device.hangs || stream->operations.empty()) continue;
    Operation& first = stream->operations.front();
    if (!first.end) first.end = now + first.duration;
    if (*first.end <= now)
      ready.push_back(stream.get());
    else if (!soonest || *first.end < *soonest)
      soonest = first.end;
  }
  if (ready.empty()) {
    if (soonest)
      changed.wait_until(lock, *soonest);
    else
      changed.wait(lock);
    return;
  }
  Stream& stream = *ready[random.below(ready.size())];
  Operation& operation = stream.operations.front();
  stream.running = true;
  hipError_t error = operation.counts
                         ? enter(operation.what.kind == Executed::Kind::kernel ? "kernel" : "copy", stream.device)
                         : hipSuccess;
  if (error == hipSuccess && operation.run) {
    lock.unlock();
    error = operation.run();
    lock.lock();
  }
  stream.running = false;
  if (operation.counts && error == hipSuccess) executed.push_back(operation.what);
  if (operation.event != nullptr) {
    operation.event->reached = std::max(operation.event->reached, operation.record);
    operation.event->time = Clock::now();
  }
  stream.operations.pop_front();
  // An error of a kernel or of a copy engine shows later, and for ever.
  if (error != hipSuccess) lose_locked(stream.device, error);
  changed.notify_all();
}

void HipDouble::State::work() {
  Lock lock(mutex);
  while (!stopping) step(lock);
}

}  // namespace mitra::test
