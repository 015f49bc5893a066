// Copies of one direction: a queue of our own in front of one stream of HIP, so that urgent ones go first.
// Flow: hip device -> [copy lane] -> pieces in the stream -> completions. Thread-safety: the device's own thread.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include <mitra/device_driver.hpp>
#include <mitra/hip_driver.hpp>

#include "marks.hpp"

namespace mitra::hip {

enum class Direction : std::uint8_t { to_device, to_host, between_devices };

/// A copy is cut into pieces, and few of them are in the stream at a time: two, or more as long as these are short. The next
/// piece is that of the first urgent copy, else of the first one. Pageable host memory is copied through pinned chunks: the
/// device's thread fills or empties one while others are on their way.
class CopyLane {
 public:
  CopyLane(const Functions& functions, int device, Direction direction, const HipOptions& options, Marks& marks)
      : functions_(functions), device_(device), direction_(direction), options_(options), marks_(marks) {}
  CopyLane(const CopyLane&) = delete;
  CopyLane& operator=(const CopyLane&) = delete;

  /// @pre The stream is a stream of the device; it is the caller's.
  void use(hipStream_t stream) { stream_ = stream; }
  /// @param staged  Its end in the host's memory is pageable.
  void add(const DeviceCopy& copy, bool staged);
  bool busy() const noexcept { return !pieces_.empty() || !urgent_.empty() || !others_.empty(); }
  /// @returns Whether the first piece is over, or there is an error to be handled. It asks HIP.
  bool has_news() noexcept;
  /// Takes what has ended, and starts what can be. @returns Not ok: the device is lost.
  DeviceResult advance(std::vector<DeviceCompletion>& completions);
  /// Ends all copies with this result.
  void end_all(const DeviceResult& result, std::vector<DeviceCompletion>& completions);
  /// Gives the pinned chunks back. @pre Nothing is under way, or the device is lost.
  void destroy() noexcept;

 private:
  struct Transfer {
    DeviceCopy copy;
    bool staged = false;
    std::size_t column = 0, byte = 0;  // where the next piece begins
    unsigned pieces = 0;               // on their way
    bool queued = true;                // in one of the queues: start_more() ends it, if it is to end there
    bool ended = false;
    DeviceResult result;
    Seconds duration;
    bool started() const { return !result.ok() || column == copy.columns; }
  };
  struct Piece {
    std::shared_ptr<Transfer> transfer;
    Mark mark;
    std::size_t column = 0, byte = 0;  // where it begins
    std::size_t width = 0, columns = 0;
    std::byte* chunk = nullptr;  // of a staged one
  };

  bool has_room() const noexcept;
  bool find_chunk(Transfer& transfer);
  DeviceResult start(const std::shared_ptr<Transfer>& transfer);
  hipError_t enqueue(const Piece& piece, const char*& call);
  DeviceResult start_more(std::vector<DeviceCompletion>& completions);
  void finish(Piece& piece, std::vector<DeviceCompletion>& completions);
  void complete(const Transfer& transfer, std::vector<DeviceCompletion>& completions) const;

  static constexpr std::size_t kChunks = 4;  // two on their way, one being filled, one being emptied
  static constexpr std::size_t kPieces = 8;

  const Functions& functions_;
  const int device_;
  const Direction direction_;
  const HipOptions& options_;
  Marks& marks_;
  hipStream_t stream_ = nullptr;
  std::deque<std::shared_ptr<Transfer>> urgent_, others_;  // whose last piece has not been started
  std::deque<Piece> pieces_;                               // in the stream, in its order
  std::size_t bytes_ = 0;                                  // of these
  std::vector<std::byte*> chunks_, free_chunks_;
  bool no_more_chunks_ = false;
};

}  // namespace mitra::hip
