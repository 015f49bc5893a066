// Runs a program with a Runtime: registers the data, submits the tasks, and does in bodies what the oracle did.
// Flow: program -> [execution] -> Runtime -> books. Thread-safety: bodies run in all workers; the rest in one thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <mitra/mitra.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "books.hpp"

namespace mitra::property {

struct ExclusiveOr {
  template <class T> static T identity() { return T(0); }
  template <class T> T operator()(T a, T b) const { return a ^ b; }
};

/// Streams on which `.hip` bodies can leave functions, and whose devices' memory those functions can find: a test double's.
struct StreamFunctions {
  std::function<void(void* stream, std::function<void()>)> enqueue;
  std::function<void*(const void*)> touch;
  /// Waits for functions that run although nobody waits for them: those of a device that was lost meanwhile.
  std::function<void()> settle;
};

class Execution {
 public:
  using Kind = ObjectKind<std::uint64_t>;
  static constexpr std::size_t kScratch = 24;

  /// @param streams  What `.hip` bodies run on; null where there are no such workers. They neither fail nor have children.
  Execution(Runtime& rt, const Program& program, const Oracle& oracle, const StreamFunctions* streams = nullptr)
      : rt_(rt), program_(program), streams_(streams), books(program, oracle, most_threads(rt)), values(program.data, 0),
        seen(program.tasks.size(), {0, 0}), tasks(program.tasks.size()), buffer_(rt.scratch<std::uint64_t>(kScratch, "buffer")) {
    for (std::uint64_t& value : values) handles_.push_back(rt.data(value, "datum"));
  }

  /// A device's body that waits for its children keeps its thread, and leaves the device to others.
  static std::size_t most_threads(const Runtime& rt) {
    if (!rt.config().emu.empty() || !rt.config().devices.empty()) return 1'000'000;
    return rt.machine().workers.size();
  }

  /// @param also_after  Further predecessors of every task without a parent.
  void submit_all(const std::vector<Task>& also_after = {}) {
    for (const std::size_t root : program_.roots) submit(root, also_after);
  }

  /// @returns Data that hold something else than the oracle's values, for people.
  std::string wrong_values(const Oracle& oracle) const {
    std::string text;
    for (std::size_t d = 0; d < values.size(); ++d)
      if (values[d] != oracle.data[d])
        text += detail::message(text.empty() ? "" : "; ", "datum d", d, " holds a wrong value in the end, ", values[d], " and not ", oracle.data[d]);
    if (text.empty()) return text;
    const Statistics s = rt_.statistics();
    text += detail::message("; ", s.submitted, " tasks submitted, ", s.executed, " bodies run, ", s.lost_devices, " devices lost, ", s.recomputed, " bodies run again");
    if (s.memory) text += detail::message(", ", s.memory->transfers, " copies, ", s.memory->evictions, " evictions");
    return text;
  }

  /// After a wait: notes what differs from the oracle's values.
  void compare(const Oracle& oracle) {
    if (const std::string wrong = wrong_values(oracle); !wrong.empty()) books.report(wrong);
    for (std::size_t t = 0; t < seen.size(); ++t)
      if (!(seen[t] == oracle.seen[t])) books.report(t, "read wrong values");
  }

 private:
  Runtime& rt_;
  const Program& program_;
  const StreamFunctions* const streams_;

 public:
  Books books;
  std::vector<std::uint64_t> values;  ///< The data.
  std::vector<Oracle::Seen> seen;
  std::vector<Task> tasks;            ///< Written by who submits, read by the same.

 private:
  template <AccessMode Mode>
  AccessList<Kind, Mode> list(const TaskSpec& task) const {
    AccessList<Kind, Mode> result{{}, SourceLocation::current()};
    for (const AccessSpec& a : task.accesses)
      if (a.mode == Mode) result.data.push_back(handles_[a.datum].header());
    return result;
  }
  Access<Kind, AccessMode::reduce> reduction(const AccessSpec& a) const {
    return a.operation == Operation::sum ? handles_[a.datum].reduce(Sum{}) : handles_[a.datum].reduce(ExclusiveOr{});
  }

  void submit(std::size_t number, const std::vector<Task>& also_after) {
    const TaskSpec& task = program_.tasks[number];
    TaskOptions options{.name = task.name.c_str(), .priority = task.priority, .after = also_after};
    for (const std::size_t before : task.after) options.after.push_back(tasks[before]);
    std::vector<AccessSpec> reductions;
    for (const AccessSpec& a : task.accesses)
      if (a.mode == AccessMode::reduce) reductions.push_back(a);
    if (!task.scratch && reductions.empty() && task.accesses.size() == 1 && number % 2 == 0)
      tasks[number] = submit_single(number, options, task.accesses[0]);
    else
      tasks[number] = submit_lists(number, options, reductions);
    if (task.cancelled) tasks[number].cancel();
  }

