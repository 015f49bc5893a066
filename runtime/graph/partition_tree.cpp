// Flow: Runtime::tiled -> [partition tree] -> tree levels.
#include "graph/partition_tree.hpp"

#include <algorithm>
#include <string>

namespace mitra::graph {

Datum::Datum() = default;
Datum::~Datum() = default;

bool exclude_each_other(const Datum& a, const Datum& b) {
  if (&a == &b || !in_tree(a) || !in_tree(b) || a.tree->root != b.tree->root) return false;
  const Datum *x = &a, *y = &b;
  const Partition *from_x = nullptr, *from_y = nullptr;
  const auto up = [](const Datum*& at, const Partition*& through) {
    through = at->tree->within;
    at = through->whole;
  };
  while (x->tree->depth > y->tree->depth) up(x, from_x);
  while (y->tree->depth > x->tree->depth) up(y, from_y);
  while (x != y) {
    up(x, from_x);
    up(y, from_y);
  }
  return from_x == nullptr || from_y == nullptr || from_x != from_y || from_x->read_only();
}

Partition* find_partition(const Datum& whole, const detail::PartitionSpec& spec) {
  if (whole.tree == nullptr) return nullptr;
  for (const auto& partition : whole.tree->partitions)
    if (partition->spec == spec) return partition.get();
  return nullptr;
}

std::unique_ptr<Partition> make_partition(Datum& whole, const detail::PartitionSpec& spec) {
  auto partition = std::make_unique<Partition>();
  partition->whole = &whole;
  partition->spec = spec;
  const detail::Shape& shape = whole.shape;
  const bool vector = shape.cols == 1 && spec.cols == 1 && spec.halo_cols == 0;
  const auto first = [](std::size_t at, std::size_t halo) { return at > halo ? at - halo : 0; };
  for (std::size_t j = 0; j < shape.cols; j += spec.cols)
    for (std::size_t i = 0; i < shape.rows; i += spec.rows) {
      const std::size_t row = first(i, spec.halo_rows), col = first(j, spec.halo_cols);
      auto part = std::make_unique<Datum>();
      part->shape = shape;
      part->shape.rows = std::min(i + std::min(spec.rows, shape.rows - i) + spec.halo_rows, shape.rows) - row;
      part->shape.cols = std::min(j + std::min(spec.cols, shape.cols - j) + spec.halo_cols, shape.cols) - col;
      part->name = vector ? detail::message(whole.name, '(', i / spec.rows, ')')
                          : detail::message(whole.name, '(', i / spec.rows, ',', j / spec.cols, ')');
      part->engine_serial = whole.engine_serial;
      part->lent = whole.lent;
      part->registered_in = whole.registered_in;
      part->tree = std::make_unique<TreeNode>();
      part->tree->root = whole.tree->root;
      part->tree->within = partition.get();
      part->tree->offset = whole.tree->offset + (row + col * shape.ld) * shape.element_size;
      part->tree->depth = whole.tree->depth + 1;
      part->root.in_tree.store(true, std::memory_order_release);
      partition->headers.push_back(part.get());
      partition->parts.push_back(std::move(part));
    }
  return partition;
}

void place_parts(Datum& root) {
  void* const base = root.host;
  for_each_in_tree(root, [base](Datum& datum) {
    void* const address = base == nullptr ? nullptr : static_cast<std::byte*>(base) + datum.tree->offset;
    // Release: as of a datum's own first address; see memory::home_address.
    std::atomic_ref(datum.host).store(address, std::memory_order_release);
  });
}

}  // namespace mitra::graph
