// Each ready task goes where it is expected to end first, its transfers included, and its data go there at once.
// Source: Augonnet, Clet-Ortega, Thibault, Namyst, "Data-aware task scheduling on multi-accelerator based platforms",
// ICPADS 2010, https://inria.hal.science/inria-00523937: StarPU's "dmda".
// Flow: ready -> [dmda] -> worker. Thread-safety: serialised.
//
// Taken from there: the sum with alpha and beta, the prefetch, a transfer that hides behind what the worker has to do yet.
// Energy (gamma) is off unless asked for: here every class has a power model.
#include <mitra/expected_end.hpp>

namespace mitra {

namespace {

class Dmda final : public ExpectedEnd {
 public:
  explicit Dmda(const PolicyArguments& arguments) : ExpectedEnd(ExpectedEndOptions::with_transfers(arguments)) {}
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(dmda, mitra::Dmda, "dm that counts transfers, and fetches data when it places a task",
                {"alpha", "1", "weight of the expected end of a task"},
                {"beta", "1", "weight of the time to bring its data"},
                {"contention", "0", "how many times longer than over idle links transfers take; 0: twice the count of GPUs"},
                {"gamma", "0", "microseconds that one joule is worth"},
                {"idle_power", "0", "watts of the machine while one worker makes the others wait; counts with gamma"});
