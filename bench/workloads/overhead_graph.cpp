// Flow: `mitra bench`, micro benchmarks -> [overhead graph] -> Runtime::submit. Thread-safety: submission thread.

#include "workloads/overhead_graph.hpp"

#include <algorithm>
#include <string>

#include <mitra/error.hpp>

#include "workloads/task_bench_kernel.hpp"

namespace mitra::workloads {
namespace {

struct Empty {
  template <class... Views>
  void operator()(Views&&...) const {}
};

struct Compute {
  std::uint64_t iterations;
  template <class... Views>
  void operator()(Views&&...) const {
    compute(iterations);
  }
};

}  // namespace

OverheadPattern overhead_pattern(std::string_view name) {
  const auto found = std::ranges::find(kOverheadPatterns, name);
  if (found != kOverheadPatterns.end()) return static_cast<OverheadPattern>(found - kOverheadPatterns.begin());
  std::string names;
  for (const std::string_view known : kOverheadPatterns) names.append(names.empty() ? "" : ", ").append(known);
  throw ConfigError(detail::message("unknown benchmark pattern '", name, "'; known: ", names));
}

OverheadGraph::OverheadGraph(Runtime& rt, OverheadPattern pattern, const OverheadSize& size)
    : rt_(rt), pattern_(pattern), size_(size) {
  std::uint64_t count = 0;
  switch (pattern) {
    case OverheadPattern::independent:
      break;
    case OverheadPattern::independent_data:
      count = size.tasks;
      break;
    case OverheadPattern::chain:
      count = 1;
      break;
    case OverheadPattern::stencil_1d:
      count = 2 * size.width;
      break;
    case OverheadPattern::cholesky:
      count = size.tiles * size.tiles;
      break;
  }
  values_.resize(count);
  data_.reserve(count);
  for (double& value : values_) data_.push_back(rt.data(value));
}

std::uint64_t OverheadGraph::steps() const {
  return size_.steps > 0 ? size_.steps : std::max<std::uint64_t>(1, size_.tasks / size_.width);
}

std::uint64_t OverheadGraph::tasks() const {
  if (pattern_ == OverheadPattern::stencil_1d) return size_.width * steps();
  if (pattern_ == OverheadPattern::cholesky) return size_.tiles * (size_.tiles + 1) * (size_.tiles + 2) / 6;
  return size_.tasks;
}

void OverheadGraph::submit() {
  if (size_.iterations == 0)
    submit_with(Empty{});
  else
    submit_with(Compute{size_.iterations});
}

template <class Body>
void OverheadGraph::submit_with(Body body) {
  switch (pattern_) {
    case OverheadPattern::independent:
      for (std::uint64_t i = 0; i < size_.tasks; ++i) rt_.submit("independent", body);
      return;
    case OverheadPattern::independent_data:
      for (const auto& datum : data_) rt_.submit("independent_data", body, datum.write());
      return;
    case OverheadPattern::chain:
      for (std::uint64_t i = 0; i < size_.tasks; ++i) rt_.submit("chain", body, data_[0].readwrite());
      return;
    case OverheadPattern::stencil_1d:
      return submit_stencil(body);
    case OverheadPattern::cholesky:
      return submit_cholesky(body);
  }
}

template <class Body>
void OverheadGraph::submit_stencil(Body body) {
  const std::size_t width = size_.width;
  for (std::uint64_t step = 0; step < steps(); ++step) {
    const Object<double>* fresh = &data_[step % 2 * width];
    const Object<double>* old = &data_[(step + 1) % 2 * width];
    for (std::size_t i = 0; i < width; ++i) {
      const auto out = fresh[i].write();
      if (step == 0)
        rt_.submit("stencil_1d", body, out);
      else if (width == 1)
        rt_.submit("stencil_1d", body, old[i].read(), out);
      else if (i == 0)
        rt_.submit("stencil_1d", body, old[i].read(), old[i + 1].read(), out);
      else if (i + 1 == width)
        rt_.submit("stencil_1d", body, old[i - 1].read(), old[i].read(), out);
      else
        rt_.submit("stencil_1d", body, old[i - 1].read(), old[i].read(), old[i + 1].read(), out);
    }
  }
}

template <class Body>
void OverheadGraph::submit_cholesky(Body body) {
  const std::size_t nt = size_.tiles;
  const auto tile = [&](std::size_t i, std::size_t j) -> const Object<double>& { return data_[i * nt + j]; };
  for (std::size_t k = 0; k < nt; ++k) {
    rt_.submit("potrf", body, tile(k, k).readwrite());
    for (std::size_t i = k + 1; i < nt; ++i) rt_.submit("trsm", body, tile(k, k).read(), tile(i, k).readwrite());
    for (std::size_t i = k + 1; i < nt; ++i) {
      rt_.submit("syrk", body, tile(i, k).read(), tile(i, i).readwrite());
      for (std::size_t j = k + 1; j < i; ++j)
        rt_.submit("gemm", body, tile(i, k).read(), tile(j, k).read(), tile(i, j).readwrite());
    }
  }
}

}  // namespace mitra::workloads
