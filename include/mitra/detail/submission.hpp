// From the arguments of Runtime::submit to a task: compile-time checks, what is stored, how the body is called.
// Flow: Runtime::submit -> [submission] -> Engine::begin/commit. Thread-safety: immutable code.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <mitra/any_accesses.hpp>
#include <mitra/codelet.hpp>
#include <mitra/data.hpp>
#include <mitra/engine.hpp>

namespace mitra {

/// A value that recorded tasks read anew at each replay. Copies share it. Set it while no task that reads it runs.
template <class T>
class Parameter {
 public:
  explicit Parameter(T value) : value_(std::make_shared<T>(std::move(value))) {}
  void set(T value) { *value_ = std::move(value); }
  const T& get() const { return *value_; }

 private:
  std::shared_ptr<T> value_;
};

/// Views of an access list: size(), and operator[] for each.
template <class Kind, AccessMode Mode>
class Views {
 public:
  Views(const detail::ExecutionContext& context, std::size_t first, std::size_t count)
      : context_(&context), first_(first), count_(count) {}
  std::size_t size() const { return count_; }
  decltype(auto) operator[](std::size_t i) const;

 private:
  const detail::ExecutionContext* context_;
  std::size_t first_, count_;
};

namespace detail {

// ---------------------------------------------------------------- views of accesses

/// @param is_private  Reduce or scratch: the task has a copy of its own.
inline void* address_of(const ExecutionContext& context, std::size_t index, bool is_private) {
  if (context.addresses != nullptr) [[unlikely]] return context.addresses[index];
  DataHeader* data = context.task->access_words()[index].data();
  // Acquire: a concurrent reader may allocate the datum right now, and then this address is its first.
  void* address = std::atomic_ref(data->host).load(std::memory_order_acquire);
  if (is_private || address == nullptr) [[unlikely]]
    address = context.engine->address(context, index);
  return address;
}

template <class Kind, AccessMode Mode>
decltype(auto) view_of(const ExecutionContext& context, std::size_t index) {
  DataHeader* data = context.task->access_words()[index].data();
  constexpr bool is_private = Mode == AccessMode::reduce || Mode == AccessMode::scratch;
  void* address = address_of(context, index, is_private);
  if (context.addresses != nullptr) [[unlikely]] {  // a replica has no gaps between its columns
    if constexpr (reads_only(Mode))
      return Kind::make_const(address, data->shape.packed());
    else
      return Kind::make(address, data->shape.packed());
  }
  if constexpr (reads_only(Mode)) {
    return Kind::make_const(address, data->shape);
  } else if constexpr (is_private) {
    return Kind::make(address, data->shape.packed());
  } else {
    return Kind::make(address, data->shape);
  }
}

// ---------------------------------------------------------------- classification of the arguments of submit

template <class T>
struct Argument {  // a value: kept by the task, passed as const T&
  static constexpr bool is_access = false, is_list = false, gives_parameter = true;
  using stored = T;
  static const T& pass(const stored& value, const ExecutionContext&) { return value; }
};
template <class T>
struct Argument<Parameter<T>> {
  static constexpr bool is_access = false, is_list = false, gives_parameter = true;
  using stored = Parameter<T>;
  static const T& pass(const stored& value, const ExecutionContext&) { return value.get(); }
};
template <class Kind, AccessMode Mode>
struct Argument<Access<Kind, Mode>> {
  static constexpr bool is_access = true, is_list = false, gives_parameter = !std::is_same_v<Kind, TokenKind>;
};
struct ListRange {
  std::uint32_t first, count;
};
template <class Kind, AccessMode Mode>
struct Argument<AccessList<Kind, Mode>> {
  static constexpr bool is_access = false, is_list = true, gives_parameter = !std::is_same_v<Kind, TokenKind>;
  using stored = ListRange;
  static Views<Kind, Mode> pass(const stored& range, const ExecutionContext& context) {
    return {context, range.first, range.count};
  }
};

template <>
struct Argument<AnyAccesses> {
  static constexpr bool is_access = false, is_list = true, gives_parameter = true;
  using stored = ListRange;
  static AnyViews pass(const stored& range, const ExecutionContext& context) { return {context, range.first, range.count}; }
};

/// Stored in place of an access, whose index is known at compile time. Distinct types take no room in a tuple.
template <std::size_t Index>
struct AccessSlot {};

template <std::size_t Index, class Arg>
struct StoredArgument {
  using type = typename Argument<Arg>::stored;
};
template <std::size_t Index, class Kind, AccessMode Mode>
struct StoredArgument<Index, Access<Kind, Mode>> {
  using type = AccessSlot<Index>;
};

/// Index among the accesses of the I-th argument.
template <std::size_t I, class... Args>
constexpr std::size_t access_index() {
  constexpr bool flags[] = {Argument<Args>::is_access..., false};
  std::size_t n = 0;
  for (std::size_t i = 0; i < I; ++i) n += flags[i] ? 1 : 0;
  return n;
}

// ---------------------------------------------------------------- checks of a body's signature

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

// ---------------------------------------------------------------- the task of one call of submit

template <class Arg> inline constexpr bool is_reduction = false;
template <class Kind> inline constexpr bool is_reduction<Access<Kind, AccessMode::reduce>> = true;
template <class Arg> inline constexpr bool is_scratch = false;
template <class Kind> inline constexpr bool is_scratch<Access<Kind, AccessMode::scratch>> = true;
template <class Arg> inline constexpr bool is_access_list = false;
template <class Kind, AccessMode Mode> inline constexpr bool is_access_list<AccessList<Kind, Mode>> = true;

/// Calls f(Runtime&), with a Runtime of this engine. Defined in runtime.hpp.
template <class F>
void with_runtime(Engine& engine, F&& f);

/// `Body` is a one-shot function object or a BodyOf<codelet state>.
template <class Body, class Indices, class... Args>
struct Submission;

template <class Body, std::size_t... I, class... Args>
struct Submission<Body, std::index_sequence<I...>, Args...> {
  struct Closure {
    [[no_unique_address]] Body body;
    [[no_unique_address]] std::tuple<typename StoredArgument<I, Args>::type...> values;
  };
  static constexpr bool on_heap = alignof(Closure) > 8;  // a task block is aligned to 8
  static constexpr std::size_t closure_bytes =
      std::is_empty_v<Closure> && std::is_trivially_destructible_v<Closure> ? 0 : on_heap ? 8 : sizeof(Closure);
  static constexpr std::size_t static_accesses = access_index<sizeof...(Args), Args...>();

