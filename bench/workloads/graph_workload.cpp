// Flow: graph file, recorded run -> [graph workload] -> Runtime::submit.

#include "workloads/graph_workload.hpp"

#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include <mitra/error.hpp>

namespace mitra::workloads {
namespace {

void keep_busy(double seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// Nobody looks at the sum: the order of the tasks is all that is wanted.
constexpr detail::ReduceOperation kNoReduction{[](void*, const detail::Shape&) {},
                                               [](void*, const detail::Shape&, const void*, const detail::Shape&) {}};

/// When a task began and ended, as numbers of one count; and how often it ran.
struct Stamp {
  std::atomic<std::uint64_t> begin{0}, end{0};
  std::atomic<std::uint32_t> runs{0};
};

class GraphWorkload;

struct Body {
  GraphWorkload* workload;
  void operator()(const AnyViews&, std::uint32_t number) const;
};
struct Cost {
  const GraphWorkload* workload;
  Work operator()(const AnyViews&, std::uint32_t number) const;
};

class GraphWorkload final : public Workload {
 public:
  GraphWorkload(TaskGraph graph, double time_scale)
      : graph_(std::move(graph)), time_scale_(time_scale), predecessors_(predecessors_of(graph_)), stamps_(graph_.tasks.size()) {
    // On simulated GPUs, too, where a model knows the task: by its name, its flops or its bytes. A time alone is a core's.
    for (const GraphTask& task : graph_.tasks) codelets_.try_emplace(task.name, task.name, Body{this}, detail::Modelled{}, Cost{this});
  }

  std::uint64_t tasks() const override { return graph_.tasks.size(); }
  double flops() const override {
    double sum = 0.0;
    for (const GraphTask& task : graph_.tasks) sum += task.flops;
    return sum;
  }
  Bytes footprint() const override { return Bytes(0); }  // memory comes at first use, and nobody uses it

  void generate(Runtime& rt) override {
    for (const GraphDatum& datum : graph_.data)
      data_.push_back(rt.engine().add_data({nullptr, {datum.rows, datum.cols, datum.rows, datum.element_size, nullptr}, datum.name}));
    is_live_ = rt.config().backend != "sim";
  }

  void submit(Runtime& rt) override {
    std::vector<Task> submitted;
    submitted.reserve(graph_.tasks.size());
    for (std::uint32_t t = 0; t < graph_.tasks.size(); ++t) {
      const GraphTask& task = graph_.tasks[t];
      AnyAccesses accesses;
      for (const GraphAccess& access : task.accesses)
        accesses.add(data_[access.datum].get(), access.mode, access.mode == AccessMode::reduce ? &kNoReduction : nullptr);
      TaskOptions options{.priority = task.priority};
      for (const std::uint32_t before : task.after) options.after.push_back(submitted[before]);
      submitted.push_back(rt.submit(options, codelets_.at(task.name), std::move(accesses), t));
    }
  }

  Verification verify(Runtime&) override {
    for (std::size_t t = 0; t < stamps_.size(); ++t) {
      const std::string who = detail::message("task ", t, " ('", graph_.tasks[t].name, "') ");
      if (const std::uint32_t runs = stamps_[t].runs.load(); runs != 1) return {{}, false, who + detail::message("ran ", runs, " times")};
      for (const std::uint32_t p : predecessors_[t])
        if (stamps_[p].end.load() > stamps_[t].begin.load())
          return {{}, false, who + detail::message("began before task ", p, " had ended")};
    }
    return {{}, true, "each task ran once, after its predecessors"};
  }

  void run(std::uint32_t number) {
    Stamp& stamp = stamps_[number];
    stamp.begin.store(count_.fetch_add(1) + 1);
    if (is_live_) keep_busy(graph_.tasks[number].seconds * time_scale_);
    stamp.runs.fetch_add(1);
    stamp.end.store(count_.fetch_add(1) + 1);
  }
  Work work(std::uint32_t number) const {
    const GraphTask& task = graph_.tasks[number];
    return {.flops = task.flops, .bytes = task.bytes, .seconds = task.seconds * time_scale_,
            .gpu_seconds = task.gpu_seconds * time_scale_};
  }

 private:
  const TaskGraph graph_;
  const double time_scale_;
  const std::vector<std::vector<std::uint32_t>> predecessors_;
  std::map<std::string, Codelet<Body, detail::Modelled, Cost>> codelets_;  // by name
  std::vector<std::shared_ptr<detail::DataHeader>> data_;
  std::vector<Stamp> stamps_;
  std::atomic<std::uint64_t> count_{0};
  bool is_live_ = true;
};

void Body::operator()(const AnyViews&, std::uint32_t number) const { workload->run(number); }
Work Cost::operator()(const AnyViews&, std::uint32_t number) const { return workload->work(number); }

}  // namespace

std::unique_ptr<Workload> make_graph_workload(TaskGraph graph, double time_scale) {
  if (!(time_scale >= 0.0) || !std::isfinite(time_scale))
    throw ConfigError(detail::message("a graph's time scale is a number of at least 0, not ", time_scale));
  return std::make_unique<GraphWorkload>(std::move(graph), time_scale);
}

}  // namespace mitra::workloads
