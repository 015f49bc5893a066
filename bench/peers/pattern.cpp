// The task patterns as access lists, and the edges that these imply.
// Flow: main -> [pattern] -> siblings. Thread-safety: immutable once constructed.

#include <algorithm>
#include <limits>

#include "peer.hpp"

namespace peer {

Pattern::Pattern(const Options& options) {
  const std::string& name = options.pattern;
  if (name == "independent") {
    for (std::uint64_t i = 0; i < options.tasks; ++i) task({});
  } else if (name == "independent_data") {
    for (std::uint64_t i = 0; i < options.tasks; ++i) task({{static_cast<DatumId>(i), Mode::out}});
  } else if (name == "chain") {
    for (std::uint64_t i = 0; i < options.tasks; ++i) task({{0, Mode::inout}});
  } else if (name == "stencil_1d") {
    const std::uint64_t steps =
        options.steps ? options.steps : std::max<std::uint64_t>(1, options.tasks / options.width);
    add_stencil_1d(options.width, steps);
  } else if (name == "cholesky") {
    add_cholesky(options.tiles);
  } else {
    throw UsageError("unknown pattern '" + name +
                     "'; known: independent, independent_data, chain, stencil_1d, cholesky");
  }
  infer_predecessors();
}

void Pattern::task(std::initializer_list<Access> accesses) {
  // The last id stays free: siblings use it for "no task".
  if (tasks() == std::numeric_limits<TaskId>::max()) throw UsageError("a pattern has fewer than 2^32 - 1 tasks");
  accesses_.insert(accesses_.end(), accesses);
  first_access_.push_back(accesses_.size());
  for (const Access& access : accesses) data_ = std::max<std::size_t>(data_, access.datum + std::size_t{1});
}

// Two buffers used in turn, as Task Bench does with nb_fields = 2: step t writes buffer t mod 2 and reads the other.
void Pattern::add_stencil_1d(std::uint64_t width, std::uint64_t steps) {
  const auto cell = [width](std::uint64_t step, std::uint64_t i) {
    return static_cast<DatumId>((step % 2) * width + i);
  };
  for (std::uint64_t t = 0; t < steps; ++t) {
    for (std::uint64_t i = 0; i < width; ++i) {
      const Access output{cell(t, i), Mode::out};
      if (t == 0) {
        task({output});
        continue;
      }
      const Access left{cell(t - 1, i - 1), Mode::in}, middle{cell(t - 1, i), Mode::in},
          right{cell(t - 1, i + 1), Mode::in};
      if (width == 1)
        task({middle, output});
      else if (i == 0)
        task({middle, right, output});
      else if (i == width - 1)
        task({left, middle, output});
      else
        task({left, middle, right, output});
    }
  }
}

// Right-looking, lower triangle: the order in which a sequential tiled factorisation calls its kernels.
void Pattern::add_cholesky(std::uint64_t tiles) {
  const auto tile = [tiles](std::uint64_t i, std::uint64_t j) { return static_cast<DatumId>(i * tiles + j); };
  for (std::uint64_t k = 0; k < tiles; ++k) {
    task({{tile(k, k), Mode::inout}});                                                                        // potrf
    for (std::uint64_t i = k + 1; i < tiles; ++i) task({{tile(k, k), Mode::in}, {tile(i, k), Mode::inout}});  // trsm
    for (std::uint64_t i = k + 1; i < tiles; ++i) {
      task({{tile(i, k), Mode::in}, {tile(i, i), Mode::inout}});  // syrk
      for (std::uint64_t j = k + 1; j < i; ++j)
        task({{tile(i, k), Mode::in}, {tile(j, k), Mode::in}, {tile(i, j), Mode::inout}});  // gemm
    }
  }
}

void Pattern::infer_predecessors() {
  struct Datum {
    bool written = false;
    TaskId writer = 0;            // of the current content
    std::vector<TaskId> readers;  // of the current content
  };
  std::vector<Datum> data(data_);
  std::vector<TaskId> found;
  for (std::size_t id = 0; id < tasks(); ++id) {
    const auto task = static_cast<TaskId>(id);
    found.clear();
    for (const Access& access : accesses(task)) {
      Datum& datum = data[access.datum];
      if (access.mode == Mode::in) {
        if (datum.written) found.push_back(datum.writer);
        datum.readers.push_back(task);
        continue;
      }
      // Readers of the old content already follow its writer: the edge from that writer would say nothing new.
      if (!datum.readers.empty())
        found.insert(found.end(), datum.readers.begin(), datum.readers.end());
      else if (datum.written)
        found.push_back(datum.writer);
      datum.readers.clear();
      datum.written = true;
      datum.writer = task;
    }
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    predecessors_.insert(predecessors_.end(), found.begin(), found.end());
    first_predecessor_.push_back(predecessors_.size());
  }
}

}  // namespace peer