  static Closure& closure(const TaskHeader& task) {
    if constexpr (on_heap)
      return **reinterpret_cast<Closure**>(task.closure());
    else
      return *std::launder(reinterpret_cast<Closure*>(task.closure()));
  }

  /// The argument that the body receives for the N-th argument of submit, as a tuple of none or one.
  template <std::size_t N, class Arg>
  static auto passed(const Closure& c, const ExecutionContext& context) {
    if constexpr (!Argument<Arg>::gives_parameter) {
      return std::tuple<>{};
    } else if constexpr (Argument<Arg>::is_access) {
      using View = decltype(view_of<typename Arg::kind, Arg::mode>(context, 0));
      return std::tuple<View>(view_of<typename Arg::kind, Arg::mode>(context, access_index<N, Args...>()));
    } else {
      using Value = decltype(Argument<Arg>::pass(std::get<N>(c.values), context));
      return std::tuple<Value>(Argument<Arg>::pass(std::get<N>(c.values), context));
    }
  }

  static void run_cpu(TaskHeader& task, const ExecutionContext& context) {
    Closure& c = closure(task);
    std::apply([&](auto&&... p) { c.body.cpu(static_cast<decltype(p)>(p)...); },
               std::tuple_cat(passed<I, Args>(c, context)...));
  }
  static void run_hip(TaskHeader& task, const ExecutionContext& context) {
    Closure& c = closure(task);
    std::apply([&](auto&&... p) { c.body.hip(HipStream{context.stream}, static_cast<decltype(p)>(p)...); },
               std::tuple_cat(passed<I, Args>(c, context)...));
  }
  static void run_split(TaskHeader& task, const ExecutionContext& context) {
    Closure& c = closure(task);
    with_runtime(*context.engine, [&](auto& rt) {
      std::apply([&](auto&&... p) { c.body.split(rt, static_cast<decltype(p)>(p)...); },
                 std::tuple_cat(referred<I, Args>(c, context)...));
    });
  }
  /// As passed(), with references to data in place of views.
  template <std::size_t N, class Arg>
  static auto referred(const Closure& c, const ExecutionContext& context) {
    [[maybe_unused]] const AccessWord* words = context.task->access_words();
    if constexpr (Argument<Arg>::is_access && is_scratch<Arg>) {
      return std::tuple<>{};
    } else if constexpr (Argument<Arg>::is_access && Argument<Arg>::gives_parameter) {
      return std::tuple(DataRef<typename Arg::kind>(words[access_index<N, Args...>()].data()));
    } else if constexpr (is_access_list<Arg> && Argument<Arg>::gives_parameter) {
      const ListRange& range = std::get<N>(c.values);
      std::vector<DataRef<typename Arg::kind>> list;
      for (std::uint32_t i = 0; i < range.count; ++i) list.emplace_back(words[range.first + i].data());
      return std::tuple(std::move(list));
    } else {
      return passed<N, Arg>(c, context);
    }
  }
  static WorkAmount cost(TaskHeader& task) {
    const ExecutionContext shapes_only{nullptr, {}, NodeId(0), &task};
    Closure& c = closure(task);
    return std::apply([&](auto&&... p) { return c.body.cost(static_cast<decltype(p)>(p)...); },
                      std::tuple_cat(shaped<I, Args>(c, shapes_only)...));
  }
  /// As passed(), with the shape alone: nothing is allocated, and no address is looked up.
  template <std::size_t N, class Arg>
  static auto shaped(const Closure& c, const ExecutionContext& context) {
    if constexpr (Argument<Arg>::gives_parameter && Argument<Arg>::is_access) {
      const DataHeader* data = context.task->access_words()[access_index<N, Args...>()].data();
      using View = typename Arg::kind::const_view;
      return std::tuple<View>(Arg::kind::make_const(data->host, data->shape));
    } else {
      return passed<N, Arg>(c, context);
    }
  }
  static void destroy(TaskHeader& task) noexcept {
    if constexpr (on_heap)
      delete &closure(task);
    else
      closure(task).~Closure();
  }

