#include "hip_device.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

namespace mitra::hip {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kShortSleep{10}, kLongSleep{100};

DeviceResult no_host_memory() noexcept { return {DeviceStatus::failed, {}}; }

}  // namespace

Device::Device(const Functions& functions, const Blas* blas, int number, Bytes capacity, const HipOptions& options,
               const PinnedRanges& pinned)
    : functions_(functions),
      number_(number),
      capacity_(capacity),
      options_(options),
      pinned_(pinned),
      marks_(functions),
      module_(functions, number),
      blas_(functions, blas, number, options.blas_from),
      running_(options.streams),
      lanes_{{{functions, number, Direction::to_device, options, marks_},
              {functions, number, Direction::to_host, options, marks_},
              {functions, number, Direction::between_devices, options, marks_}}} {}

Device::~Device() {
  const CurrentDevice current(functions_, number_);
  const auto end = Clock::now() + std::chrono::duration<double>(options_.patience.value);
  while (!is_lost() && !drained() && Clock::now() < end) std::this_thread::sleep_for(kLongSleep);
  // What hangs would take us with it: HIP waits for streams that it destroys, and for memory that it frees. It is left, and so
  // is all that a lost device has.
  if (is_lost() || !drained() || is_lost()) return;
  std::vector<DeviceCompletion> nobody_asks;
  end_all(nobody_asks);
  for (CopyLane& lane : lanes_) lane.destroy();
  marks_.destroy();
  module_.unload();
  blas_.destroy();
  for (hipStream_t stream : streams_) static_cast<void>(functions_.hipStreamDestroy(stream));
  for (hipStream_t stream : copy_streams_)
    if (stream != nullptr) static_cast<void>(functions_.hipStreamDestroy(stream));
}

/// Whether nothing runs in any stream. An error is no reason to wait, and may be the first word of a loss.
bool Device::drained() noexcept {
  const auto idle = [&](hipStream_t stream) {
    if (stream == nullptr) return true;
    const hipError_t answer = functions_.hipStreamQuery(stream);
    if (status_after(answer) == DeviceStatus::lost) lose(result_of(functions_, answer, "hipStreamQuery", number_));
    return answer != hipErrorNotReady;
  };
  return std::ranges::all_of(streams_, idle) && std::ranges::all_of(copy_streams_, idle);
}

// ------------------------------------------------------------------------------------------------ lost

DeviceResult Device::lose(const DeviceResult& result) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!lost_.load(std::memory_order_relaxed)) {
      why_lost_ = result;
      why_lost_.status = DeviceStatus::lost;
      lost_.store(true, std::memory_order_release);
    }
    woken_ = true;  // what is under way has ended
  }
  woken_or_lost_.notify_all();
  return lost_result();
}

DeviceResult Device::lost_result() const noexcept {
  const std::lock_guard lock(mutex_);
  return why_lost_;
}

// ------------------------------------------------------------------------------------------------ memory

DeviceResult Device::allocate(Bytes size, std::byte*& memory) noexcept {
  if (is_lost()) return lost_result();
  const std::uint64_t bytes = std::max<std::uint64_t>(1, size.value);
  const std::uint64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  DeviceResult result;
  if (capacity_ > Bytes(0) && before + bytes > capacity_.value) {
    result.status = DeviceStatus::out_of_memory;
    result.text = "HIP device " + std::to_string(number_) + ": " + std::to_string(bytes) +
                  " bytes are asked for, and " + std::to_string(before) + " of " + std::to_string(capacity_.value) +
                  " are in use";
  } else {
    const CurrentDevice current(functions_, number_);
    void* address = nullptr;
    const hipError_t error = current.error() != hipSuccess ? current.error() : functions_.hipMalloc(&address, bytes);
    result = result_of(functions_, error, "hipMalloc", number_);
    if (result.ok()) {
      memory = static_cast<std::byte*>(address);
      return result;
    }
  }
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  return result.status == DeviceStatus::lost ? lose(result) : result;
}

