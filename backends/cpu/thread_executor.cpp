// A team of plain threads. They sleep between loops; a loop inside of a loop is run by the thread that meets it.
// Flow: team executor -> [thread executor] -> threads.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "team_executor.hpp"

namespace mitra::cpu {

namespace {

class ThreadExecutor final : public TeamExecutor {
 public:
  ThreadExecutor(const Team& team, const ThreadLibraries& libraries) : team_(team), libraries_(libraries) {
    try {
      for (unsigned i = 1; i < team.size; ++i) threads_.emplace_back([this] { help(); });
    } catch (...) {
      stop();
      throw;
    }
  }
  ~ThreadExecutor() override { stop(); }

  void enter(void (*body)(void*), void* argument) override { body(argument); }

  void loop(std::size_t count, Range range, void* argument) override {
    Loop loop{range, argument, count, std::max<std::size_t>(1, count / (kPieces * team_.size))};
    {
      std::unique_lock lock(mutex_);
      if (busy_) {  // the threads have the loop around this one
        lock.unlock();
        return range(argument, 0, count);
      }
      busy_ = true;
      loop_ = &loop;
      ++loops_;
      changed_.notify_all();
    }
    run(loop);
    {
      std::unique_lock lock(mutex_);
      loop_ = nullptr;  // who has not woken up yet is not waited for
      left_.wait(lock, [&] { return loop.helpers == 0; });
      busy_ = false;
    }
    if (loop.error) std::rethrow_exception(loop.error);
  }

 private:
  static constexpr std::size_t kPieces = 8;  // for each thread: they end at about the same time
  struct Loop {
    Range range;
    void* argument;
    std::size_t count, step;
    std::atomic<std::size_t> next{0};
    unsigned helpers = 0;       // under mutex_
    std::exception_ptr error{};  // under mutex_
  };

  void run(Loop& loop) {
    try {
      for (;;) {
        const std::size_t first = loop.next.fetch_add(loop.step, std::memory_order_relaxed);
        if (first >= loop.count) return;
        loop.range(loop.argument, first, std::min(first + loop.step, loop.count));
      }
    } catch (...) {
      loop.next.store(loop.count, std::memory_order_relaxed);
      std::scoped_lock lock(mutex_);
      if (!loop.error) loop.error = std::current_exception();
    }
  }

  void help() {
    pthread_setname_np(pthread_self(), "mitra-team");
    if (!team_.processors.empty()) bind_to(team_.processors);
    current_team() = {&team_, this, &libraries_};
    const ThreadLimit alone(&libraries_, 1);
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || (loop_ != nullptr && loops_ != seen); });
      if (stopping_) return;
      seen = loops_;
      Loop& loop = *loop_;
      ++loop.helpers;
      lock.unlock();
      run(loop);
      lock.lock();
      if (--loop.helpers == 0) left_.notify_one();
    }
  }

  void stop() noexcept {
    {
      std::scoped_lock lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  const Team& team_;
  const ThreadLibraries& libraries_;
  std::mutex mutex_;
  std::condition_variable changed_, left_;
  Loop* loop_ = nullptr;     // that still wants helpers; under mutex_, as the next three
  bool busy_ = false;        // a loop is under way: some of it may be left when nobody is wanted any more
  std::uint64_t loops_ = 0;  // begun so far: a thread helps in each once
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<TeamExecutor> make_thread_executor(const Team& team, const ThreadLibraries& libraries) {
  return std::make_unique<ThreadExecutor>(team, libraries);
}

}  // namespace mitra::cpu
