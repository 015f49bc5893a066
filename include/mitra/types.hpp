// Units and identities as types, so that two of them cannot trade places.
// Flow: every layer. Thread-safety: immutable.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace mitra {

/// A number with a unit. Same-unit sums and comparisons, scaling by plain numbers, and ratios; nothing else compiles.
template <class Unit>
struct Quantity {
  double value = 0.0;

  constexpr Quantity() = default;
  constexpr explicit Quantity(double v) : value(v) {}
  constexpr auto operator<=>(const Quantity&) const = default;

  constexpr Quantity& operator+=(Quantity other) { value += other.value; return *this; }
  constexpr Quantity& operator-=(Quantity other) { value -= other.value; return *this; }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return Quantity(a.value + b.value); }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return Quantity(a.value - b.value); }
  friend constexpr Quantity operator*(Quantity a, double k) { return Quantity(a.value * k); }
  friend constexpr Quantity operator*(double k, Quantity a) { return Quantity(a.value * k); }
  friend constexpr Quantity operator/(Quantity a, double k) { return Quantity(a.value / k); }
  friend constexpr double operator/(Quantity a, Quantity b) { return a.value / b.value; }
};

using Seconds = Quantity<struct SecondUnit>;  ///< Time, s.
using Joules = Quantity<struct JouleUnit>;    ///< Energy, J.
using Watts = Quantity<struct WattUnit>;      ///< Power, W.

constexpr Joules operator*(Watts p, Seconds t) { return Joules(p.value * t.value); }
constexpr Joules operator*(Seconds t, Watts p) { return p * t; }
constexpr Watts operator/(Joules e, Seconds t) { return Watts(e.value / t.value); }
constexpr Seconds operator/(Joules e, Watts p) { return Seconds(e.value / p.value); }

/// An amount of memory, in bytes.
struct Bytes {
  std::uint64_t value = 0;

  constexpr Bytes() = default;
  constexpr explicit Bytes(std::uint64_t v) : value(v) {}
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes other) { value += other.value; return *this; }
  friend constexpr Bytes operator+(Bytes a, Bytes b) { return Bytes(a.value + b.value); }
};

/// An identity: a number that can be compared, and not computed with.
template <class Tag, class Number>
struct Identity {
  static constexpr Number kNone = static_cast<Number>(-1);
  Number value = kNone;

  constexpr Identity() = default;
  constexpr explicit Identity(Number v) : value(v) {}
  constexpr auto operator<=>(const Identity&) const = default;
  constexpr bool valid() const { return value != kNone; }
  /// The identity as an index. @pre valid()
  constexpr std::size_t index() const { return static_cast<std::size_t>(value); }
};

using TaskId = Identity<struct TaskTag, std::uint64_t>;     ///< Grows in submission order.
using WorkerId = Identity<struct WorkerTag, std::uint32_t>; ///< 0 .. workers-1 of one Runtime.
using ClassId = Identity<struct ClassTag, std::uint32_t>;   ///< A class of equal workers.
using NodeId = Identity<struct NodeTag, std::uint32_t>;     ///< A memory node; 0 is the host's memory.

}  // namespace mitra

template <class Tag, class Number>
struct std::hash<mitra::Identity<Tag, Number>> {
  std::size_t operator()(mitra::Identity<Tag, Number> id) const noexcept { return std::hash<Number>{}(id.value); }
};
