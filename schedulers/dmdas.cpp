// As dmdar; a worker's queue is sorted by priority, and data decide among the most urgent tasks.
// Source: Augonnet, Clet-Ortega, Thibault, Namyst, "Data-aware task scheduling on multi-accelerator based platforms",
// ICPADS 2010, https://inria.hal.science/inria-00523937: StarPU's "dmda", with the order of its "dmdas".
// Flow: ready -> [dmdas] -> worker. Thread-safety: serialised.
//
// Taken from there: the rule. Different: the search ends after `window` tasks, so that a decision stays cheap.
#include <mitra/expected_end.hpp>

namespace mitra {

namespace {

class Dmdas final : public ExpectedEnd {
 public:
  explicit Dmdas(const PolicyArguments& arguments) : ExpectedEnd(options(arguments)) {}

 private:
  static ExpectedEndOptions options(const PolicyArguments& arguments) {
    ExpectedEndOptions options = ExpectedEndOptions::with_transfers(arguments);
    options.by_priority = true;
    const std::string& split = arguments.text("split");
    if (split != "never" && split != "auto" && split != "always")
      throw ConfigError("scheduler parameter split=" + split + ": never, auto or always is expected");
    options.splitting = split == "never" ? Splitting::never : split == "auto" ? Splitting::automatic : Splitting::always;
    options.window = static_cast<std::size_t>(arguments.integer("window", 1));
    return options;
  }
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(dmdas, mitra::Dmdas, "dmdar with the most urgent task first",
                {"alpha", "1", "weight of the expected end of a task"},
                {"beta", "1", "weight of the time to bring its data"},
                {"contention", "0", "how many times longer than over idle links transfers take; 0: twice the count of GPUs"},
                {"gamma", "0", "microseconds that one joule is worth"},
                {"idle_power", "0", "watts of the machine while one worker makes the others wait; counts with gamma"},
                {"split", "auto", "tasks that can be split: never, always, or auto: where the cores together end it first"},
                {"window", "16", "tasks of a worker's queue that are looked at for data which are there"});
