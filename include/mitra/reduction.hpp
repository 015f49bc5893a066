// Operations for AccessMode::reduce, and how they act on whole views.
// Flow: handle.reduce(op) -> [reduction] -> memory manager's private copies. Thread-safety: immutable.
#pragma once

#include <cstddef>
#include <limits>

#include <mitra/access.hpp>
#include <mitra/detail/data_header.hpp>
#include <mitra/view.hpp>

namespace mitra {

// An operation for elements has identity<T>() and operator()(a, b), associative and commutative up to rounding.
// An operation for whole views (custom types) has initialise(view) and fold(view into, const_view from) instead.
struct Sum {
  template <class T> static T identity() { return T(0); }
  template <class T> T operator()(T a, T b) const { return a + b; }
};
struct Product {
  template <class T> static T identity() { return T(1); }
  template <class T> T operator()(T a, T b) const { return a * b; }
};
struct Minimum {
  template <class T> static T identity() { return std::numeric_limits<T>::max(); }
  template <class T> T operator()(T a, T b) const { return b < a ? b : a; }
};
struct Maximum {
  template <class T> static T identity() { return std::numeric_limits<T>::lowest(); }
  template <class T> T operator()(T a, T b) const { return a < b ? b : a; }
};

namespace detail {

template <class T, class Element>
void for_each_element(View<T> view, Element&& element) {
  for (std::size_t i = 0; i < view.size(); ++i) element(view[i], i, std::size_t{0});
}
template <class T, class Element>
void for_each_element(Tile<T> tile, Element&& element) {
  for (std::size_t j = 0; j < tile.cols(); ++j)
    for (std::size_t i = 0; i < tile.rows(); ++i) element(tile(i, j), i, j);
}
template <class T, class Element>
void for_each_element(T& object, Element&& element) {
  element(object, std::size_t{0}, std::size_t{0});
}

template <class T> T& element_at(View<T> view, std::size_t i, std::size_t) { return view[i]; }
template <class T> T& element_at(Tile<T> tile, std::size_t i, std::size_t j) { return tile(i, j); }
template <class T> T& element_at(T& object, std::size_t, std::size_t) { return object; }

template <class Operation, class Kind>
concept FoldsViews = requires(Operation op, typename Kind::view into, typename Kind::const_view from) {
  op.initialise(into);
  op.fold(into, from);
};

template <class Kind, class Operation>
inline constexpr ReduceOperation reduce_operation = {
    .initialise =
        [](void* copy, const Shape& shape) {
          if constexpr (FoldsViews<Operation, Kind>) {
            Operation{}.initialise(Kind::make(copy, shape));
          } else {
            decltype(auto) view = Kind::make(copy, shape);
            for_each_element(view, [](auto& e, std::size_t, std::size_t) {
              using T = std::remove_reference_t<decltype(e)>;
              e = Operation::template identity<T>();
            });
          }
        },
    .fold =
        [](void* into, const Shape& into_shape, const void* from, const Shape& from_shape) {
          if constexpr (FoldsViews<Operation, Kind>) {
            Operation{}.fold(Kind::make(into, into_shape), Kind::make_const(from, from_shape));
          } else {
            decltype(auto) source = Kind::make_const(from, from_shape);
            decltype(auto) target = Kind::make(into, into_shape);
            for_each_element(target, [&](auto& e, std::size_t i, std::size_t j) { e = Operation{}(e, element_at(source, i, j)); });
          }
        },
};

}  // namespace detail

}  // namespace mitra