  /// The short way, with the accesses in the type: one access.
  Task submit_single(std::size_t number, const TaskOptions& options, const AccessSpec& access) {
    const auto& handle = handles_[access.datum];
    const auto writes = [this, number](std::uint64_t& v) {
      std::uint64_t* memory[] = {&v};
      body(number, memory, nullptr);
    };
    switch (access.mode) {
      case AccessMode::read:
        return rt_.submit(options, [this, number](const std::uint64_t& v) {
          std::uint64_t* memory[] = {const_cast<std::uint64_t*>(&v)};  // body() only reads it
          body(number, memory, nullptr);
        }, handle.read());
      case AccessMode::write: return rt_.submit(options, writes, handle.write());
      case AccessMode::readwrite: return rt_.submit(options, writes, handle.readwrite());
      default: return rt_.submit(options, writes, handle.commute());
    }
  }

  /// The general way: lists of accesses, and up to two reductions.
  Task submit_lists(std::size_t number, const TaskOptions& options, const std::vector<AccessSpec>& reductions) {
    const TaskSpec& task = program_.tasks[number];
    const auto with = [&](auto... reduced) {
      const auto run = [this, number](auto reads, auto writes, auto readwrites, auto commutes, auto&... copies) {
        std::uint64_t* const private_copies[] = {&copies..., nullptr};
        gather(number, reads, writes, readwrites, commutes, private_copies, nullptr);
      };
      const auto run_with_scratch = [this, number](auto buffer, auto reads, auto writes, auto readwrites, auto commutes,
                                                   auto&... copies) {
        std::uint64_t* const private_copies[] = {&copies..., nullptr};
        gather(number, reads, writes, readwrites, commutes, private_copies, buffer.data());
      };
      const auto reads = list<AccessMode::read>(task);
      const auto writes = list<AccessMode::write>(task);
      const auto readwrites = list<AccessMode::readwrite>(task);
      const auto commutes = list<AccessMode::commute>(task);
      const auto run_there = [this, number](HipStream stream, auto reads, auto writes, auto readwrites, auto commutes, auto&... copies) {
        std::uint64_t* const private_copies[] = {&copies..., nullptr};
        leave_on(stream, number, addresses(number, reads, writes, readwrites, commutes, private_copies), nullptr);
      };
      const auto run_there_with_scratch = [this, number](HipStream stream, auto buffer, auto reads, auto writes, auto readwrites,
                                                         auto commutes, auto&... copies) {
        std::uint64_t* const private_copies[] = {&copies..., nullptr};
        leave_on(stream, number, addresses(number, reads, writes, readwrites, commutes, private_copies), buffer.data());
      };
      // In virtual time these run on devices, too; of every third no model knows how long.
      const auto cost = [number](const auto&...) { return mitra::Work{.flops = 1e9 * static_cast<double>(number % 5 + 1)}; };
      const auto submit = [&](const auto& codelet) {
        return task.scratch ? rt_.submit(options, codelet.cpu(run_with_scratch).hip(run_there_with_scratch), buffer_.scratch(), reads, writes,
                                         readwrites, commutes, reduced...)
                            : rt_.submit(options, codelet.cpu(run).hip(run_there), reads, writes, readwrites, commutes, reduced...);
      };
      switch (number % 3) {
        case 0: return submit(codelet(task.name));
        case 1: return submit(codelet(task.name).cost(cost));
        default: return submit(codelet(task.name).cost(cost).moldable());
      }
    };
    switch (reductions.size()) {
      case 0: return with();
      case 1: return with(reduction(reductions[0]));
      case 2: return with(reduction(reductions[0]), reduction(reductions[1]));
      default: throw std::logic_error("a program has tasks with more than two reductions");
    }
  }

  template <class Reads, class Writes, class ReadWrites, class Commutes>
  void gather(std::size_t number, Reads& reads, Writes& writes, ReadWrites& readwrites, Commutes& commutes,
              std::uint64_t* const* copies, std::uint64_t* buffer) {
    const auto memory = addresses(number, reads, writes, readwrites, commutes, copies);
    body(number, memory.data(), buffer);
  }

