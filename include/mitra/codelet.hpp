// A codelet: one computation, an implementation for each kind of worker, and what it costs.
// Flow: application -> [codelet] -> Runtime::submit. Thread-safety: immutable once built; copies share the implementations.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <mitra/detail/task_header.hpp>
#include <mitra/task_ref.hpp>

namespace mitra {

/// The native stream of a GPU worker, passed first to `.hip` implementations; `handle` is a hipStream_t.
struct HipStream {
  void* handle = nullptr;
};

namespace detail {

struct Unimplemented {};  ///< The slot of an implementation that a codelet does not have.
struct Modelled {};       ///< The slot of one that does not exist, and that simulations take for granted.

/// The slot of a CPU implementation that may use several cores.
template <class F>
struct Moldable {
  [[no_unique_address]] F body;
};
/// What is in the slot of the CPU implementation.
template <class Slot>
struct CpuSlot {
  using function = Slot;
  static constexpr bool moldable = false;
  template <class F> using with = F;
  static const Slot& body(const Slot& slot) { return slot; }
};
template <class F>
struct CpuSlot<Moldable<F>> {
  using function = F;
  static constexpr bool moldable = true;
  template <class G> using with = Moldable<G>;
  static const F& body(const Moldable<F>& slot) { return slot.body; }
};

template <class Cpu, class Hip, class Cost, class Split>
struct CodeletState {
  std::string name;
  [[no_unique_address]] Cpu cpu;
  [[no_unique_address]] Hip hip;
  [[no_unique_address]] Cost cost;
  [[no_unique_address]] Split split;
  /// Serial number of the Runtime that last kept this state alive: submit asks it once a Runtime, not once a task.
  mutable std::atomic<std::uint64_t> kept_by{0};
};

}  // namespace detail

/// Built by mitra::codelet(name).cpu(f).hip(g).cost(h).split(s).moldable(), in any order.
/// Bodies receive the views of the accesses and the values of the submission, in its order; tokens give no argument.
template <class Cpu = detail::Unimplemented, class Hip = detail::Unimplemented, class Cost = detail::Unimplemented,
          class Split = detail::Unimplemented>
class Codelet {
 public:
  using State = detail::CodeletState<Cpu, Hip, Cost, Split>;
  explicit Codelet(std::string name, Cpu cpu = {}, Hip hip = {}, Cost cost = {}, Split split = {})
      : state_(new State{std::move(name), std::move(cpu), std::move(hip), std::move(cost), std::move(split)}) {}

  /// The implementation for a core: f(views and values...).
  template <class F>
  auto cpu(F f) const {
    using Slot = typename detail::CpuSlot<Cpu>::template with<F>;
    return Codelet<Slot, Hip, Cost, Split>(state_->name, Slot{std::move(f)}, state_->hip, state_->cost, state_->split);
  }
  /// The CPU implementation may use several cores: where a worker is a team of cores, it finds them all at hand, through
  /// mitra::team_for, oneTBB or OpenMP. @see mitra/team.hpp, Config::teams
  auto moldable() const {
    using Slot = detail::Moldable<typename detail::CpuSlot<Cpu>::function>;
    return Codelet<Slot, Hip, Cost, Split>(state_->name, Slot{detail::CpuSlot<Cpu>::body(state_->cpu)}, state_->hip, state_->cost, state_->split);
  }
  /// The implementation for an AMD GPU: f(HipStream, views and values...); it enqueues work on the stream and returns.
  template <class F>
  auto hip(F f) const {
    return Codelet<Cpu, F, Cost, Split>(state_->name, state_->cpu, std::move(f), state_->cost, state_->split);
  }
  /// There is no implementation for a GPU yet. Simulations take it for granted, live runs do without.
  auto hip_modelled() const {
    return Codelet<Cpu, detail::Modelled, Cost, Split>(state_->name, state_->cpu, {}, state_->cost, state_->split);
  }
  /// What a task costs: f(views and values...) returns a Work{flops, bytes} or Work{.seconds}. Only shapes may be read, never elements.
  template <class F>
  auto cost(F f) const {
    return Codelet<Cpu, Hip, F, Split>(state_->name, state_->cpu, state_->hip, std::move(f), state_->split);
  }
  /// How a task becomes finer ones: f(Runtime&, references and values...) submits them, on parts of the data. For each access
  /// it receives a DataRef (TileRef, VectorRef), for a list of accesses a vector of these; tokens and scratch give nothing.
  /// The scheduling policy decides of each task, when it is ready, whether it runs whole or is split; a task that is split
  /// is over when those that f has submitted are.
  template <class F>
  auto split(F f) const {
    return Codelet<Cpu, Hip, Cost, F>(state_->name, state_->cpu, state_->hip, state_->cost, std::move(f));
  }

  const std::string& name() const { return state_->name; }
  const std::shared_ptr<const State>& state() const { return state_; }

 private:
  std::shared_ptr<const State> state_;
};

/// Starts a codelet. @param name  Keys its performance models and names its tasks in traces and errors.
inline Codelet<> codelet(std::string name) { return Codelet<>(std::move(name)); }

}  // namespace mitra
