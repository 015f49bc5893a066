// Each ready task goes to the worker where it is expected to end first, by models of execution times alone.
// Source: Augonnet, Thibault, Namyst, Wacrenier, "StarPU: a unified platform for task scheduling on heterogeneous multicore
// architectures", CCPE 2011, https://inria.hal.science/inria-00550877; StarPU's "dm".
// Flow: ready -> [dm] -> worker. Thread-safety: serialised.
//
// Taken from there: the rule, in the order in which tasks become ready. Different: places are compared, not workers.
#include <mitra/expected_end.hpp>

namespace mitra {

namespace {

class Dm final : public ExpectedEnd {
 public:
  explicit Dm(const PolicyArguments&) : ExpectedEnd(ExpectedEndOptions{}) {}
};

}  // namespace

}  // namespace mitra

MITRA_SCHEDULER(dm, mitra::Dm, "where a task is expected to end first; transfers are not regarded");