  /// In the order of the accesses.
  template <class Reads, class Writes, class ReadWrites, class Commutes>
  std::vector<std::uint64_t*> addresses(std::size_t number, Reads& reads, Writes& writes, ReadWrites& readwrites, Commutes& commutes,
                                        std::uint64_t* const* copies) const {
    std::vector<std::uint64_t*> memory;
    std::size_t r = 0, w = 0, rw = 0, c = 0, p = 0;
    for (const AccessSpec& a : program_.tasks[number].accesses) switch (a.mode) {
        case AccessMode::read: memory.push_back(const_cast<std::uint64_t*>(&reads[r++])); break;  // body() only reads it
        case AccessMode::write: memory.push_back(&writes[w++]); break;
        case AccessMode::readwrite: memory.push_back(&readwrites[rw++]); break;
        case AccessMode::commute: memory.push_back(&commutes[c++]); break;
        default: memory.push_back(copies[p++]); break;
      }
    return memory;
  }

  /// A body on a stream: what it has to do is done when the stream comes to it.
  void leave_on(HipStream stream, std::size_t number, std::vector<std::uint64_t*> memory, std::uint64_t* buffer) {
    streams_->enqueue(stream.handle, [this, number, memory = std::move(memory), buffer]() mutable {
      for (std::uint64_t*& address : memory) address = static_cast<std::uint64_t*>(streams_->touch(address));
      if (buffer != nullptr) buffer = static_cast<std::uint64_t*>(streams_->touch(buffer));
      if (std::ranges::find(memory, nullptr) != memory.end()) return books.report(number, "was given memory that is not its device's");
      books.begin(number);
      if (buffer != nullptr) std::fill_n(buffer, kScratch, number);
      work(number, memory.data(), 0);
      dawdle(number);
      if (buffer != nullptr && std::ranges::count(buffer, buffer + kScratch, number) != kScratch)
        books.report(number, "does not have its scratch buffer to itself");
      books.end(number);
    });
  }

  void body(std::size_t number, std::uint64_t* const* memory, std::uint64_t* buffer) {
    const TaskSpec& task = program_.tasks[number];
    books.begin(number);
    struct End {
      Books& books;
      std::size_t number;
      ~End() { books.end(number); }
    } end{books, number};
    if (task.failure == Failure::at_start) throw std::runtime_error(task.name + " fails at its start");
    if (buffer != nullptr) std::fill_n(buffer, kScratch, number);
    work(number, memory, 0);
    dawdle(number);
    std::atomic<int> calls{0};
    if (number % 3 == 2) team_for(5, [&](std::size_t) { calls.fetch_add(1, std::memory_order_relaxed); });
    if (number % 3 == 2 && calls != 5) books.report(number, "has not got its loop done");
    for (const std::size_t child : task.children) {
      books.submits(number, child);
      submit(child, {});
    }
    if (task.waits) {
      try {
        rt_.wait();
      } catch (const TaskError&) {
        if (!task.catches) throw;
      }
      work(number, memory, 1);
    }
    if (buffer != nullptr)
      for (std::size_t i = 0; i < kScratch; ++i)
        if (buffer[i] != number) books.report(number, "does not have its scratch buffer to itself");
    if (task.failure == Failure::at_end) throw std::runtime_error(task.name + " fails at its end");
  }

  void work(std::size_t number, std::uint64_t* const* memory, int phase) {
    const std::uint64_t digest = Work::digest_of(program_.tasks[number], memory, number, phase);
    seen[number].phase[phase] = digest;
    Work::write(program_.tasks[number], memory, digest);
  }

  /// Some tasks take longer than others, some give the processor away in the middle.
  static void dawdle(std::size_t number) {
    const std::uint64_t kind = test::mixed(number, 17) % 16;
    if (kind == 0) std::this_thread::yield();
    if (kind == 1)
      for (int i = 0; i < 3000; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
  }

  std::vector<Object<std::uint64_t>> handles_;
  Scratch<VectorKind<std::uint64_t>> buffer_;
};

/// Runs the program. @returns What went wrong; nothing if nothing did.
inline std::string problems_of_run(Runtime& rt, const Program& program, const StreamFunctions* streams) {
  const Oracle oracle(program);
  Execution execution(rt, program, oracle, streams);
  execution.submit_all();
  rt.wait();
  execution.books.expect_all(1);
  execution.compare(oracle);
  return execution.books.problems();
}

/// The same where bodies may run again, with a device that was lost: only what is left in the end counts.
inline std::string wrong_values_of_run(Runtime& rt, const Program& program, const StreamFunctions* streams) {
  const Oracle oracle(program);
  Execution execution(rt, program, oracle, streams);
  execution.submit_all();
  rt.wait();
  if (streams != nullptr) streams->settle();
  return execution.wrong_values(oracle);
}

/// The same without streams, as expect_well() calls them.
constexpr auto kProblemsOfRun = [](Runtime& rt, const Program& program) { return problems_of_run(rt, program, nullptr); };
constexpr auto kWrongValuesOfRun = [](Runtime& rt, const Program& program) { return wrong_values_of_run(rt, program, nullptr); };

}  // namespace mitra::property
