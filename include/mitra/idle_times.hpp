// When the workers of one place are idle in a plan: a tree of gaps, which finds the first one that has room for a task.
// Flow: list plan -> [idle times]. Thread-safety: serialised.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace mitra {

/// Gaps of several equal workers, each from a start to an end; the last one of each worker never ends.
/// A treap by (start, gap) with the latest end and the greatest length of each subtree.
/// @cost  find() and take() O(log gaps), expected. Gaps too short for the shortest task are dropped, so that they stay few.
class IdleTimes {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr double kForever = std::numeric_limits<double>::infinity();
  struct Fit {
    std::uint32_t gap = kNone;
    double start = 0.0;
  };

  IdleTimes() = default;
  /// @param shortest  No task will be shorter.
  explicit IdleTimes(double shortest) : shortest_(shortest) {}
  IdleTimes(std::size_t workers, double from, double shortest) : shortest_(shortest) {
    for (std::uint32_t w = 0; w < workers; ++w) add(w, from);
  }
  /// The worker is idle from then on.
  void add(std::uint32_t worker, double from) { insert(from, kForever, worker); }

  /// @returns The gap in which a task that is ready at `ready` and takes `duration` starts first; of several that let it
  ///          start at once, the one that began last.
  Fit find(double ready, double duration) const {
    if (const std::uint32_t gap = last_before(root_, ready, ready + duration); gap != kNone) return {gap, ready};
    const std::uint32_t gap = first_after(root_, ready, duration);
    return {gap, gap == kNone ? kForever : nodes_[gap].start};
  }
  /// Puts a task there. @returns The worker, counted from 0 in the place. @pre find() has just returned `fit`
  std::uint32_t take(const Fit& fit, double duration) {
    const Node gap = nodes_[fit.gap];
    root_ = erase(root_, fit.gap);
    free_.push_back(fit.gap);
    if (fit.start - gap.start >= shortest_ && fit.start > gap.start) insert(gap.start, fit.start, gap.worker);
    if (const double end = fit.start + duration; gap.end > end && gap.end - end >= shortest_) insert(end, gap.end, gap.worker);
    return gap.worker;
  }
  /// Nothing starts before `now` any more.
  void forget_before(double now, double shortest) {
    IdleTimes kept;
    kept.shortest_ = shortest;
    kept.counter_ = counter_;
    keep(root_, now, kept);
    *this = std::move(kept);
  }

 private:
  struct Node {
    double start = 0.0, end = 0.0;
    double latest_end = 0.0, longest = 0.0;  // of the subtree
    std::uint32_t left = kNone, right = kNone;
    std::uint32_t worker = 0;
    std::uint32_t weight = 0;
  };

  bool before(std::uint32_t a, std::uint32_t b) const {
    return std::pair(nodes_[a].start, a) < std::pair(nodes_[b].start, b);
  }
  void update(std::uint32_t n) {
    Node& node = nodes_[n];
    node.latest_end = node.end;
    node.longest = node.end - node.start;
    for (const std::uint32_t child : {node.left, node.right}) {
      if (child == kNone) continue;
      node.latest_end = std::max(node.latest_end, nodes_[child].latest_end);
      node.longest = std::max(node.longest, nodes_[child].longest);
    }
  }
  std::uint32_t last_before(std::uint32_t n, double ready, double end) const {
    if (n == kNone || nodes_[n].latest_end < end) return kNone;
    const Node& node = nodes_[n];
    if (node.start > ready) return last_before(node.left, ready, end);
    if (const std::uint32_t found = last_before(node.right, ready, end); found != kNone) return found;
    return node.end >= end ? n : last_before(node.left, ready, end);
  }
  std::uint32_t first_after(std::uint32_t n, double ready, double duration) const {
    if (n == kNone || nodes_[n].longest < duration) return kNone;
    const Node& node = nodes_[n];
    if (node.start <= ready) return first_after(node.right, ready, duration);
    if (const std::uint32_t found = first_after(node.left, ready, duration); found != kNone) return found;
    return node.end - node.start >= duration ? n : first_after(node.right, ready, duration);
  }

  void insert(double start, double end, std::uint32_t worker) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.emplace_back();
    }
    const std::uint32_t n = free_.back();
    free_.pop_back();
    // Equal calls give equal trees: the weights are a sequence of their own (Knuth's multiplicative hash of a counter).
    nodes_[n] = {start, end, end, end - start, kNone, kNone, worker, ++counter_ * 2654435761U};
    const auto [left, right] = split(root_, n);
    root_ = merge(merge(left, n), right);
  }
  std::pair<std::uint32_t, std::uint32_t> split(std::uint32_t n, std::uint32_t at) {
    if (n == kNone) return {kNone, kNone};
    if (before(n, at)) {
      const auto [left, right] = split(nodes_[n].right, at);
      nodes_[n].right = left;
      update(n);
      return {n, right};
    }
    const auto [left, right] = split(nodes_[n].left, at);
    nodes_[n].left = right;
    update(n);
    return {left, n};
  }
  std::uint32_t merge(std::uint32_t a, std::uint32_t b) {
    if (a == kNone || b == kNone) return a == kNone ? b : a;
    if (nodes_[a].weight >= nodes_[b].weight) {
      nodes_[a].right = merge(nodes_[a].right, b);
      update(a);
      return a;
    }
    nodes_[b].left = merge(a, nodes_[b].left);
    update(b);
    return b;
  }
  std::uint32_t erase(std::uint32_t n, std::uint32_t gone) {
    if (n == gone) return merge(nodes_[n].left, nodes_[n].right);
    std::uint32_t& child = before(gone, n) ? nodes_[n].left : nodes_[n].right;
    child = erase(child, gone);
    update(n);
    return n;
  }
  void keep(std::uint32_t n, double now, IdleTimes& kept) const {
    if (n == kNone) return;
    const Node& node = nodes_[n];
    keep(node.left, now, kept);
    if (node.end > now) kept.insert(std::max(node.start, now), node.end, node.worker);
    keep(node.right, now, kept);
  }

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> free_;
  std::uint32_t root_ = kNone;
  std::uint32_t counter_ = 0;
  double shortest_ = 0.0;
};

}  // namespace mitra
