// The patterns as tasks on data: Mitra infers the edges at submission, or when it records the graph for replays.
// Flow: main -> [MitraPeer] -> Mitra.

#include "peer.hpp"

#include <mitra/mitra.hpp>
#include <optional>
#include <string>

namespace peer {
namespace {

// One byte a datum: the patterns depend on identities, not on contents.
using Datum = mitra::Object<char>;

class MitraPeer final : public Peer {
 public:
  MitraPeer(const Options& options, const Pattern& pattern)
      : options_(options), pattern_(pattern), runtime_(configuration(options)), values_(pattern.data()) {
    data_.reserve(values_.size());
    for (char& value : values_) data_.push_back(runtime_.data(value));
  }

  Seconds submit() override {
    const Stopwatch stopwatch;
    submit_all();
    runtime_.wait();
    return stopwatch.elapsed();
  }

  Seconds replay() override {
    if (!graph_) graph_ = runtime_.record([this] { submit_all(); });
    const Stopwatch stopwatch;
    runtime_.replay(*graph_);
    runtime_.wait();
    return stopwatch.elapsed();
  }

 private:
  static mitra::Config configuration(const Options& options) {
    mitra::Config config;
    config.workers = static_cast<unsigned>(options.workers);
    config.scheduler = options.choices.at("scheduler");
    return config;
  }

  // As an application writes it: loops over handles. Tasks are numbered as in the pattern, whose data these are.
  void submit_all() {
    if (options_.pattern == "independent")
      for (TaskId task = 0; task < pattern_.tasks(); ++task) runtime_.submit("task", [task] { run_task(task); });
    else if (options_.pattern == "independent_data")
      for (TaskId task = 0; task < pattern_.tasks(); ++task) one(task, data_[task].write());
    else if (options_.pattern == "chain")
      for (TaskId task = 0; task < pattern_.tasks(); ++task) one(task, data_[0].readwrite());
    else if (options_.pattern == "stencil_1d")
      submit_stencil();
    else
      submit_cholesky();
  }

  void submit_stencil() {
    const std::size_t width = options_.width, steps = pattern_.tasks() / width;
    TaskId task = 0;
    for (std::size_t step = 0; step < steps; ++step) {
      const Datum* const now = &data_[step % 2 * width];
      const Datum* const before = &data_[(step + 1) % 2 * width];
      for (std::size_t i = 0; i < width; ++i, ++task) {
        const auto output = now[i].write();
        if (step == 0)
          one(task, output);
        else if (width == 1)
          two(task, before[i].read(), output);
        else if (i == 0)
          three(task, before[0].read(), before[1].read(), output);
        else if (i + 1 == width)
          three(task, before[i - 1].read(), before[i].read(), output);
        else
          runtime_.submit("task", [task](const char&, const char&, const char&, char&) { run_task(task); },
                          before[i - 1].read(), before[i].read(), before[i + 1].read(), output);
      }
    }
  }

  void submit_cholesky() {
    const std::size_t tiles = options_.tiles;
    const auto tile = [&](std::size_t i, std::size_t j) -> const Datum& { return data_[i * (i + 1) / 2 + j]; };
    TaskId task = 0;
    for (std::size_t k = 0; k < tiles; ++k) {
      one(task++, tile(k, k).readwrite());
      for (std::size_t i = k + 1; i < tiles; ++i) two(task++, tile(k, k).read(), tile(i, k).readwrite());
      for (std::size_t i = k + 1; i < tiles; ++i) {
        two(task++, tile(i, k).read(), tile(i, i).readwrite());
        for (std::size_t j = k + 1; j < i; ++j) three(task++, tile(i, k).read(), tile(j, k).read(), tile(i, j).readwrite());
      }
    }
  }

  template <class Output>
  void one(TaskId task, Output output) {
    runtime_.submit("task", [task](char&) { run_task(task); }, output);
  }
  template <class Input, class Output>
  void two(TaskId task, Input input, Output output) {
    runtime_.submit("task", [task](const char&, char&) { run_task(task); }, input, output);
  }
  template <class Input, class Output>
  void three(TaskId task, Input first, Input second, Output output) {
    runtime_.submit("task", [task](const char&, const char&, char&) { run_task(task); }, first, second, output);
  }

  const Options options_;
  const Pattern& pattern_;
  mitra::Runtime runtime_;
  std::vector<char> values_;
  std::vector<Datum> data_;
  std::optional<mitra::RecordedGraph> graph_;
};

}  // namespace

Description describe() {
  return {.name = "mitra",
          .replays = true,
          .choices = {{"scheduler", {"locality_ws", "work_stealing", "eager", "priority", "random"}}}};
}

std::unique_ptr<Peer> make_peer(const Options& options, const Pattern& pattern) {
  return std::make_unique<MitraPeer>(options, pattern);
}

}  // namespace peer
