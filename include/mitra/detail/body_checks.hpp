// Does a body take what a submission gives? A wrong pair is an error of one readable line.
// Flow: Runtime::submit -> [body checks]. Thread-safety: immutable code.
#pragma once

#include <type_traits>

#include <mitra/detail/arguments.hpp>

namespace mitra::detail {

template <class... Types>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Types);
};
template <class A, class B>
struct Concat;
template <class... As, class... Bs>
struct Concat<TypeList<As...>, TypeList<Bs...>> {
  using type = TypeList<As..., Bs...>;
};

/// What a body is given for each argument.
template <class T> struct GivenValue { using type = const T&; };
template <class Kind> struct GivenRead { using type = typename Kind::const_view; };
template <class Kind> struct GivenWrite { using type = typename Kind::view; };
template <class Kind, AccessMode Mode> struct GivenViews { using type = Views<Kind, Mode>; };

struct GivenAnyViews { using type = AnyViews; };

template <class Arg> struct GivenOf { using type = TypeList<GivenValue<Arg>>; };
template <class T> struct GivenOf<Parameter<T>> { using type = TypeList<GivenValue<T>>; };
template <class Kind, AccessMode Mode> struct GivenOf<Access<Kind, Mode>> {
  using type = TypeList<std::conditional_t<reads_only(Mode), GivenRead<Kind>, GivenWrite<Kind>>>;
};
template <AccessMode Mode> struct GivenOf<Access<TokenKind, Mode>> { using type = TypeList<>; };
template <class Kind, AccessMode Mode> struct GivenOf<AccessList<Kind, Mode>> { using type = TypeList<GivenViews<Kind, Mode>>; };
template <AccessMode Mode> struct GivenOf<AccessList<TokenKind, Mode>> { using type = TypeList<>; };
template <> struct GivenOf<AnyAccesses> { using type = TypeList<GivenAnyViews>; };

template <class... Args> struct GivenList { using type = TypeList<>; };
template <class Arg, class... Args> struct GivenList<Arg, Args...> {
  using type = typename Concat<typename GivenOf<Arg>::type, typename GivenList<Args...>::type>::type;
};

template <class F> struct Signature { static constexpr bool known = false; };
template <class R, class... P> struct Signature<R (*)(P...)> { static constexpr bool known = true; using type = TypeList<P...>; };
template <class R, class... P> struct Signature<R (*)(P...) noexcept> : Signature<R (*)(P...)> {};
template <class R, class C, class... P> struct Signature<R (C::*)(P...)> : Signature<R (*)(P...)> {};
template <class R, class C, class... P> struct Signature<R (C::*)(P...) const> : Signature<R (*)(P...)> {};
template <class R, class C, class... P> struct Signature<R (C::*)(P...) noexcept> : Signature<R (*)(P...)> {};
template <class R, class C, class... P> struct Signature<R (C::*)(P...) const noexcept> : Signature<R (*)(P...)> {};
template <class F> requires requires { &F::operator(); }
struct Signature<F> : Signature<decltype(&F::operator())> {};

/// A read-only view and the mutable view of the same elements are told apart for the messages below.
template <class Kind, class Param>
inline constexpr bool takes_mutable =
    std::is_reference_v<typename Kind::view>
        ? std::is_same_v<Param, typename Kind::view>
        : std::is_same_v<std::remove_cvref_t<Param>, std::remove_cvref_t<typename Kind::view>>;
template <class Kind, class Param>
inline constexpr bool takes_const =
    std::is_reference_v<typename Kind::view>
        ? std::is_same_v<Param, typename Kind::const_view> || std::is_same_v<Param, std::remove_cvref_t<typename Kind::view>>
        : std::is_same_v<std::remove_cvref_t<Param>, std::remove_cvref_t<typename Kind::const_view>>;

template <class Given, class Param>
struct CheckParameter {  // values and view lists
  static_assert(std::is_convertible_v<typename Given::type, Param>,
                "mitra: a value of the submission cannot be passed to the body's parameter: values arrive as const T&");
};
template <class Kind, class Param>
struct CheckParameter<GivenRead<Kind>, Param> {
  static_assert(!takes_mutable<Kind, Param> || takes_const<Kind, Param>,
                "mitra: accessed with read(), but the body takes a mutable view: take View<const T>, Tile<const T> or "
                "const T&, or access it with readwrite()");
  static_assert(takes_const<Kind, Param> || takes_mutable<Kind, Param>,
                "mitra: the body's parameter is not the view of the datum accessed with read(): a vector gives "
                "View<const T>, a tile Tile<const T>, an object const T&");
};
template <class Kind, class Param>
struct CheckParameter<GivenWrite<Kind>, Param> {
  static_assert(takes_mutable<Kind, Param> || !takes_const<Kind, Param>,
                "mitra: accessed for writing, but the body takes a read-only view: take View<T>, Tile<T> or T&, or "
                "access it with read()");
  static_assert(takes_const<Kind, Param> || takes_mutable<Kind, Param>,
                "mitra: the body's parameter is not the view of the datum accessed for writing: a vector gives View<T>, "
                "a tile Tile<T>, an object T&");
};

template <class F, class Given>
struct CheckBody;
template <class F, class... Given>
struct CheckBody<F, TypeList<Given...>> {
  template <class... Params>
  static constexpr void parameters(TypeList<Params...>) {
    if constexpr (sizeof...(Params) == sizeof...(Given)) ((void)CheckParameter<Given, Params>{}, ...);
  }
  static constexpr bool run() {
    if constexpr (Signature<F>::known) {
      static_assert(Signature<F>::type::size == sizeof...(Given),
                    "mitra: the body has another number of parameters than the submission gives views and values (a "
                    "token gives none)");
      parameters(typename Signature<F>::type{});
    } else {
      static_assert(std::is_invocable_v<const F&, typename Given::type...>,
                    "mitra: the body cannot be called with the views and values of the submission");
    }
    return true;
  }
};

struct GivenStream { using type = HipStream; };
template <class Param>
struct CheckParameter<GivenStream, Param> {
  static_assert(std::is_same_v<std::remove_cvref_t<Param>, HipStream>,
                "mitra: the first parameter of a .hip implementation is mitra::HipStream");
};

}  // namespace mitra::detail
