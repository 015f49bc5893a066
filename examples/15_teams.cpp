// Several cores for one task: a moldable codelet, run by workers that are teams of cores.
//
//   workers = 3 cores, teams = "1x2":    worker 0: one core         worker 1: a team of two cores
//
//   smooth(block 0) --+
//   smooth(block 1) --+--> norm        smooth is moldable: on the team it uses both cores, on a core that one
//   ...             --+                norm is sequential: it uses one core wherever it runs
//
// Teams are worth it where tasks are few and large: each of them ends sooner, and its data stay in one cache. Inside of
// a moldable body, team_for, oneTBB's loops and OpenMP's regions use the cores of the worker, and no others.
// Flow: this program -> Runtime::submit -> workers, some of them teams -> threads of the team.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

int main() {
  constexpr std::size_t kBlocks = 8, kRows = 200, kColumns = 400;

  mitra::Config config;
  config.workers = 3;      // cores in all
  config.teams = "1x2";    // two of them are a team; "l3" makes one of each last-level cache
  mitra::Runtime rt(config);

  std::atomic<unsigned> largest{1};
  const auto smooth = mitra::codelet("smooth")
                          .cpu([&](mitra::View<double> block) {
                            if (mitra::this_team().size > 1) largest = mitra::this_team().size;
                            // Rows are independent of each other: the team shares them out.
                            mitra::team_for(kRows, [&](std::size_t row) {
                              double* x = &block[row * kColumns];
                              for (int sweep = 0; sweep < 20; ++sweep)
                                for (std::size_t i = 1; i + 1 < kColumns; ++i) x[i] = (x[i - 1] + x[i] + x[i + 1]) / 3;
                            });
                          })
                          .moldable();

  std::vector<std::vector<double>> blocks(kBlocks, std::vector<double>(kRows * kColumns));
  for (std::size_t b = 0; b < kBlocks; ++b)
    for (std::size_t i = 0; i < blocks[b].size(); ++i) blocks[b][i] = static_cast<double>((b + i) % 10);
  std::vector<std::vector<double>> expected = blocks;

  double sum = 0.0;
  auto total = rt.data(sum, "sum");
  std::vector<mitra::Vector<double>> handles;
  for (auto& block : blocks) handles.push_back(rt.data(block, "block"));
  for (auto& block : handles) rt.submit(smooth, block.readwrite());
  for (auto& block : handles)
    rt.submit("norm", [](mitra::View<const double> x, double& s) {
      for (const double value : x) s += value * value;
    }, block.read(), total.readwrite());
  rt.wait();

  // The same by one core.
  double reference = 0.0;
  for (auto& block : expected) {
    for (std::size_t row = 0; row < kRows; ++row)
      for (int sweep = 0; sweep < 20; ++sweep)
        for (std::size_t i = row * kColumns + 1; i + 1 < (row + 1) * kColumns; ++i)
          block[i] = (block[i - 1] + block[i] + block[i + 1]) / 3;
    for (const double value : block) reference += value * value;
  }
  const bool right = sum == reference && blocks == expected;
  std::printf("%zu workers, the largest team that ran a task had %u cores, the result is %s\n", rt.machine().workers.size(),
              largest.load(), right ? "right" : "wrong");
  return right ? 0 : 1;
}
