// Two events around work in a stream: when it is over, and how long it took.
// Flow: launches, pieces of copies -> [marks] -> poll. Thread-safety: the device's own thread.
#pragma once

#include <vector>

#include <mitra/types.hpp>

#include "errors.hpp"

namespace mitra::hip {

/// Work of one stream. Where its last event is of no use, the work is over when the whole stream is.
struct Mark {
  hipStream_t stream = nullptr;
  hipEvent_t start = nullptr, stop = nullptr;
  bool by_stream = false;
  bool lost = false;
  hipError_t error = hipSuccess;  ///< What HIP said when it was asked.
};

enum class Progress : std::uint8_t {
  running,
  over,  ///< If `error` is none of success, nobody knows what the work has done.
  lost,  ///< Nobody can tell any more what runs; `error` says why.
};

class Marks {
 public:
  explicit Marks(const Functions& functions) noexcept : functions_(functions) {}
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;

  /// Before the work. @returns An error of HIP if there are no events; nothing was enqueued then.
  hipError_t begin(Mark& mark, hipStream_t stream) {
    mark = Mark{};
    mark.stream = stream;
    hipError_t error = take(mark.start);
    if (error == hipSuccess) error = take(mark.stop);
    if (error == hipSuccess) error = functions_.hipEventRecord(mark.start, stream);
    if (error != hipSuccess) drop(mark);
    return error;
  }

  /// After the work was enqueued. @returns What HIP said; the mark works in any case.
  hipError_t end(Mark& mark) noexcept {
    const hipError_t error = functions_.hipEventRecord(mark.stop, mark.stream);
    if (error != hipSuccess) mark.by_stream = true;
    return error;
  }

  Progress look(Mark& mark) noexcept {
    if (mark.lost) return Progress::lost;
    const hipError_t answer =
        mark.by_stream ? functions_.hipStreamQuery(mark.stream) : functions_.hipEventQuery(mark.stop);
    if (answer == hipSuccess) return Progress::over;
    if (answer == hipErrorNotReady) return Progress::running;
    mark.error = answer;
    // The stream was the last to ask. Memory that work might still touch must not be given to others: the device is lost.
    mark.lost = mark.by_stream || status_after(answer) == DeviceStatus::lost;
    mark.by_stream = true;
    return mark.lost ? Progress::lost : look(mark);
  }

  /// @pre look() said `over`. @returns 0 where HIP cannot tell.
  Seconds duration(const Mark& mark) const noexcept {
    float milliseconds = 0.0F;
    if (mark.by_stream || functions_.hipEventElapsedTime(&milliseconds, mark.start, mark.stop) != hipSuccess)
      return Seconds(0.0);
    return Seconds(milliseconds > 0.0F ? static_cast<double>(milliseconds) * 1e-3 : 0.0);
  }

  /// Its events may mark other work from now on.
  void drop(Mark& mark) {
    if (mark.start != nullptr) free_.push_back(mark.start);
    if (mark.stop != nullptr) free_.push_back(mark.stop);
    mark.start = mark.stop = nullptr;
  }

  void destroy() noexcept {
    for (hipEvent_t event : free_) static_cast<void>(functions_.hipEventDestroy(event));
    free_.clear();
  }

 private:
  hipError_t take(hipEvent_t& event) {
    if (free_.empty()) return functions_.hipEventCreateWithFlags(&event, hipEventDefault);
    event = free_.back();
    free_.pop_back();
    return hipSuccess;
  }

  const Functions& functions_;
  std::vector<hipEvent_t> free_;
};

}  // namespace mitra::hip
