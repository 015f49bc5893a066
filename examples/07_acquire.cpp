// Lending data to code that is not a task: a solver's loop, a library call, a file writer.
//
//   advance -> advance -> (this thread reads) -> advance -> (this thread writes) -> advance
//
// acquire() takes its place in the order of the accesses, like a task that runs in the calling thread: it waits for the
// tasks submitted before it which conflict, and those submitted after it wait for the end of its guard.
// Flow: this program -> Runtime::acquire -> guard -> tasks.
#include <cstddef>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

namespace {

/// What stands for the other code: it knows nothing of tasks.
double norm_1(const double* values, std::size_t size) {
  double sum = 0.0;
  for (std::size_t i = 0; i < size; ++i) sum += values[i] < 0.0 ? -values[i] : values[i];
  return sum;
}

}  // namespace

int main() {
  mitra::Runtime rt;
  auto state = rt.vector<double>(1'000, "state");  // allocated by Mitra: a view is the only way to its elements
  auto beside = rt.vector<double>(1'000, "beside");
  auto set = [](mitra::View<double> v, double value) {
    for (double& element : v) element = value;
  };
  auto advance = [](mitra::View<double> v) {
    for (double& element : v) element *= 2.0;
  };

  rt.submit("set", set, state.write(), 1.0);
  rt.submit("set", set, beside.write(), 5.0);
  rt.submit("advance", advance, state.readwrite());
  rt.submit("advance", advance, state.readwrite());

  double after_two_steps = 0.0;
  {
    // Waits for the tasks on `state`, and for no others. Tasks that read it may run beside this guard.
    const auto guard = rt.acquire(state.read());
    rt.submit("advance", advance, state.readwrite());  // submitted now, begins when the guard ends
    after_two_steps = norm_1(guard.view().data(), guard.view().size());
  }

  auto guard = rt.acquire(state.readwrite());
  const double after_three_steps = norm_1(guard.view().data(), guard.view().size());
  guard.view()[0] = 0.0;
  rt.submit("advance", advance, state.readwrite());
  guard.release();  // as the end of its scope would; before a wait(), since tasks wait for it

  rt.wait(state);  // for the tasks on one datum; what they wrote is there
  const double after_four_steps = norm_1(rt.acquire(state.read()).view().data(), state.size());
  rt.wait();

  std::printf("norms %.0f, %.0f, %.0f\n", after_two_steps, after_three_steps, after_four_steps);
  return after_two_steps == 4'000.0 && after_three_steps == 8'000.0 && after_four_steps == 15'984.0 ? 0 : 1;
}
