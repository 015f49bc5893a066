// The task bodies: Task Bench's kernels, and the body that checks a run.
// One translation unit, compiled once and linked to every peer, so that all runtimes execute the same instructions.
// Flow: runtime -> run_task -> [kernel]. Thread-safety: thread-safe; set_bodies and the verification calls are not.

#include <algorithm>
#include <atomic>

#include "peer.hpp"

namespace peer {

bool bodies_are_empty = true;

namespace {

Kernel kernel = Kernel::empty;
std::uint64_t iterations = 0;
bool verify = false;
const Pattern* pattern = nullptr;

// Makes the compiler believe that someone reads the value.
template <class Value>
void keep(Value value) {
  asm volatile("" : : "g"(value) : "memory");
}

// Task Bench, core_kernel.cc, execute_kernel_busy_wait.
long long busy(std::uint64_t count) {
  long long value = 113;
  for (std::uint64_t i = 0; i < count; ++i) value = value * 139 % 2147483647;
  return value;
}

// Task Bench, core_kernel.cc, execute_kernel_compute, its portable form: 2 * 64 * count + 64 flops.
double compute(std::uint64_t count) {
  double a[64];
  for (double& x : a) x = 1.2345;
  for (std::uint64_t i = 0; i < count; ++i)
    for (double& x : a) x = x * x + x;
  double product = 1.0;
  for (double x : a) product *= x;
  return product;
}

double compute_flops(std::uint64_t count) { return 2.0 * 64.0 * static_cast<double>(count) + 64.0; }

// What a run under --verify leaves behind. Atomics, so that a wrong runtime gives a report and not undefined behaviour.
struct Evidence {
  explicit Evidence(const Pattern& p) : runs(p.tasks()), data(p.data()) {}
  std::vector<std::atomic<std::uint32_t>> runs;  // of each task
  std::vector<std::atomic<std::uint64_t>> data;  // each writer folds its id and what it read into its datum
  std::atomic<std::uint64_t> too_early{0};
};
std::unique_ptr<Evidence> evidence;

void fold(TaskId task, Evidence& into) {
  for (TaskId predecessor : pattern->predecessors(task))
    if (into.runs[predecessor].load(std::memory_order_acquire) == 0) into.too_early.fetch_add(1);
  std::uint64_t value = task + std::uint64_t{1};
  for (const Access& access : pattern->accesses(task)) {
    if (access.mode != Mode::out)
      value = (value ^ into.data[access.datum].load(std::memory_order_relaxed)) * 0x9E3779B97F4A7C15u;
    if (access.mode != Mode::in) into.data[access.datum].store(value, std::memory_order_relaxed);
  }
  into.runs[task].fetch_add(1, std::memory_order_release);
}

}  // namespace

void run_body(TaskId task) {
  if (kernel == Kernel::busy) keep(busy(iterations));
  if (kernel == Kernel::compute) keep(compute(iterations));
  if (verify) fold(task, *evidence);
}

void set_bodies(const Options& options, const Pattern& of) {
  kernel = options.kernel;
  iterations = options.iterations;
  verify = options.verify;
  pattern = &of;
  bodies_are_empty = kernel == Kernel::empty && !verify;
}

void begin_verification() { evidence = std::make_unique<Evidence>(*pattern); }

void end_verification() {
  const auto once = [](const auto& runs) { return runs.load() == 1; };
  const auto wrong = static_cast<std::size_t>(evidence->runs.size()) -
                     static_cast<std::size_t>(std::ranges::count_if(evidence->runs, once));
  if (wrong) throw std::runtime_error(std::to_string(wrong) + " tasks did not run exactly once");
  if (evidence->too_early)
    throw std::runtime_error(std::to_string(evidence->too_early) + " times a task ran before one of its predecessors");
  Evidence sequential(*pattern);
  for (std::size_t task = 0; task < pattern->tasks(); ++task) fold(static_cast<TaskId>(task), sequential);
  for (std::size_t i = 0; i < sequential.data.size(); ++i)
    if (sequential.data[i] != evidence->data[i])
      throw std::runtime_error("datum " + std::to_string(i) + " differs from the sequential program's");
}

double flops_per_task(const Options& options) {
  return options.kernel == Kernel::compute ? compute_flops(options.iterations) : 0.0;
}

double measure_kernel_flops_per_second() {
  constexpr std::uint64_t kCount = 350'000;  // so many that the final product does not matter
  const Stopwatch stopwatch;
  keep(compute(kCount));
  return compute_flops(kCount) / stopwatch.elapsed().count();
}

}  // namespace peer
