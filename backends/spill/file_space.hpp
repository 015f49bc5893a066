// Which parts of a file are taken: ranges, first fit, neighbours that are free become one.
// Flow: spill driver -> [file space]. Thread-safety: none.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>
#include <optional>

namespace mitra::spill {

class FileSpace {
 public:
  /// @param limit  Bytes that may be taken at the same time; 0: any number.
  explicit FileSpace(std::uint64_t limit) : limit_(limit) {}

  /// @returns Where `size` bytes begin; none if they are more than the limit leaves. @cost O(free ranges)
  std::optional<std::uint64_t> take(std::uint64_t size) {
    if (limit_ != 0 && (size > limit_ || taken_ > limit_ - size)) return std::nullopt;
    taken_ += size;
    for (auto range = free_.begin(); range != free_.end(); ++range) {
      const auto [begin, length] = *range;
      if (length < size) continue;
      free_.erase(range);
      if (length > size) free_.emplace(begin + size, length - size);
      return begin;
    }
    const std::uint64_t begin = end_;
    end_ += size;
    return begin;
  }

  void give(std::uint64_t begin, std::uint64_t size) {
    taken_ -= size;
    auto next = free_.lower_bound(begin);
    if (next != free_.begin()) {
      const auto previous = std::prev(next);
      if (previous->first + previous->second == begin) {
        begin = previous->first;
        size += previous->second;
        free_.erase(previous);
      }
    }
    if (next != free_.end() && begin + size == next->first) {
      size += next->second;
      next = free_.erase(next);
    }
    if (begin + size == end_)
      end_ = begin;  // the file may end there
    else
      free_.emplace(begin, size);
  }

  std::uint64_t taken() const { return taken_; }
  /// @returns Nothing is taken at or behind this place.
  std::uint64_t end() const { return end_; }

 private:
  const std::uint64_t limit_;
  std::uint64_t taken_ = 0, end_ = 0;
  std::map<std::uint64_t, std::uint64_t> free_;  // begin -> size
};

}  // namespace mitra::spill
