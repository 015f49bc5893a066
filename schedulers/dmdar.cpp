// As dmda; a worker takes first the task of its queue that misses the fewest bytes.
// Source: Augonnet, Clet-Ortega, Thibault, Namyst, "Data-aware task scheduling on multi-accelerator based platforms",
// ICPADS 2010, https://inria.hal.science/inria-00523937: StarPU's "dmda", with the order of its "dmdar".
// Flow: ready -> [dmdar] -> worker. Thread-safety: serialised.
//
// Taken from there: the rule. Different: the search ends after `window` tasks, so that a decision stays cheap.
#include <mitra/expected_end.hpp>

namespace mitra {

namespace {

class Dmdar final : public ExpectedEnd {
 public:
  explicit Dmdar(const PolicyArguments& arguments) : ExpectedEnd(options(arguments)) {}

 private:
  static ExpectedEndOptions options(const PolicyArguments& arguments) {
    ExpectedEndOptions options = ExpectedEndOptions::with_transfers(arguments);
    options.window = static_cast<std::size_t>(arguments.integer("window", 1));
    return options;
  }
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(dmdar, mitra::Dmdar, "dmda, and tasks whose data are there go first",
                {"alpha", "1", "weight of the expected end of a task"},
                {"beta", "1", "weight of the time to bring its data"},
                {"contention", "0", "how many times longer than over idle links transfers take; 0: twice the count of GPUs"},
                {"gamma", "0", "microseconds that one joule is worth"},
                {"idle_power", "0", "watts of the machine while one worker makes the others wait; counts with gamma"},
                {"window", "16", "tasks of a worker's queue that are looked at for data which are there"});
