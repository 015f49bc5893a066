// Tasks that submit tasks: merge sort, where each half is sorted by a child.
//
//                 sort 0..n
//               /           \             submits two children, waits for them, merges
//        sort 0..n/2     sort n/2..n
//         /       \       /       \       ... down to parts that are small enough for std::sort
//
// The rules of nesting:
// - A task's children, and theirs, finish before the task itself counts as finished, whether it waits for them or not.
// - wait() in a body waits for the children of that task, and the waiting thread runs other tasks meanwhile.
// - A child touches only data that its parent has declared, or registered in its own body, as here. Another datum could
//   be held by a task that waits for the parent, and the child would wait for it: Mitra refuses it with a MisuseError.
// Flow: this program -> Runtime::submit, also from inside of tasks -> workers.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <mitra/mitra.hpp>

namespace {

constexpr std::size_t kSmall = 4'000;  // sorting so many elements takes far longer than submitting a task

void sort(mitra::Runtime& rt, mitra::View<std::uint32_t> values) {
  if (values.size() <= kSmall) {
    std::sort(values.begin(), values.end());
    return;
  }
  const std::size_t half = values.size() / 2;
  // Two data inside of the one that this task has: they are known to this task and its children alone.
  auto left = rt.vector(values.data(), half, "left");
  auto right = rt.vector(values.data() + half, values.size() - half, "right");
  auto body = [&rt](mitra::View<std::uint32_t> part) { sort(rt, part); };
  rt.submit("sort", body, left.readwrite());
  rt.submit("sort", body, right.readwrite());
  rt.wait();
  std::inplace_merge(values.begin(), values.begin() + half, values.end());
}

}  // namespace

int main() {
  std::vector<std::uint32_t> values(200'000);
  std::uint32_t x = 1;
  std::uint64_t sum = 0;
  for (std::uint32_t& value : values) {
    value = x = x * 1'664'525 + 1'013'904'223;  // a linear congruential generator
    sum += value;
  }

  mitra::Runtime rt;
  auto v = rt.data(values, "values");
  rt.submit("sort", [&rt](mitra::View<std::uint32_t> all) { sort(rt, all); }, v.readwrite());

  // It follows the whole tree: everything below `sort` is finished when `sort` is.
  bool sorted = false;
  rt.submit("check", [&sorted](mitra::View<const std::uint32_t> all) {
    sorted = std::is_sorted(all.begin(), all.end());
  }, v.read());
  rt.wait();

  for (const std::uint32_t value : values) sum -= value;
  const bool right = sorted && sum == 0;
  std::printf("%zu elements, %llu tasks: %s\n", values.size(),
              static_cast<unsigned long long>(rt.statistics().executed), right ? "sorted" : "not sorted");
  return right ? 0 : 1;
}
