// What a task's body receives: a vector, a tile, an object. Views do not own.
// Flow: memory manager -> [view] -> task body. Thread-safety: immutable; the elements belong to the task while it runs.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

namespace mitra {

/// Contiguous elements. `View<const T>` for a read access, `View<T>` for all others.
template <class T>
class View {
 public:
  using element_type = T;
  View() = default;
  View(T* data, std::size_t size) : data_(data), size_(size) {}

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) const { return data_[i]; }
  T* begin() const { return data_; }
  T* end() const { return data_ + size_; }
  std::span<T> span() const { return {data_, size_}; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A column-major matrix block with a leading dimension, as BLAS and LAPACK take it: element (i, j) at data()[i + j*ld()].
template <class T>
class Tile {
 public:
  using element_type = T;
  Tile() = default;
  Tile(T* data, std::size_t rows, std::size_t cols, std::size_t ld) : data_(data), rows_(rows), cols_(cols), ld_(ld) {}

  T* data() const { return data_; }
  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  std::size_t ld() const { return ld_; }
  T& operator()(std::size_t i, std::size_t j) const { return data_[i + j * ld_]; }

 private:
  T* data_ = nullptr;
  std::size_t rows_ = 0, cols_ = 0, ld_ = 0;
};

}  // namespace mitra
