// What the split function of a codelet is given, and whether it can be called with that.
// Flow: Runtime::submit -> [splitting] -> compile-time checks. Thread-safety: immutable code.
#pragma once

#include <type_traits>
#include <vector>

#include <mitra/detail/submission.hpp>

namespace mitra::detail {

/// What it is given for each argument.
template <class Arg> struct SplitGivenOf { using type = TypeList<const Arg&>; };
template <class T> struct SplitGivenOf<Parameter<T>> { using type = TypeList<const T&>; };
template <class Kind, AccessMode Mode> struct SplitGivenOf<Access<Kind, Mode>> { using type = TypeList<DataRef<Kind>>; };
template <AccessMode Mode> struct SplitGivenOf<Access<TokenKind, Mode>> { using type = TypeList<>; };
template <class Kind> struct SplitGivenOf<Access<Kind, AccessMode::scratch>> { using type = TypeList<>; };
template <class Kind, AccessMode Mode> struct SplitGivenOf<AccessList<Kind, Mode>> {
  using type = TypeList<std::vector<DataRef<Kind>>>;
};
template <AccessMode Mode> struct SplitGivenOf<AccessList<TokenKind, Mode>> { using type = TypeList<>; };
template <class... Args> struct SplitGivenList { using type = TypeList<>; };
template <class Arg, class... Args> struct SplitGivenList<Arg, Args...> {
  using type = typename Concat<typename SplitGivenOf<Arg>::type, typename SplitGivenList<Args...>::type>::type;
};
template <class F, class Runtime, class Given> struct CheckSplit;
template <class F, class Runtime, class... Given> struct CheckSplit<F, Runtime, TypeList<Given...>> {
  static constexpr bool run() {
    static_assert(std::is_invocable_v<const F&, Runtime&, Given...>,
                  "mitra: the function given to .split() takes mitra::Runtime&, then a TileRef, VectorRef or DataRef for each "
                  "access (a std::vector of them for a list; tokens and scratch give none), and the values");
    return true;
  }
};

}  // namespace mitra::detail
