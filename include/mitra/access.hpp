// How a task touches a datum, and the typed access that a handle's method returns.
// Flow: application -> [access] -> Runtime::submit. Thread-safety: immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mitra/source_location.hpp>

namespace mitra {

/// What a task does with a datum. Conflicting accesses run in submission order.
///
///               | read | write | readwrite | commute | reduce | scratch
///  read         |  -   | order |   order   |  order  | order  |   -
///  write, rw    | order| order |   order   |  order  | order  |   -
///  commute      | order| order |   order   | exclude | order  |   -
///  reduce       | order| order |   order   |  order  |   -    |   -       (same operation; another one: order)
///  scratch      |  -   |   -   |     -     |    -    |   -    |   -
enum class AccessMode : std::uint8_t {
  read,       ///< The content is read.
  write,      ///< The content is replaced: the old one is not fetched.
  readwrite,  ///< The content is read and changed.
  commute,    ///< As readwrite, in any order among its like, one at a time.
  reduce,     ///< Contributions are folded into private copies; the next other access sees the sum.
  scratch,    ///< A private buffer of this shape for the time of the task; nothing survives it.
};

constexpr bool reads_only(AccessMode mode) { return mode == AccessMode::read; }

/// The mode's name, as the documentation writes it.
constexpr const char* to_string(AccessMode mode) {
  switch (mode) {
    case AccessMode::read: return "read";
    case AccessMode::write: return "write";
    case AccessMode::readwrite: return "readwrite";
    case AccessMode::commute: return "commute";
    case AccessMode::reduce: return "reduce";
    case AccessMode::scratch: return "scratch";
  }
  return "?";
}

namespace detail {

struct DataHeader;
struct Shape;

/// How contributions are combined: one static table for each (view kind, operation).
struct ReduceOperation {
  void (*initialise)(void* copy, const Shape& shape);  ///< copy := identity
  void (*fold)(void* into, const Shape& into_shape, const void* from, const Shape& from_shape);  ///< into := into op from
};

/// A datum's address and the mode, in the eight bytes that a task record spends on an access.
/// Bits 0..47 are the address, bits 48..55 the mode, bits 56..63 the number of the reduce operation among the datum's.
class AccessWord {
 public:
  AccessWord() = default;
  AccessWord(DataHeader* data, AccessMode mode)
      : bits_(reinterpret_cast<std::uint64_t>(data) | static_cast<std::uint64_t>(mode) << 48) {}
  DataHeader* data() const { return reinterpret_cast<DataHeader*>(bits_ & ((std::uint64_t{1} << 48) - 1)); }
  AccessMode mode() const { return static_cast<AccessMode>(bits_ >> 48 & 0xff); }
  unsigned operation() const { return static_cast<unsigned>(bits_ >> 56); }
  void set_operation(unsigned number) { bits_ |= static_cast<std::uint64_t>(number) << 56; }

 private:
  std::uint64_t bits_ = 0;
};
static_assert(sizeof(AccessWord) == 8);

}  // namespace detail

/// One access of one task: made by a handle's read(), write(), ..., consumed by Runtime::submit.
/// `Kind` says which view the body receives.
template <class Kind, AccessMode Mode>
struct Access {
  static constexpr AccessMode mode = Mode;
  using kind = Kind;

  detail::DataHeader* data = nullptr;
  const detail::ReduceOperation* operation = nullptr;  ///< Set for reduce only.
  SourceLocation where;                          ///< Where the application wrote the access.
};

}  // namespace mitra
