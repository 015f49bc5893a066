// Random programs on data in parts give what their sequential execution gives: under every policy, live, and in virtual time
// on one memory, on many, and on memories that are always full.
#include <atomic>
#include <mitra/mitra.hpp>
#include <mitra/registry.hpp>
#include <optional>
#include <string>
#include <vector>

#include "settings.hpp"
#include "tree_program.hpp"

using namespace mitra;
using namespace mitra::property;

namespace {

class TreeExecution {
 public:
  TreeExecution(Runtime& rt, const TreeProgram& program) : rt_(rt), program_(program), seen_(program.tasks) {
    for (const TreeDatum& d : program.data)
      if (d.whole == TreeDatum::kNone) memory_.emplace_back((d.rows + 2) * d.cols, 0);
    headers_.resize(program.data.size(), nullptr);
    for (std::size_t d = 0; d < program.data.size(); ++d) {
      if (program.data[d].whole != TreeDatum::kNone) continue;
      const TreeDatum& root = program.data[d];
      if (root.vector)
        vectors_.push_back(root.lent ? rt.vector(memory_[d].data(), root.rows, name(d)) : rt.vector<std::uint64_t>(root.rows, name(d)));
      else
        matrices_.push_back(root.lent ? rt.matrix(memory_[d].data(), root.rows, root.cols, root.rows + 2, name(d))
                                      : Matrix<std::uint64_t>(rt.matrix<std::uint64_t>(root.rows, root.cols, name(d))));
      headers_[d] = root.vector ? vectors_.back().header() : matrices_.back().header();
      if (!root.lent)
        rt.submit("clear", [](AnyViews views) { for_each(views[0], [](std::uint64_t& e) { e = 0; }); }, one(d, AccessMode::write));
    }
  }

  void run() {
    for (const TreeStep& step : program_.steps) switch (step.kind) {
        case TreeStep::Kind::task: submit(step.tasks[0]); break;
        case TreeStep::Kind::wait: rt_.wait(); break;
        case TreeStep::Kind::wait_for:
          if (program_.data[step.access.datum].vector)
            rt_.wait(VectorRef<std::uint64_t>(header(step.access.datum)));
          else
            rt_.wait(TileRef<std::uint64_t>(header(step.access.datum)));
          break;
        case TreeStep::Kind::acquire: acquire(step.access); break;
        case TreeStep::Kind::replay: {
          const RecordedGraph graph = rt_.record([&] {
            for (const TreeTask& task : step.tasks) submit(task);
          });
          for (std::size_t n = 0; n < step.times; ++n) rt_.replay(graph);
          graphs_.push_back(graph);
          break;
        }
      }
  }

  /// After a wait. @returns What is not as it should be.
  std::string differences(const TreeOracle& oracle) {
    std::string out;
    for (std::size_t t = 0; t < seen_.size(); ++t)
      if (seen_[t] != oracle.seen[t]) out += detail::message("task ", t, " has read something else\n");
    return out + wrong_values(oracle);
  }
  /// Where bodies may run again, what they have read does not count.
  std::string wrong_values(const TreeOracle& oracle) {
    std::string out;
    for (std::size_t d = 0; d < program_.data.size(); ++d) {
      const TreeDatum& root = program_.data[d];
      if (root.whole != TreeDatum::kNone) continue;
      check(TileRef<std::uint64_t>(headers_[d]), oracle.values[root.root], root, out);
    }
    return out;
  }

 private:
  static std::string name(std::size_t d) { return "d" + std::to_string(d); }

  /// Parts are cut when they are first used.
  detail::DataHeader* header(std::size_t d) {
    if (headers_[d] != nullptr) return headers_[d];
    const TreeDatum& part = program_.data[d];
    const detail::Parts parts = detail::partition(header(part.whole), part.spec);
    const TreeDatum& whole = program_.data[part.whole];
    const std::size_t grid_rows = (whole.rows + part.spec.rows - 1) / part.spec.rows;
    return headers_[d] = parts.data[part.grid_row + part.grid_col * grid_rows];
  }
  AnyAccesses one(std::size_t d, AccessMode mode) {
    AnyAccesses accesses;
    accesses.add(header(d), mode);
    return accesses;
  }

  static std::uint64_t& element(const AnyView& view, std::size_t e) {
    const detail::Shape shape = view.shape();
    return reinterpret_cast<std::uint64_t*>(view.data())[e % shape.rows + e / shape.rows * shape.ld];
  }
  template <class F>
  static void for_each(const AnyView& view, F&& f) {
    for (std::size_t e = 0; e < view.shape().rows * view.shape().cols; ++e) f(element(view, e));
  }

  using Kind = TileKind<std::uint64_t>;
  template <AccessMode Mode>
  AccessList<Kind, Mode> list(const TreeTask& task) {
    AccessList<Kind, Mode> result{{}, SourceLocation::current()};
    for (const TreeAccess& a : task.accesses)
      if (a.mode == Mode) result.data.push_back(header(a.datum));
    return result;
  }