void Device::release(std::byte* memory, Bytes size) noexcept {
  if (memory == nullptr) return;
  used_.fetch_sub(std::max<std::uint64_t>(1, size.value), std::memory_order_relaxed);
  if (is_lost()) return;
  const CurrentDevice current(functions_, number_);
  // It waits for all of the device's work: whoever releases often keeps what it has, and gives it out again.
  const DeviceResult result = result_of(functions_, functions_.hipFree(memory), "hipFree", number_);
  if (result.status == DeviceStatus::lost) lose(result);
}

// ------------------------------------------------------------------------------------------------ the device's own thread

DeviceResult Device::attach() noexcept {
  if (is_lost()) return lost_result();
  // Sleeps as short as wait() asks for: the usual slack of timers is 50 us.
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
  try {
    const DeviceResult result = make_streams();
    attached_ = result.ok();
    return result.status == DeviceStatus::lost ? lose(result) : result;
  } catch (const std::bad_alloc&) {
    return no_host_memory();
  }
}

DeviceResult Device::make_streams() {
  if (const hipError_t error = functions_.hipSetDevice(number_); error != hipSuccess)
    return result_of(functions_, error, "hipSetDevice", number_);
  int least = 0, greatest = 0;
  if (functions_.hipDeviceGetStreamPriorityRange(&least, &greatest) != hipSuccess) least = greatest = 0;
  // Copies that HIP does by kernels go before those of tasks, which have the usual priority. ROCm has few hardware queues for
  // each priority: those of copies are others.
  const auto make = [&](hipStream_t& stream, int priority) {
    return result_of(functions_, functions_.hipStreamCreateWithPriority(&stream, hipStreamNonBlocking, priority),
                     "hipStreamCreateWithPriority", number_);
  };
  while (streams_.size() < options_.streams) {
    hipStream_t stream = nullptr;
    if (const DeviceResult result = make(stream, std::clamp(0, greatest, std::max(least, greatest))); !result.ok()) return result;
    streams_.push_back(stream);
  }
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (copy_streams_[i] == nullptr)
      if (const DeviceResult result = make(copy_streams_[i], greatest); !result.ok()) return result;
    lanes_[i].use(copy_streams_[i]);
  }
  return {};
}

DeviceResult Device::copy(const DeviceCopy& copy) noexcept {
  if (is_lost()) return lost_result();
  if (!attached_)
    return {DeviceStatus::failed, "HIP device " + std::to_string(number_) + ": no thread is attached to it"};
  const bool from_host = copy.from.device == CopyEnd::kHost, to_host = copy.to.device == CopyEnd::kHost;
  const Direction direction = from_host ? Direction::to_device
                              : to_host ? Direction::to_host
                                        : Direction::between_devices;
  try {
    const CurrentDevice current(functions_, number_);
    bool staged = false;
    if (from_host || to_host) {
      const CopyEnd& host = from_host ? copy.from : copy.to;
      const std::size_t extent = copy.columns == 0 ? 0 : (copy.columns - 1) * host.pitch + copy.width;
      staged = !pinned_.holds(host.address, extent);
    }
    CopyLane& lane = lanes_[static_cast<std::size_t>(direction)];
    lane.add(copy, staged);
    const DeviceResult result = lane.advance(early_);
    if (!result.ok()) lose(result);  // poll() tells, of this copy too
    return {};
  } catch (const std::bad_alloc&) {
    return no_host_memory();
  }
}

DeviceResult Device::launch(unsigned stream, const DeviceLaunch& launch) noexcept {
  if (is_lost()) return lost_result();
  if (stream >= streams_.size() || !attached_)
    return {DeviceStatus::failed, "HIP device " + std::to_string(number_) + " has no stream " + std::to_string(stream)};
  const DeviceResult result = start(stream, launch);
  return result.status == DeviceStatus::lost ? lose(result) : result;
}

