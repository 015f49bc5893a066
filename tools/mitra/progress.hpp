// A line on standard error that says how far a long work is; only on a terminal, and only after a second.
// Flow: call -> [progress]. Thread-safety: one owner; `done` is called from a thread of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace mitra::tool {

class Progress {
 public:
  /// @param done  How much of the work is done, 0 to 1. Thread-safe, and valid as long as this object.
  Progress(std::string what, std::function<double()> done);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void show();

  const std::string what_;
  const std::function<double()> done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mitra::tool
