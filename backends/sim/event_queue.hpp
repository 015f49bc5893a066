// What is to happen in virtual time, the earliest first: a heap whose entries can be withdrawn and given another time.
// Flow: sim driver, fluid network -> [event queue]. Thread-safety: serialised.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <mitra/error.hpp>
#include <mitra/types.hpp>

namespace mitra::sim {

/// An event that waits in an EventQueue. Ids are not used again, so that a late withdrawal finds nothing.
struct EventId {
  std::uint64_t value = 0;  ///< The order of the push, then the slot; 0: no event.
  constexpr bool operator==(const EventId&) const = default;
};

/// What an event says to the one who pushed it.
struct Event {
  std::uint64_t token = 0;
  std::uint32_t kind = 0;
};

/// A queue of (time, event). Events of the same time come in the order in which they were pushed: the same calls give
/// the same events. A heap of four children a node: as deep as half of a binary one, and the four lie side by side.
/// @cost  push, pop, retime and cancel: O(log events); measured by bench/micro/virtual_time.
class EventQueue {
 public:
  static constexpr std::size_t kLargestSize = (std::size_t{1} << 24) - 1;

  /// @param at  Zero or more; may be infinite.
  /// @throws    MisuseError when kLargestSize events wait.
  EventId push(Seconds at, Event event) {
    const std::uint32_t slot = take_slot();
    slots_[slot].event = event;
    const Entry entry{ticks_of(at), ++pushed_ << kSlotBits | slot};
    heap_.push_back(entry);
    rise(heap_.size() - 1, entry);
    return {entry.order};
  }

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  /// @returns When the first event is due; infinity when there is none.
  Seconds next_time() const {
    return Seconds(heap_.empty() ? std::numeric_limits<double>::infinity() : std::bit_cast<double>(heap_.front().ticks));
  }

  /// Takes the first event. @pre not empty
  Event pop() {
    const std::uint32_t slot = slot_of(heap_.front());
    remove_at(0);
    give_slot(slot);
    return slots_[slot].event;
  }

  bool contains(EventId id) const {
    const std::size_t slot = id.value & kSlotMask;
    if (slot >= slots_.size()) return false;
    const std::size_t position = slots_[slot].position;
    return position < heap_.size() && heap_[position].order == id.value;
  }

  /// Gives an event another time; among events of that time, it keeps the place of its push.
  /// @returns False when it has been taken or cancelled.
  bool retime(EventId id, Seconds at) {
    if (!contains(id)) return false;
    const std::size_t position = slots_[id.value & kSlotMask].position;
    const Entry entry{ticks_of(at), id.value};
    entry.ticks < heap_[position].ticks ? rise(position, entry) : sink(position, entry);
    return true;
  }

  /// @returns False when it has been taken or cancelled.
  bool cancel(EventId id) {
    if (!contains(id)) return false;
    const auto slot = static_cast<std::uint32_t>(id.value & kSlotMask);
    remove_at(slots_[slot].position);
    give_slot(slot);
    return true;
  }

 private:
  static constexpr unsigned kSlotBits = 24;
  static constexpr std::uint64_t kSlotMask = (std::uint64_t{1} << kSlotBits) - 1;
  static constexpr std::size_t kChildren = 4;

  struct Entry {
    std::uint64_t ticks;  ///< @see ticks_of
    std::uint64_t order;  ///< As in EventId.
  };
  struct Slot {
    Event event;
    std::uint32_t position;  ///< In the heap; of a free slot: the next free one.
  };

  // The bits of doubles that are not negative have the order of their values. Adding zero makes -0 one of them.
  static std::uint64_t ticks_of(Seconds at) { return std::bit_cast<std::uint64_t>(at.value + 0.0); }
  // One number of 128 bits, so that the comparison is two instructions and no branch: which of two events is the earlier
  // one is a coin toss to the processor. Twice as fast as comparing first times, then orders.
  __extension__ using Key = unsigned __int128;
  static bool before(const Entry& a, const Entry& b) {
    return (Key{a.ticks} << 64 | a.order) < (Key{b.ticks} << 64 | b.order);
  }
  static std::uint32_t slot_of(const Entry& entry) { return static_cast<std::uint32_t>(entry.order & kSlotMask); }

  std::uint32_t take_slot() {
    if (free_ != kNoSlot) {
      const std::uint32_t slot = free_;
      free_ = slots_[slot].position;
      return slot;
    }
    if (slots_.size() >= kLargestSize)
      throw MisuseError(detail::message("more than ", kLargestSize,
                                        " events wait in virtual time; submit fewer tasks at a time (Config::window)"));
    slots_.push_back({});
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  void give_slot(std::uint32_t slot) {
    slots_[slot].position = free_;
    free_ = slot;
  }

  void put(std::size_t position, const Entry& entry) {
    heap_[position] = entry;
    slots_[slot_of(entry)].position = static_cast<std::uint32_t>(position);
  }
  /// Puts `entry` where `position` is a hole, or above.
  void rise(std::size_t position, const Entry entry) {
    while (position > 0) {
      const std::size_t parent = (position - 1) / kChildren;
      if (!before(entry, heap_[parent])) break;
      put(position, heap_[parent]);
      position = parent;
    }
    put(position, entry);
  }
  /// Puts `entry` where `position` is a hole, or below.
  void sink(std::size_t position, const Entry entry) {
    const std::size_t size = heap_.size();
    for (;;) {
      const std::size_t first = position * kChildren + 1;
      if (first >= size) break;
      std::size_t least = first;
      if (first + kChildren <= size) {
        const std::size_t left = first + before(heap_[first + 1], heap_[first]);
        const std::size_t right = first + 2 + before(heap_[first + 3], heap_[first + 2]);
        least = before(heap_[right], heap_[left]) ? right : left;
      } else {
        for (std::size_t child = first + 1; child < size; ++child)
          if (before(heap_[child], heap_[least])) least = child;
      }
      if (!before(heap_[least], entry)) break;
      put(position, heap_[least]);
      position = least;
    }
    put(position, entry);
  }
  void remove_at(std::size_t position) {
    const Entry last = heap_.back();
    heap_.pop_back();
    if (position == heap_.size()) return;
    if (position > 0 && before(last, heap_[(position - 1) / kChildren]))
      rise(position, last);
    else
      sink(position, last);
  }

  static constexpr std::uint32_t kNoSlot = static_cast<std::uint32_t>(-1);
  std::vector<Entry> heap_;
  std::vector<Slot> slots_;
  std::uint32_t free_ = kNoSlot;
  std::uint64_t pushed_ = 0;
};

}  // namespace mitra::sim