DeviceResult Device::start(unsigned stream, const DeviceLaunch& launch) {
  const CurrentDevice current(functions_, number_);
  Running running{launch.token, {}, {}};
  if (const hipError_t error = marks_.begin(running.mark, streams_[stream]); error != hipSuccess)
    return result_of(functions_, error, "hipEventRecord for a task", number_);

  static_cast<void>(functions_.hipGetLastError());
  LaunchScope scope(functions_, module_, blas_, streams_[stream]);
  launch.run(launch.argument, streams_[stream]);
  scope.note_last_error();
  running.result = scope.result();

  // A body that failed halfway may have enqueued something: it ends when that has.
  const hipError_t error = marks_.end(running.mark);
  if (running.result.ok() && error != hipSuccess)
    running.result = result_of(functions_, error, "hipEventRecord after a task", number_);
  const bool lost = running.result.status == DeviceStatus::lost;
  if (lost) lose(running.result);  // poll() tells, of this task too: its body has run
  running_[stream].push_back(std::move(running));
  return {};
}

// ------------------------------------------------------------------------------------------------ what has ended

void Device::poll(std::vector<DeviceCompletion>& completions) noexcept {
  completions.insert(completions.end(), std::make_move_iterator(early_.begin()), std::make_move_iterator(early_.end()));
  early_.clear();
  if (!attached_ || !busy()) return;
  const CurrentDevice current(functions_, number_);
  for (auto& running : running_) {
    if (is_lost()) break;
    if (running.empty()) continue;
    const DeviceResult result = poll_stream(running, completions);
    if (!result.ok()) lose(result);
  }
  for (CopyLane& lane : lanes_) {
    if (is_lost()) break;
    if (!lane.busy()) continue;
    const DeviceResult result = lane.advance(completions);
    if (!result.ok()) lose(result);
  }
  if (is_lost()) end_all(completions);
}

DeviceResult Device::poll_stream(std::deque<Running>& running, std::vector<DeviceCompletion>& completions) {
  while (!running.empty()) {
    Running& first = running.front();
    const Progress progress = marks_.look(first.mark);
    if (progress == Progress::running) return {};
    if (progress == Progress::lost) return result_of(functions_, first.mark.error, "a task", number_);
    if (first.mark.error != hipSuccess && first.result.ok())
      first.result = result_of(functions_, first.mark.error, "hipEventQuery for a task", number_);
    completions.push_back({DeviceCompletion::Kind::launch, first.token, first.result, marks_.duration(first.mark)});
    marks_.drop(first.mark);
    running.pop_front();
  }
  return {};
}

void Device::end_all(std::vector<DeviceCompletion>& completions) {
  const DeviceResult result = lost_result();
  for (auto& running : running_) {
    for (Running& r : running) {
      completions.push_back({DeviceCompletion::Kind::launch, r.token, result, Seconds(0.0)});
      marks_.drop(r.mark);
    }
    running.clear();
  }
  for (CopyLane& lane : lanes_) lane.end_all(result, completions);
}

bool Device::busy() const noexcept {
  return std::ranges::any_of(running_, [](const auto& running) { return !running.empty(); }) ||
         std::ranges::any_of(lanes_, [](const CopyLane& lane) { return lane.busy(); });
}

bool Device::has_news() noexcept {
  for (auto& running : running_)
    if (!running.empty() && marks_.look(running.front().mark) != Progress::running) return true;
  return std::ranges::any_of(lanes_, [](CopyLane& lane) { return lane.has_news(); });
}

void Device::wait(Seconds limit) noexcept {
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(std::clamp(limit.value, 0.0, 1e6)));
  auto sleep = kShortSleep;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (std::exchange(woken_, false)) return;
    lock.unlock();
    if (!early_.empty() || (is_lost() && busy()) || (!is_lost() && has_news())) return;
    const bool asks = !is_lost() && busy();  // HIP has to be asked: it does not wake anybody
    lock.lock();
    const auto now = Clock::now();
    if (now >= end) return;
    const auto until = asks ? std::min(end, now + sleep) : end;
    woken_or_lost_.wait_until(lock, until, [this] { return woken_; });
    sleep = std::min(sleep * 2, kLongSleep);
  }
}

void Device::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  woken_or_lost_.notify_all();
}

}  // namespace mitra::hip
