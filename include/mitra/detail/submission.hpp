// From the arguments of Runtime::submit to a task: what is stored, how the body is called.
// Flow: Runtime::submit -> [submission] -> Engine::begin/commit. Thread-safety: immutable code.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <mitra/detail/arguments.hpp>
#include <mitra/detail/body_checks.hpp>

namespace mitra {

namespace detail {

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
  /// Of a moldable codelet: with the cores of its worker at hand.
  static void run_team(TaskHeader&, const ExecutionContext& context) {
    context.engine->run_moldable(context, [](const ExecutionContext& c) { run_cpu(*c.task, c); });
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
    if constexpr (Body::moldable) return &run_team;
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
      .moldable = Body::moldable,
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
  static constexpr bool has_cpu = true, has_hip = false, has_cost = false, has_split = false, hip_modelled = false, emulated = false,
                        moldable = false;
  [[no_unique_address]] F function;
  template <class... P>
  void cpu(P&&... p) { std::invoke(function, std::forward<P>(p)...); }
};

/// The implementations of a codelet, by reference: the engine keeps the state.
template <class State>
struct CodeletBody;
template <class Cpu, class Hip, class Cost, class Split>
struct CodeletBody<CodeletState<Cpu, Hip, Cost, Split>> {
  static constexpr bool has_cpu = !std::is_same_v<typename CpuSlot<Cpu>::function, Unimplemented>;
  static constexpr bool moldable = CpuSlot<Cpu>::moldable;
  static constexpr bool hip_modelled = std::is_same_v<Hip, Modelled>;
  static constexpr bool has_hip = !std::is_same_v<Hip, Unimplemented> && !hip_modelled;
  static constexpr bool has_cost = !std::is_same_v<Cost, Unimplemented>;
  static constexpr bool emulated = has_cpu;
  static constexpr bool has_split = !std::is_same_v<Split, Unimplemented>;
  const CodeletState<Cpu, Hip, Cost, Split>* state;
  template <class... P> void cpu(P&&... p) const {
    if constexpr (has_cpu) std::invoke(CpuSlot<Cpu>::body(state->cpu), std::forward<P>(p)...);
  }
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
