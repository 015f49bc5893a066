// What a policy that looks ahead keeps of each task, by id: dense pages, given back when all of their tasks are forgotten.
// Flow: schedulers. Thread-safety: serialised.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include <mitra/types.hpp>

namespace mitra {

/// A map from TaskId to T for ids that come close together. References stay valid until their entry is erased.
/// @cost  A lookup beside the last one is two loads; elsewhere, one lookup in a hash table.
template <class T>
class TaskTable {
 public:
  /// @returns The entry of `id`, made if there was none.
  T& operator[](TaskId id) {
    Page& page = page_of(id.value >> kBits, true)[0];
    const std::size_t i = id.value & (kSize - 1);
    if (!page.used[i]) {
      page.used[i] = true;
      ++page.count;
      page.entries[i] = T{};
    }
    return page.entries[i];
  }
  /// @returns Null if there is none.
  T* find(TaskId id) {
    Page* page = page_of(id.value >> kBits, false);
    const std::size_t i = id.value & (kSize - 1);
    return page != nullptr && page->used[i] ? &page->entries[i] : nullptr;
  }
  void erase(TaskId id) {
    Page* page = page_of(id.value >> kBits, false);
    const std::size_t i = id.value & (kSize - 1);
    if (page == nullptr || !page->used[i]) return;
    page->used[i] = false;
    if (--page->count != 0) return;
    pages_.erase(id.value >> kBits);
    last_ = nullptr;
  }
  bool empty() const { return pages_.empty(); }

 private:
  static constexpr unsigned kBits = 8;
  static constexpr std::size_t kSize = std::size_t{1} << kBits;
  struct Page {
    std::array<T, kSize> entries{};
    std::bitset<kSize> used;
    std::size_t count = 0;
  };
  Page* page_of(std::uint64_t number, bool make) {
    if (last_ != nullptr && last_number_ == number) return last_;
    const auto found = pages_.find(number);
    Page* page = found != pages_.end() ? found->second.get() : nullptr;
    if (page == nullptr) {
      if (!make) return nullptr;
      page = (pages_[number] = std::make_unique<Page>()).get();
    }
    last_ = page;
    last_number_ = number;
    return page;
  }

  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
  Page* last_ = nullptr;
  std::uint64_t last_number_ = 0;
};

}  // namespace mitra