  /// Whole or split: the body does on the task's own views what its children do on theirs.
  void submit_splittable(const TreeTask& task) {
    using Read = Views<Kind, AccessMode::read>;
    using Written = Views<Kind, AccessMode::readwrite>;
    const auto body = [this, &task](Read read, Written written) {
      for (const TreeTask& child : task.children)
        seen_[child.number] += work(program_, child, 0, [&](std::size_t a, std::size_t e) -> std::uint64_t& {
          const std::size_t part = child.accesses[a].datum;
          const TreeDatum& d = program_.data[part];
          std::size_t r = 0, w = 0;
          for (const TreeAccess& own : task.accesses) {
            const TreeDatum& whole = program_.data[own.datum];
            const std::size_t row = d.row - whole.row + e % d.rows, col = d.col - whole.col + e / d.rows;
            const bool reads = own.mode == AccessMode::read;
            const bool suits = program_.lies_in(part, own.datum) && (!reads || child.accesses[a].mode == AccessMode::read);
            if (suits && reads) return const_cast<std::uint64_t&>(read[r](row, col));  // work() only reads it
            if (suits) return written[w](row, col);
            ++(reads ? r : w);
          }
          throw std::logic_error("a child accesses what its parent has not declared");
        });
    };
    const auto cost = [](Read, Written) { return mitra::Work{.flops = 5e9}; };
    const auto split = [this, &task](Runtime&, const std::vector<TileRef<std::uint64_t>>&, const std::vector<TileRef<std::uint64_t>>&) {
      for (const TreeTask& child : task.children) submit(child);
    };
    rt_.submit({.priority = task.priority}, codelet("large").cpu(body).hip_modelled().cost(cost).split(split),
               list<AccessMode::read>(task), list<AccessMode::readwrite>(task));
  }

  void submit(const TreeTask& task) {
    if (task.splittable) {
      for (const TreeTask& child : task.children) prepare(child);
      return submit_splittable(task);
    }
    AnyAccesses accesses;
    for (const TreeAccess& a : task.accesses)
      accesses.add(header(a.datum), a.mode,
                   a.mode == AccessMode::reduce ? &detail::reduce_operation<TileKind<std::uint64_t>, Sum> : nullptr);
    for (const TreeTask& child : task.children) prepare(child);
    const auto body = [this, &task](AnyViews views) {
      const auto at = [&](std::size_t a, std::size_t e) -> std::uint64_t& { return element(views[a], e); };
      seen_[task.number] += work(program_, task, 0, at);
      for (const TreeTask& child : task.children) submit(child);
      if (!task.waits) return;
      rt_.wait();
      seen_[task.number] += work(program_, task, 1, at);
    };
    const auto cost = [n = task.number](AnyViews) { return mitra::Work{.flops = 1e9 * static_cast<double>(n % 5 + 1)}; };
    rt_.submit({.priority = task.priority}, codelet("work").cpu(body).hip_modelled().cost(cost), accesses);
  }
  /// Headers are looked up by the thread that submits the parent: the table is nobody's in particular.
  void prepare(const TreeTask& task) {
    for (const TreeAccess& a : task.accesses) header(a.datum);
    for (const TreeTask& child : task.children) prepare(child);
  }

  void acquire(const TreeAccess& access) {
    TreeTask guard;
    guard.accesses.push_back(access);
    const TileRef<std::uint64_t> ref(header(access.datum));
    if (access.mode == AccessMode::read) {
      rt_.acquire(ref.read());
      return;
    }
    const auto lent = rt_.acquire(ref.readwrite());
    work(program_, guard, 0, [&](std::size_t, std::size_t e) -> std::uint64_t& {
      return lent.view()(e % ref.rows(), e / ref.rows());
    });
  }

  void check(const TileRef<std::uint64_t>& ref, const std::vector<std::uint64_t>& expected, const TreeDatum& root, std::string& out) {
    const auto lent = rt_.acquire(ref.read());
    for (std::size_t e = 0; e < expected.size(); ++e)
      if (lent.view()(e % root.rows, e / root.rows) != expected[e]) {
        out += detail::message("root ", root.root, " holds a wrong value at ", e, '\n');
        return;
      }
  }

  Runtime& rt_;
  const TreeProgram& program_;
  std::vector<std::vector<std::uint64_t>> memory_;
  std::vector<std::atomic<std::uint64_t>> seen_;
  std::vector<Vector<std::uint64_t>> vectors_;
  std::vector<Matrix<std::uint64_t>> matrices_;
  std::vector<detail::DataHeader*> headers_;
  std::vector<RecordedGraph> graphs_;
};

/// First in, first out; splits tasks at random.
class SplitsAtRandom final : public SchedulingPolicy {
 public:
  bool may_split() const override { return true; }
  bool splits(TaskRef, SchedulerView& view) override { return view.random() % 2 == 0; }
  void ready(TaskRef task, SchedulerView&) override { tasks_.push_back(task); }
  TaskRef next(WorkerId worker, SchedulerView& view) override {
    const WorkerKind kind = view.machine().classes[view.machine().workers[worker.index()].worker_class.index()].kind;
    const auto found = std::ranges::find_if(tasks_, [&](TaskRef task) { return task.runs_on(kind); });
    if (found == tasks_.end()) return {};
    const TaskRef task = *found;
    tasks_.erase(found);
    return task;
  }

