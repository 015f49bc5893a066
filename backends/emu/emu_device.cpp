#include "emu_device.hpp"

#include <ctime>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace mitra::emu {

namespace {

constexpr std::size_t kAlignment = 256;
constexpr int kPoison = 0xA5;

/// Seconds that the calling thread has had a processor.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

Clock::duration duration_of(double seconds) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)); }

void move_bytes(const DeviceCopy& copy) {
  const std::byte* from = copy.from.address;
  std::byte* to = copy.to.address;
  if (copy.from.pitch == copy.width && copy.to.pitch == copy.width) {
    std::memcpy(to, from, copy.width * copy.columns);
    return;
  }
  for (std::size_t c = 0; c < copy.columns; ++c) std::memcpy(to + c * copy.to.pitch, from + c * copy.from.pitch, copy.width);
}

}  // namespace

Device::Device(const EmuOptions& options, unsigned number, double dilation, std::function<Device&(int)> other)
    : options_(options), number_(number), dilation_(dilation), other_(std::move(other)), random_(options.seed * 0x9E3779B97F4A7C15ULL + number + 1),
      streams_(options.streams) {
  in_.thread = std::thread([this] { run_copies(in_); });
  out_.thread = std::thread([this] { run_copies(out_); });
}

Device::~Device() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
    in_.wake.notify_all();
    out_.wake.notify_all();
    executors_wake_.notify_all();
  }
  in_.thread.join();
  out_.thread.join();
  for (std::thread& executor : executors_) executor.join();
  for (const auto& [memory, size] : blocks_) ::operator delete(memory, std::align_val_t(kAlignment));
}

DeviceResult Device::status() const {
  if (!lost_) return {};
  return {DeviceStatus::lost, "emulated device " + std::to_string(number_) + " is lost, as it was asked to be"};
}

bool Device::lost() const {
  std::scoped_lock lock(mutex_);
  return lost_;
}

/// @pre the lock is held
DeviceResult Device::call(bool allocates) {
  ++calls_;
  for (EmuOptions::Fault& fault : options_.faults) {
    if (fault.device != number_ || lost_ || calls_ < fault.call) continue;
    if (fault.status == DeviceStatus::out_of_memory && !allocates) continue;
    if (fault.status != DeviceStatus::lost) {
      const char* what = fault.status == DeviceStatus::out_of_memory ? " has no memory for call " : " fails at call ";
      fault.call = ~std::uint64_t{0};
      return {fault.status, "emulated device " + std::to_string(number_) + what + std::to_string(calls_) + ", as it was asked to"};
    }
    lost_ = true;
    // What waits will not begin; what runs ends by itself, and is told of as lost.
    for (CopyEngine* engine : {&in_, &out_})
      for (auto* queue : {&engine->urgent, &engine->others}) {
        for (const DeviceCopy& copy : *queue) done_.push_back({DeviceCompletion::Kind::copy, copy.token, status(), {}});
        queue->clear();
      }
    for (const auto& [stream, launch] : runnable_) done_.push_back({DeviceCompletion::Kind::launch, launch.token, status(), {}});
    runnable_.clear();
    for (Stream& stream : streams_) {
      for (const DeviceLaunch& launch : stream.waiting) done_.push_back({DeviceCompletion::Kind::launch, launch.token, status(), {}});
      stream.waiting.clear();
    }
    owner_.notify_all();
  }
  return status();
}

// ------------------------------------------------------------------------------------------------ memory

DeviceResult Device::allocate(Bytes size, std::byte*& memory) {
  std::scoped_lock lock(mutex_);
  if (DeviceResult result = call(true); !result.ok()) return result;
  const std::size_t bytes = std::max<std::size_t>(size.value, 1);
  if (options_.memory.value != 0 && used_ + bytes > options_.memory.value)
    return {DeviceStatus::out_of_memory, "emulated device " + std::to_string(number_) + ": " + std::to_string(bytes) + " bytes are asked for, and " +
                                             std::to_string(options_.memory.value - used_) + " are left of " +
                                             std::to_string(options_.memory.value)};
  memory = static_cast<std::byte*>(::operator new(bytes, std::align_val_t(kAlignment), std::nothrow));
  if (memory == nullptr) return {DeviceStatus::out_of_memory, "the host has no memory left for an emulated device's"};
  if (options_.poison) std::memset(memory, kPoison, bytes);
  blocks_.emplace(memory, bytes);
  used_ += bytes;
  return {};
}

void Device::release(std::byte* memory, Bytes size) {
  {
    std::scoped_lock lock(mutex_);
    blocks_.erase(memory);
    used_ -= std::max<std::size_t>(size.value, 1);
  }
  ::operator delete(memory, std::align_val_t(kAlignment));
}

// ------------------------------------------------------------------------------------------------ copies

DeviceResult Device::copy(const DeviceCopy& copy) {
  std::scoped_lock lock(mutex_);
  if (DeviceResult result = call(); !result.ok()) return result;
  CopyEngine& engine = copy.to.device == static_cast<int>(number_) ? in_ : out_;
  (copy.urgent ? engine.urgent : engine.others).push_back(copy);
  engine.wake.notify_one();
  return {};
}

/// @pre the lock is held, a copy waits
DeviceCopy Device::take_copy(CopyEngine& engine) {
  auto& queue = engine.urgent.empty() ? engine.others : engine.urgent;
  std::size_t which = 0;
  if (options_.seed != 0) {
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;  // Knuth's MMIX
    which = static_cast<std::size_t>(random_ >> 33) % queue.size();
  }
  const DeviceCopy copy = queue[which];
  queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(which));
  return copy;
}