  static constexpr TaskType::Launch cpu_launch() {
    if constexpr (Body::has_cpu) return &run_cpu;
    return nullptr;
  }
  static constexpr TaskType::Launch hip_launch() {
    if constexpr (Body::has_hip) return &run_hip;
    return nullptr;
  }
  static constexpr TaskType::Launch split_launch() {
    if constexpr (Body::has_split) return &run_split;
    return nullptr;
  }
  static constexpr WorkAmount (*cost_function())(TaskHeader&) {
    if constexpr (Body::has_cost) return &cost;
    return nullptr;
  }

  static constexpr TaskType type = {
      .launch = {cpu_launch(), hip_launch()},
      .destroy = !on_heap && std::is_trivially_destructible_v<Closure> ? nullptr : &destroy,
      .cost = cost_function(),
      .emulated = Body::emulated ? 2 : 0,
      .split = split_launch(),
      .modelled = Body::hip_modelled ? 2 : 0,
  };

  template <class... Given>
  static Task submit(Engine& engine, const char* name, SourceLocation where, int priority,
                     std::span<const Task> after, Body&& body, Given&&... args) {
    std::size_t total = static_accesses;
    if constexpr ((Argument<Args>::is_list || ...)) total += (list_size(args) + ...);
    constexpr bool any = (std::is_same_v<Args, AnyAccesses> || ...);
    [[maybe_unused]] std::conditional_t<any, std::vector<const ReduceOperation*>, AccessSlot<0>> any_operations{};
    if constexpr (any) {
      any_operations.resize(total);
      (put_operation<I>(any_operations.data(), args), ...);
      std::size_t next_any = static_accesses;
      (put_any_operations(any_operations.data(), args, next_any), ...);
    }
    TaskHeader* task = engine.begin(total, closure_bytes);
    task->type = &type;
    task->priority = priority;
    task->kinds = static_cast<std::uint8_t>((Body::has_cpu ? 1U : 0U) | (Body::has_hip ? 2U : 0U));
    task->where() = where;
    task->name() = name;
    [[maybe_unused]] AccessWord* words = task->access_words();
    std::size_t next_list = static_accesses;
    if constexpr (closure_bytes != 0) {
      try {
        if constexpr (on_heap)
          *reinterpret_cast<Closure**>(task->closure()) =
              new Closure{std::move(body), {store<I>(std::forward<Given>(args), next_list)...}};
        else
          ::new (static_cast<void*>(task->closure()))
              Closure{std::move(body), {store<I>(std::forward<Given>(args), next_list)...}};
      } catch (...) {
        engine.abandon(task);
        throw;
      }
    }
    next_list = static_accesses;
    (put_words<I>(words, args, next_list), ...);
    constexpr bool reduces = (is_reduction<Args> || ...);
    if constexpr (any) {
      const SubmitExtras extras{after, any_operations};
      return engine.commit(task, &extras);
    } else if constexpr (reduces) {
      const ReduceOperation* operations[static_accesses];
      (put_operation<I>(operations, args), ...);
      const SubmitExtras extras{after, {operations, static_accesses}};
      return engine.commit(task, &extras);
    } else {
      if (after.empty()) return engine.commit(task, nullptr);
      const SubmitExtras extras{after, {}};
      return engine.commit(task, &extras);
    }
  }

