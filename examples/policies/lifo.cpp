// A scheduling policy in one page: the youngest ready task first.
//
// It includes the public headers only, and is built as a shared object of its own:
//   g++ -std=c++20 -O2 -fPIC -shared $(pkg-config --cflags mitra) lifo.cpp -o liblifo.so
// Config::scheduler, MITRA_SCHEDULER or --scheduler then names it: ./liblifo.so:lifo, or ./liblifo.so:lifo:newest=0.
//
// The same file in the directory schedulers/ of Mitra becomes a policy of the library, under the name of the file.
// Flow: ready -> [lifo] -> worker. Thread-safety: serialised.
#include <array>
#include <vector>

#include <mitra/scheduling_policy.hpp>
#include <mitra/task_queues.hpp>

namespace {

class Lifo final : public mitra::SchedulingPolicy {
 public:
  explicit Lifo(const mitra::PolicyArguments& arguments) : newest_(arguments.integer("newest") != 0) {}

  /// A task has no missing predecessor any more: this object holds it from now on.
  void ready(mitra::TaskRef task, mitra::SchedulerView&) override { stacks_[mitra::kind_set(task)].push_back(task); }

  /// A worker asks for work: it gets a task that it can run, or nothing.
  mitra::TaskRef next(mitra::WorkerId worker, mitra::SchedulerView& view) override {
    const mitra::Machine& machine = view.machine();
    const mitra::WorkerKind kind = machine.classes[machine.workers[worker.index()].worker_class.index()].kind;
    for (std::size_t set = 1; set < mitra::kKindSets; ++set) {
      std::vector<mitra::TaskRef>& stack = stacks_[set];
      if (stack.empty() || !mitra::includes(set, kind)) continue;
      const mitra::TaskRef task = newest_ ? stack.back() : stack.front();
      stack.erase(newest_ ? stack.end() - 1 : stack.begin());
      return task;
    }
    return {};
  }

 private:
  const bool newest_;
  std::array<std::vector<mitra::TaskRef>, mitra::kKindSets> stacks_;  // by the kinds of workers that can run the task
};

}  // namespace

MITRA_SCHEDULER(lifo, Lifo, "the youngest ready task first", {"newest", "1", "1: the youngest task, 0: the oldest"});