/// While no end of it is poisoned.
void Device::move(const DeviceCopy& copy) {
  const auto [first, second] = std::minmax(copy.from.device, copy.to.device);  // in one order, whoever copies
  std::shared_lock<std::shared_mutex> uses[2];
  if (first != CopyEnd::kHost) uses[0] = std::shared_lock(other_(first).in_use_);
  if (second != CopyEnd::kHost && second != first) uses[1] = std::shared_lock(other_(second).in_use_);
  move_bytes(copy);
}

void Device::run_copies(CopyEngine& engine) {
  std::unique_lock lock(mutex_);
  for (;;) {
    engine.wake.wait(lock, [&] { return stopping_ || !engine.urgent.empty() || !engine.others.empty(); });
    if (stopping_) return;
    const DeviceCopy copy = take_copy(engine);
    lock.unlock();
    const bool between = copy.from.device != CopyEnd::kHost && copy.to.device != CopyEnd::kHost;
    const double bytes = static_cast<double>(copy.width * copy.columns);
    const double seconds = options_.latency.value + bytes / (between ? options_.peer_bandwidth : options_.bandwidth);
    const Clock::time_point began = std::max(Clock::now(), engine.free_at);
    move(copy);
    // From when the engine was free, not from now: what a sleep takes too long is not added up.
    engine.free_at = began + duration_of(seconds);
    std::this_thread::sleep_until(engine.free_at);
    // What was read before the other device was lost is good; afterwards it may be anything.
    DeviceResult result;
    for (const CopyEnd& end : {copy.from, copy.to})
      if (end.device != CopyEnd::kHost && end.device != static_cast<int>(number_) && other_(end.device).lost())
        result = {DeviceStatus::failed, "the other end of the copy, emulated device " + std::to_string(end.device) + ", is lost"};
    lock.lock();
    if (lost_) result = status();
    complete({DeviceCompletion::Kind::copy, copy.token, std::move(result), Seconds(seconds)});
  }
}

// ------------------------------------------------------------------------------------------------ launches

DeviceResult Device::launch(unsigned stream, const DeviceLaunch& launch) {
  std::scoped_lock lock(mutex_);
  if (DeviceResult result = call(); !result.ok()) return result;
  streams_[stream].waiting.push_back(launch);
  if (!streams_[stream].busy) start_next(stream);
  return {};
}

/// @pre the lock is held
void Device::start_next(unsigned stream) {
  Stream& s = streams_[stream];
  s.busy = !s.waiting.empty() && !stopping_;  // the destructor joins the threads that there are: no more come
  if (!s.busy) return;
  runnable_.emplace_back(stream, s.waiting.front());
  s.waiting.pop_front();
  // As many threads as bodies at the same time: those that wait for other tasks hold theirs.
  if (runnable_.size() > idle_executors_)
    executors_.emplace_back([this] { run_launches(); });
  else
    executors_wake_.notify_one();
}

namespace {
thread_local constinit bool left_stream = false;  // by the launch that runs on this thread
}

void Device::leave_stream(unsigned stream) {
  if (std::exchange(left_stream, true)) return;
  std::scoped_lock lock(mutex_);
  start_next(stream);
}

void Device::run_launches() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_executors_;
    executors_wake_.wait(lock, [&] { return stopping_ || !runnable_.empty(); });
    --idle_executors_;
    if (runnable_.empty()) return;
    const auto [stream, launch] = runnable_.front();
    runnable_.pop_front();
    lock.unlock();
    const Clock::time_point began = Clock::now();
    const double before = processor_seconds();
    {
      const std::shared_lock use(in_use_);
      launch.run(launch.argument, nullptr);
    }
    // The body's share of a processor, not the wall's time: other devices, and cores, may have used the same one.
    const double seconds = dilation_ * (processor_seconds() - before);
    std::this_thread::sleep_until(began + duration_of(seconds));
    lock.lock();
    complete({DeviceCompletion::Kind::launch, launch.token, status(), Seconds(std::chrono::duration<double>(Clock::now() - began).count())});
    if (!left_stream) start_next(stream);
    left_stream = false;
  }
}

// ------------------------------------------------------------------------------------------------ completions

void Device::complete(DeviceCompletion completion) {
  done_.push_back(std::move(completion));
  owner_.notify_all();
}

/// At the next look, where somebody uses the memory: what runs at this moment runs to its end. @pre the lock is held
void Device::poison_what_was_lost() {
  const std::unique_lock alone(in_use_, std::try_to_lock);
  if (!alone.owns_lock()) return;
  for (const auto& [memory, size] : blocks_) std::memset(memory, kPoison, size);
  poisoned_ = true;
}

void Device::poll(std::vector<DeviceCompletion>& completions) {
  std::scoped_lock lock(mutex_);
  if (lost_ && options_.poison && !poisoned_) poison_what_was_lost();
  for (DeviceCompletion& completion : done_) completions.push_back(std::move(completion));
  done_.clear();
}

void Device::wait(Seconds limit) {
  std::unique_lock lock(mutex_);
  owner_.wait_for(lock, std::chrono::duration<double>(limit.value), [&] { return woken_ || !done_.empty(); });
  woken_ = false;
}

void Device::wake() {
  std::scoped_lock lock(mutex_);
  woken_ = true;
  owner_.notify_all();
}

}  // namespace mitra::emu