 private:
  std::vector<TaskRef> tasks_;
};

std::string problems_of(Runtime& rt, const TreeProgram& program) {
  const TreeOracle oracle(program);
  TreeExecution execution(rt, program);
  execution.run();
  rt.wait();
  return execution.differences(oracle);
}

void runs_as_in_sequence(Runtime& rt, std::uint64_t seed, double splittable = 0.0) {
  const TreeProgram program = TreeProgramMaker(seed, splittable).make();
  std::string problems;
  try {
    problems = problems_of(rt, program);
  } catch (const std::exception& error) {
    problems = error.what();
  }
  INFO(program.text());
  REQUIRE(problems == "");
}

void split_as_in_sequence(std::uint64_t seeds) {
  std::vector<Config> configs;
  for (const char* split : {"never", "always", "auto"}) {
    for (const unsigned workers : {1U, 2U, 8U}) configs.push_back(test::with_workers(workers, std::string("dmdas:split=") + split));
    for (const Config& config : simulated_settings(std::string("dmdas:split=") + split)) configs.push_back(config);
  }
  const std::size_t of_dmdas = configs.size();
  for (std::size_t c = 0; c < of_dmdas / 3; ++c) {
    configs.push_back(configs[c]);
    configs.back().policy = [] { return std::make_unique<SplitsAtRandom>(); };
  }
  std::uint64_t split = 0;
  for (const Config& config : configs) {
    Runtime rt(config);
    for (const std::uint64_t seed : test::seeds(test::kSanitized ? (seeds + 19) / 20 : seeds)) {
      MITRA_INFO_SEED(seed);
      INFO(config.scheduler << " on " << rt.machine().name << " with " << rt.machine().workers.size() << " workers");
      runs_as_in_sequence(rt, seed, 0.5);
    }
    split += rt.statistics().split;
  }
  CHECK(split > 0);
}

/// Each seed with devices of its own; with losses, what lies in parts may be gone. Then it is said.
void run_beside_devices(std::uint64_t seeds, bool faults) {
  std::uint64_t lost = 0, right = 0, told = 0;
  for (const std::uint64_t seed : test::seeds(seeds)) {
    MITRA_INFO_SEED(seed);
    test::Random random(seed);
    Config config = random_device_setting(random);
    if (faults) add_faults(config, random, true);
    INFO(config.scheduler << " beside emulated devices " << config.emu);
    Runtime rt(config);
    if (!faults) {
      runs_as_in_sequence(rt, seed);
      continue;
    }
    const TreeProgram program = TreeProgramMaker(seed).make();
    const TreeOracle oracle(program);
    std::string wrong;
    TreeExecution execution(rt, program);
    try {
      execution.run();
      rt.wait();
      wrong = execution.wrong_values(oracle);
      ++right;
    } catch (const Error&) {
      ++told;
    }
    try {
      rt.wait();  // bodies refer to the execution
    } catch (const Error&) {  // told above
    }
    INFO(program.text());
    REQUIRE(wrong == "");
    lost += rt.statistics().lost_devices;
  }
  if (!faults || test::seeds(seeds).size() < seeds) return;  // some seeds alone prove nothing of the others
  CHECK(lost > seeds / 40);
  CHECK(right > seeds / 4);
  CHECK(told > 0);
}

}  // namespace

TEST_CASE("random programs on data in parts beside any devices run as in sequence") { run_beside_devices(test::kSanitized ? 40 : 300, false); }

TEST_CASE("random programs on data in parts beside devices that are lost end right, or say what is gone") {
  run_beside_devices(test::kSanitized ? 40 : 300, true);
}

TEST_CASE("many random programs on data in parts beside any devices run as in sequence", "[.nightly]") {
  run_beside_devices(10000, false);
}

TEST_CASE("many random programs on data in parts beside devices that are lost end right, or say what is gone", "[.nightly]") {
  run_beside_devices(10000, true);
}

TEST_CASE("random programs on data in parts run as in sequence") {
  in_every_setting(300, [](Runtime& rt, std::uint64_t seed) { runs_as_in_sequence(rt, seed); });
}

TEST_CASE("random programs of tasks that can be split run as in sequence") { split_as_in_sequence(200); }

TEST_CASE("many random programs on data in parts run as in sequence", "[.nightly]") {
  in_every_setting(2000, [](Runtime& rt, std::uint64_t seed) { runs_as_in_sequence(rt, seed); });
  split_as_in_sequence(2000);
}
