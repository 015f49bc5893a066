// Storage as a memory node: a file, a thread that reads it, and one that writes it.
// Flow: live memory -> [spill driver] -> file -> completions.
#include <mitra/spill_driver.hpp>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include <mitra/error.hpp>

#include "file_space.hpp"

namespace mitra {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kBlock = 4096;        // places in the file are multiples of a page's size
constexpr std::uint64_t kFirst = kBlock;      // the address of the file's first byte: none is null

std::uint64_t blocks(Bytes size) { return (size.value + kBlock - 1) / kBlock * kBlock; }

std::string reason(int error) { return std::generic_category().message(error); }

/// A file that has no name, and ends with the process.
int make_file(const std::string& directory) {
  int file = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;
  if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) {  // a file system, or a kernel, that has no such files
    std::string name = directory + "/mitra-spill-XXXXXX";
    file = ::mkostemp(name.data(), O_CLOEXEC);
    if (file >= 0) {
      ::unlink(name.c_str());
      return file;
    }
  }
  throw ConfigError(detail::message("MITRA_SPILL=", directory, ": no file can be made there (", reason(errno),
                                    "); name a directory that exists and may be written"));
}

/// Reads or writes all of it. @returns 0, or errno
template <class Move>
int move_all(std::vector<iovec>& parts, std::uint64_t place, Move move) {
  std::size_t first = 0;
  while (first < parts.size()) {
    const int count = static_cast<int>(std::min<std::size_t>(parts.size() - first, 1024));  // IOV_MAX
    const ssize_t moved = move(parts.data() + first, count, static_cast<off_t>(place));
    if (moved < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    if (moved == 0) return EIO;  // the file ends here
    place += static_cast<std::uint64_t>(moved);
    for (auto left = static_cast<std::size_t>(moved); left > 0;) {
      iovec& part = parts[first];
      const std::size_t step = std::min(left, part.iov_len);
      part.iov_base = static_cast<std::byte*>(part.iov_base) + step;
      part.iov_len -= step;
      left -= step;
      if (part.iov_len == 0) ++first;
    }
  }
  return 0;
}

class SpillDriver final : public DeviceDriver {
 public:
  explicit SpillDriver(const SpillOptions& options)
      : directory_(options.directory), file_(make_file(options.directory)), space_(options.capacity.value) {
    description_.name = "spill";
    description_.capacity = options.capacity;
    description_.streams = 0;
    description_.bandwidth = options.bandwidth;
    description_.latency = options.latency;
    for (Engine* engine : {&reads_, &writes_}) engine->thread = std::thread([this, engine] { run(*engine); });
  }
  ~SpillDriver() override {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    for (Engine* engine : {&reads_, &writes_}) {
      engine->wake.notify_one();
      engine->thread.join();
    }
    ::close(file_);
  }

  std::string_view name() const override { return "spill"; }
  WorkerKind implementation() const override { return WorkerKind::cpu; }
  std::span<const DeviceDescription> devices() const override { return {&description_, 1}; }
  bool joined(unsigned, unsigned) const override { return false; }

  DeviceResult allocate(unsigned, Bytes size, std::byte*& memory) noexcept override {
    const std::uint64_t length = blocks(size);
    const std::scoped_lock lock(mutex_);
    try {
      const auto place = space_.take(length);
      if (!place) return {DeviceStatus::out_of_memory, detail::message("the spill directory ", directory_, " has no room for ", size.value, " bytes: its limit")};
      // Room that is not there is found out now, not when the data are on their way.
      if (::fallocate(file_, 0, static_cast<off_t>(*place), static_cast<off_t>(length)) != 0 && errno != EOPNOTSUPP) {
        const int error = errno;
        space_.give(*place, length);
        return {DeviceStatus::out_of_memory, detail::message("the spill directory ", directory_, " has no room for ", size.value, " bytes: ", reason(error))};
      }
      memory = address(*place);
    } catch (const std::bad_alloc&) {
      return {DeviceStatus::out_of_memory, "no memory for the books of the spill directory"};
    }
    return {};
  }
  void release(unsigned, std::byte* memory, Bytes size) noexcept override {
    const std::scoped_lock lock(mutex_);
    space_.give(place(memory), blocks(size));
    // What cannot be given back to the file system is used again, or goes with the file.
    static_cast<void>(::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(place(memory)), static_cast<off_t>(blocks(size))));
  }

  DeviceResult attach(unsigned) noexcept override { return {}; }
  DeviceResult copy(unsigned, const DeviceCopy& copy) noexcept override {
    Engine& engine = copy.from.device == CopyEnd::kHost ? writes_ : reads_;
    {
      const std::scoped_lock lock(mutex_);
      (copy.urgent ? engine.urgent : engine.others).push_back(copy);
    }
    engine.wake.notify_one();
    return {};
  }
  DeviceResult launch(unsigned, unsigned, const DeviceLaunch&) noexcept override { return {DeviceStatus::failed, "nothing runs in a spill directory"}; }
  void poll(unsigned, std::vector<DeviceCompletion>& completions) noexcept override {
    const std::scoped_lock lock(mutex_);
    completions.insert(completions.end(), std::make_move_iterator(done_.begin()), std::make_move_iterator(done_.end()));
    done_.clear();
  }
  void wait(unsigned, Seconds limit) noexcept override {
    std::unique_lock lock(mutex_);
    owner_.wait_for(lock, std::chrono::duration<double>(limit.value), [&] { return woken_ || !done_.empty(); });
    woken_ = false;
  }
  void wake(unsigned) noexcept override {
    {
      const std::scoped_lock lock(mutex_);
      woken_ = true;
    }
    owner_.notify_one();
  }

 private:
  /// Takes copies of one direction, one after the other, urgent ones first.
  struct Engine {
    std::deque<DeviceCopy> urgent, others;
    std::condition_variable wake;
    std::thread thread;
  };

  static std::byte* address(std::uint64_t place) { return reinterpret_cast<std::byte*>(place + kFirst); }
  static std::uint64_t place(const std::byte* address) { return reinterpret_cast<std::uint64_t>(address) - kFirst; }

  void run(Engine& engine) {
    std::unique_lock lock(mutex_);
    for (;;) {
      engine.wake.wait(lock, [&] { return stopping_ || !engine.urgent.empty() || !engine.others.empty(); });
      auto& copies = engine.urgent.empty() ? engine.others : engine.urgent;
      if (copies.empty()) return;
      const DeviceCopy copy = copies.front();
      copies.pop_front();
      lock.unlock();
      const Clock::time_point start = Clock::now();
      DeviceResult result = move(copy);
      const Seconds took(std::chrono::duration<double>(Clock::now() - start).count());
      lock.lock();
      done_.push_back({DeviceCompletion::Kind::copy, copy.token, std::move(result), took});
      owner_.notify_one();
    }
  }

  /// In the file, the columns lie without gaps.
  DeviceResult move(const DeviceCopy& copy) const {
    const bool writes = copy.from.device == CopyEnd::kHost;
    const CopyEnd &host = writes ? copy.from : copy.to, &file = writes ? copy.to : copy.from;
    if (copy.columns > 1 && file.pitch != copy.width) return {DeviceStatus::failed, "a copy from or to the spill directory with gaps there"};
    std::vector<iovec> parts(host.pitch == copy.width ? 1 : copy.columns);
    if (parts.size() == 1) parts[0] = {host.address, copy.width * copy.columns};
    for (std::size_t c = 0; parts.size() > 1 && c < copy.columns; ++c) parts[c] = {host.address + c * host.pitch, copy.width};
    const int error = move_all(parts, place(file.address), [&](const iovec* part, int count, off_t at) {
      return writes ? ::pwritev(file_, part, count, at) : ::preadv(file_, part, count, at);
    });
    if (error == 0) return {};
    return {DeviceStatus::failed, detail::message(writes ? "writing to" : "reading from", " the spill directory ", directory_, ": ", reason(error))};
  }

  const std::string directory_;
  const int file_;
  DeviceDescription description_;
  std::mutex mutex_;
  std::condition_variable owner_;
  spill::FileSpace space_;
  std::vector<DeviceCompletion> done_;
  bool woken_ = false, stopping_ = false;
  Engine reads_, writes_;
};

}  // namespace

std::unique_ptr<DeviceDriver> make_spill_driver(const SpillOptions& options) { return std::make_unique<SpillDriver>(options); }

}  // namespace mitra
