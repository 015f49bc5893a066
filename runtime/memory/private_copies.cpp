#include "memory/private_copies.hpp"

#include <new>
#include <utility>

#include "graph/partition_tree.hpp"

namespace mitra::memory {

namespace {

void* allocate(graph::Datum& datum, Driver& driver) {
  void* buffer = driver.allocate(NodeId(0), datum.shape.bytes());
  if (buffer == nullptr) throw std::bad_alloc();
  return buffer;
}

/// Operations are the application's, and may throw.
struct ScratchReturn {
  graph::Datum& datum;
  void* buffer;
  ~ScratchReturn() { give_scratch(datum, buffer); }
};

}  // namespace

void* take_reduce_copy(graph::Datum& datum, const detail::ReduceOperation& operation, Driver& driver) {
  {
    std::scoped_lock lock(datum.mutex);
    if (!datum.partial_results.empty()) {
      void* copy = datum.partial_results.back();
      datum.partial_results.pop_back();
      return copy;
    }
  }
  void* copy = take_scratch(datum, driver);
  try {
    operation.initialise(copy, datum.shape.packed());
  } catch (...) {
    give_scratch(datum, copy);
    throw;
  }
  return copy;
}

void give_reduce_copy(graph::Datum& datum, void* copy) {
  std::scoped_lock lock(datum.mutex);
  datum.partial_results.push_back(copy);
}

void* take_scratch(graph::Datum& datum, Driver& driver) {
  {
    std::scoped_lock lock(datum.mutex);
    if (!datum.idle_copies.empty()) {
      void* buffer = datum.idle_copies.back();
      datum.idle_copies.pop_back();
      return buffer;
    }
  }
  return allocate(datum, driver);
}

void give_scratch(graph::Datum& datum, void* buffer) {
  std::scoped_lock lock(datum.mutex);
  datum.idle_copies.push_back(buffer);
}

PartialResults::PartialResults(graph::Datum& datum) : datum_(datum) {
  std::scoped_lock lock(datum.mutex);
  copies_.swap(datum.partial_results);
}

PartialResults::~PartialResults() {
  for (void* copy : copies_) give_scratch(datum_, copy);
}

void fold_copies(graph::Datum& datum, const detail::ReduceOperation& operation, void* into, void* from) {
  const ScratchReturn given_back{datum, from};
  const detail::Shape packed = datum.shape.packed();
  operation.fold(into, packed, from, packed);
}

void fold_into_datum(graph::Datum& datum, const detail::ReduceOperation& operation, void* copy) {
  operation.fold(datum.host, datum.shape, copy, datum.shape.packed());
}

void* home_address(graph::Datum& datum, Driver& driver) {
  graph::Datum& root = graph::root_of(datum);
  std::scoped_lock lock(root.mutex);
  if (root.host == nullptr && root.shape.bytes() > Bytes(0)) {
    // Written once, by the first task that touches the datum; concurrent first readers take the lock. Bodies that read
    // `host` without it are ordered after this write by their dependencies, or see null and come here.
    std::atomic_ref(root.host).store(allocate(root, driver), std::memory_order_release);
    root.allocated_by_mitra = true;
  }
  if (datum.host == nullptr && root.host != nullptr)
    std::atomic_ref(datum.host).store(static_cast<std::byte*>(root.host) + datum.tree->offset, std::memory_order_release);
  return datum.host;
}

void free_home(graph::Datum& datum, Driver& driver) noexcept {
  if (graph::in_tree(datum)) return;
  std::scoped_lock lock(datum.mutex);
  if (!datum.allocated_by_mitra || datum.host == nullptr) return;
  driver.release(NodeId(0), datum.host, datum.shape.bytes());
  std::atomic_ref(datum.host).store(nullptr, std::memory_order_release);
}

void release_all(graph::Datum& datum, Driver& driver) noexcept {
  std::scoped_lock lock(datum.mutex);
  for (auto* list : {&datum.idle_copies, &datum.partial_results}) {
    for (void* buffer : *list) driver.release(NodeId(0), buffer, datum.shape.bytes());
    list->clear();
  }
  if (datum.allocated_by_mitra && datum.host != nullptr) {
    driver.release(NodeId(0), datum.host, datum.shape.bytes());
    datum.host = nullptr;
  }
}

}  // namespace mitra::memory