 private:
  template <class Arg>
  static std::size_t list_size(const Arg& arg) {
    if constexpr (std::is_same_v<std::decay_t<Arg>, AnyAccesses>)
      return arg.words.size();
    else if constexpr (Argument<std::decay_t<Arg>>::is_list)
      return arg.data.size();
    return 0;
  }
  template <std::size_t N, class Arg>
  static auto store(Arg&& arg, std::size_t& next_list) {
    using Plain = std::decay_t<Arg>;
    if constexpr (Argument<Plain>::is_access) {
      return AccessSlot<N>{};
    } else if constexpr (Argument<Plain>::is_list) {
      const ListRange range{static_cast<std::uint32_t>(next_list), static_cast<std::uint32_t>(list_size(arg))};
      next_list += range.count;
      return range;
    } else {
      return typename Argument<std::decay_t<Arg>>::stored(std::forward<Arg>(arg));
    }
  }
  template <std::size_t N, class Arg>
  static void put_words(AccessWord* words, const Arg& arg, std::size_t& next_list) {
    if constexpr (Argument<std::decay_t<Arg>>::is_access) words[access_index<N, Args...>()] = AccessWord(arg.data, Arg::mode);
    if constexpr (std::is_same_v<std::decay_t<Arg>, AnyAccesses>)
      for (const AccessWord word : arg.words) words[next_list++] = word;
    else if constexpr (Argument<std::decay_t<Arg>>::is_list)
      for (DataHeader* data : arg.data) words[next_list++] = AccessWord(data, Arg::mode);
  }
  template <std::size_t N, class Arg>
  static void put_operation(const ReduceOperation** operations, const Arg& arg) {
    if constexpr (Argument<std::decay_t<Arg>>::is_access) operations[access_index<N, Args...>()] = arg.operation;
  }
  template <class Arg>
  static void put_any_operations(const ReduceOperation** operations, const Arg& arg, std::size_t& next_list) {
    if constexpr (std::is_same_v<std::decay_t<Arg>, AnyAccesses>)
      for (std::size_t i = 0; i < arg.operations.size(); ++i) operations[next_list + i] = arg.operations[i];
    next_list += list_size(arg);
  }
};

/// A function object used once: it is a CPU implementation.
template <class F>
struct OneShotBody {
  static constexpr bool has_cpu = true, has_hip = false, has_cost = false, has_split = false, hip_modelled = false, emulated = false;
  [[no_unique_address]] F function;
  template <class... P>
  void cpu(P&&... p) { std::invoke(function, std::forward<P>(p)...); }
};

/// The implementations of a codelet, by reference: the engine keeps the state.
template <class State>
struct CodeletBody;
template <class Cpu, class Hip, class Cost, class Split>
struct CodeletBody<CodeletState<Cpu, Hip, Cost, Split>> {
  static constexpr bool has_cpu = !std::is_same_v<Cpu, Unimplemented>;
  static constexpr bool hip_modelled = std::is_same_v<Hip, Modelled>;
  static constexpr bool has_hip = !std::is_same_v<Hip, Unimplemented> && !hip_modelled;
  static constexpr bool has_cost = !std::is_same_v<Cost, Unimplemented>;
  static constexpr bool emulated = has_cpu;
  static constexpr bool has_split = !std::is_same_v<Split, Unimplemented>;
  const CodeletState<Cpu, Hip, Cost, Split>* state;
  template <class... P> void cpu(P&&... p) const { if constexpr (has_cpu) std::invoke(state->cpu, std::forward<P>(p)...); }
  template <class... P> void hip(P&&... p) const { if constexpr (has_hip) std::invoke(state->hip, std::forward<P>(p)...); }
  template <class... P> void split(P&&... p) const { if constexpr (has_split) std::invoke(state->split, std::forward<P>(p)...); }
  template <class... P> WorkAmount cost(P&&... p) const {
    if constexpr (has_cost) {
      WorkAmount work = std::invoke(state->cost, std::forward<P>(p)...);
      work.known = true;
      return work;
    } else {
      return {};
    }
  }
};

/// Where the application wrote the first access, if there is one.
template <class... Args>
SourceLocation first_location(SourceLocation otherwise, const Args&... args) {
  bool found = false;
  [[maybe_unused]] auto look = [&](const auto& arg) {
    using Arg = std::decay_t<decltype(arg)>;
    if constexpr (Argument<Arg>::is_access || Argument<Arg>::is_list)
      if (!found) {
        otherwise = arg.where;
        found = true;
      }
  };
  (look(args), ...);
  return otherwise;
}

template <class Cpu, class Hip, class Cost, class Split>
void keep_codelet(Engine& engine, const Codelet<Cpu, Hip, Cost, Split>& codelet) {
  // Relaxed: another thread that sees the old value only keeps the state twice.
  if (codelet.state()->kept_by.load(std::memory_order_relaxed) != engine.serial()) [[unlikely]] {
    engine.keep(codelet.state());
    codelet.state()->kept_by.store(engine.serial(), std::memory_order_relaxed);
  }
}

template <class T> inline constexpr bool is_codelet = false;
template <class Cpu, class Hip, class Cost, class Split>
inline constexpr bool is_codelet<Codelet<Cpu, Hip, Cost, Split>> = true;

}  // namespace detail

inline std::byte* AnyView::data() const { return static_cast<std::byte*>(detail::address_of(*context_, access_, is_private())); }

template <class Kind, AccessMode Mode>
decltype(auto) Views<Kind, Mode>::operator[](std::size_t i) const {
  return detail::view_of<Kind, Mode>(*context_, first_ + i);
}

}  // namespace mitra
