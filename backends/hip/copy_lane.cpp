#include "copy_lane.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mitra::hip {

namespace {

void copy_columns(std::byte* to, std::size_t to_pitch, const std::byte* from, std::size_t from_pitch, std::size_t width,
                  std::size_t columns) {
  for (std::size_t c = 0; c < columns; ++c) std::memcpy(to + c * to_pitch, from + c * from_pitch, width);
}

std::byte* at(const CopyEnd& end, std::size_t column, std::size_t byte) {
  return end.address + column * end.pitch + byte;
}

}  // namespace

void CopyLane::add(const DeviceCopy& copy, bool staged) {
  auto transfer = std::make_shared<Transfer>();
  transfer->copy = copy;
  transfer->staged = staged;
  // Without gaps it is one long column.
  const bool no_gaps = copy.from.pitch == copy.width && copy.to.pitch == copy.width;
  if (no_gaps && copy.columns > 1) {
    DeviceCopy& c = transfer->copy;
    c.width *= c.columns;
    c.columns = 1;
    c.from.pitch = c.to.pitch = c.width;
  }
  if (transfer->copy.width == 0) transfer->copy.columns = 0;
  (copy.urgent ? urgent_ : others_).push_back(std::move(transfer));
}

bool CopyLane::has_news() noexcept {
  return !pieces_.empty() && marks_.look(pieces_.front().mark) != Progress::running;
}

DeviceResult CopyLane::advance(std::vector<DeviceCompletion>& completions) {
  while (!pieces_.empty()) {
    Piece& piece = pieces_.front();
    const Progress progress = marks_.look(piece.mark);
    if (progress == Progress::running) break;
    if (progress == Progress::lost) return result_of(functions_, piece.mark.error, "a copy", device_);
    finish(piece, completions);
    bytes_ -= piece.width * piece.columns;
    pieces_.pop_front();
  }
  return start_more(completions);
}

void CopyLane::finish(Piece& piece, std::vector<DeviceCompletion>& completions) {
  Transfer& transfer = *piece.transfer;
  const bool ok = piece.mark.error == hipSuccess;
  if (!ok && transfer.result.ok())
    transfer.result = result_of(functions_, piece.mark.error, "hipEventQuery for a copy", device_);
  transfer.duration += marks_.duration(piece.mark);
  marks_.drop(piece.mark);
  if (piece.chunk != nullptr) {
    if (direction_ == Direction::to_host && ok)
      copy_columns(at(transfer.copy.to, piece.column, piece.byte), transfer.copy.to.pitch, piece.chunk, piece.width,
                   piece.width, piece.columns);
    free_chunks_.push_back(piece.chunk);
  }
  --transfer.pieces;
  if (transfer.pieces == 0 && !transfer.queued) complete(transfer, completions);
}

void CopyLane::complete(const Transfer& transfer, std::vector<DeviceCompletion>& completions) const {
  completions.push_back({DeviceCompletion::Kind::copy, transfer.copy.token, transfer.result, transfer.duration});
}

bool CopyLane::has_room() const noexcept {
  return pieces_.size() < 2 || (pieces_.size() < kPieces && bytes_ < options_.piece.value);
}

/// @returns False if it has to wait for a chunk. Where none can be had at all, the copy goes without: HIP stages it then,
///          and blocks meanwhile.
bool CopyLane::find_chunk(Transfer& transfer) {
  if (!free_chunks_.empty()) return true;
  if (chunks_.size() < kChunks && !no_more_chunks_) {
    void* memory = nullptr;
    if (functions_.hipHostMalloc(&memory, options_.staging.value, hipHostMallocPortable) == hipSuccess &&
        memory != nullptr) {
      chunks_.push_back(static_cast<std::byte*>(memory));
      free_chunks_.push_back(chunks_.back());
      return true;
    }
    no_more_chunks_ = true;
  }
  if (chunks_.empty()) transfer.staged = false;
  return chunks_.empty();
}

DeviceResult CopyLane::start_more(std::vector<DeviceCompletion>& completions) {
  while (has_room()) {
    auto& queue = urgent_.empty() ? others_ : urgent_;
    if (queue.empty()) return {};
    const std::shared_ptr<Transfer> transfer = queue.front();
    if (!transfer->started()) {
      if (transfer->staged && !find_chunk(*transfer)) return {};
      const DeviceResult result = start(transfer);
      if (result.status == DeviceStatus::lost) return result;
      if (!result.ok() && transfer->result.ok()) transfer->result = result;
    }
    if (!transfer->started()) continue;
    queue.pop_front();
    transfer->queued = false;
    if (transfer->pieces == 0) complete(*transfer, completions);
  }
  return {};
}

/// Puts the next piece of a copy into the stream. @returns Not ok: the copy has failed, or the device is lost.
DeviceResult CopyLane::start(const std::shared_ptr<Transfer>& transfer) {
  const DeviceCopy& copy = transfer->copy;
  const std::size_t room = std::max<std::size_t>(1, transfer->staged ? options_.staging.value : options_.piece.value);
  Piece piece{transfer, {}, transfer->column, transfer->byte, 0, 1, nullptr};
  if (copy.width > room) {  // a part of a column
    piece.width = std::min(copy.width - transfer->byte, room);
  } else {
    piece.width = copy.width;
    piece.columns = std::min(copy.columns - transfer->column, room / copy.width);
  }

  if (const hipError_t error = marks_.begin(piece.mark, stream_); error != hipSuccess)
    return result_of(functions_, error, "hipEventRecord for a copy", device_);
  if (transfer->staged) {
    piece.chunk = free_chunks_.back();
    if (direction_ == Direction::to_device)
      copy_columns(piece.chunk, piece.width, at(copy.from, piece.column, piece.byte), copy.from.pitch, piece.width,
                   piece.columns);
  }
  const char* call = "";
  if (const hipError_t error = enqueue(piece, call); error != hipSuccess) {
    marks_.drop(piece.mark);  // the first event is recorded, and nobody asks for it
    return result_of(functions_, error, call, device_);
  }
  if (transfer->staged) free_chunks_.pop_back();
  const hipError_t error = marks_.end(piece.mark);

  transfer->byte += piece.width;
  if (transfer->byte == copy.width) {
    transfer->byte = 0;
    transfer->column += piece.columns;
  }
  ++transfer->pieces;
  bytes_ += piece.width * piece.columns;
  pieces_.push_back(std::move(piece));
  return error == hipSuccess || status_after(error) != DeviceStatus::lost
             ? DeviceResult{}
             : result_of(functions_, error, "hipEventRecord after a copy", device_);
}

hipError_t CopyLane::enqueue(const Piece& piece, const char*& call) {
  const DeviceCopy& copy = piece.transfer->copy;
  std::byte* from = at(copy.from, piece.column, piece.byte);
  std::byte* to = at(copy.to, piece.column, piece.byte);
  std::size_t from_pitch = copy.from.pitch, to_pitch = copy.to.pitch;
  if (piece.chunk != nullptr && direction_ == Direction::to_device) from = piece.chunk, from_pitch = piece.width;
  if (piece.chunk != nullptr && direction_ == Direction::to_host) to = piece.chunk, to_pitch = piece.width;

  const hipMemcpyKind kind = direction_ == Direction::to_device ? hipMemcpyHostToDevice
                             : direction_ == Direction::to_host ? hipMemcpyDeviceToHost
                                                                : hipMemcpyDeviceToDevice;
  if (piece.columns > 1) {
    call = "hipMemcpy2DAsync";
    return functions_.hipMemcpy2DAsync(to, to_pitch, from, from_pitch, piece.width, piece.columns, kind, stream_);
  }
  if (direction_ == Direction::between_devices && copy.from.device != copy.to.device) {
    call = "hipMemcpyPeerAsync";
    return functions_.hipMemcpyPeerAsync(to, copy.to.device, from, copy.from.device, piece.width, stream_);
  }
  call = "hipMemcpyAsync";
  return functions_.hipMemcpyAsync(to, from, piece.width, kind, stream_);
}

void CopyLane::end_all(const DeviceResult& result, std::vector<DeviceCompletion>& completions) {
  // A copy with pieces on their way may be in a queue too; it ends once.
  const auto end = [&](Transfer& transfer) {
    if (std::exchange(transfer.ended, true)) return;
    transfer.result = result;
    complete(transfer, completions);
  };
  for (Piece& piece : pieces_) {
    end(*piece.transfer);
    if (piece.chunk != nullptr) free_chunks_.push_back(piece.chunk);
    marks_.drop(piece.mark);
  }
  for (const auto& transfer : urgent_) end(*transfer);
  for (const auto& transfer : others_) end(*transfer);
  pieces_.clear();
  urgent_.clear();
  others_.clear();
  bytes_ = 0;
}

void CopyLane::destroy() noexcept {
  for (std::byte* chunk : chunks_) static_cast<void>(functions_.hipHostFree(chunk));
  chunks_.clear();
  free_chunks_.clear();
}

}  // namespace mitra::hip
