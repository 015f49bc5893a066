#include "model/machine_links.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

namespace mitra::model {

namespace {

constexpr std::size_t kMaxLinks = 1'000'000;  // of all compute nodes together

/// Memories that a name stands for: a group, one instance, or none for the network.
struct Endpoint {
  std::string name;
  std::vector<std::uint32_t> memories;
  bool is_network = false;
};

enum class Sharing { none, package, all };
enum class Pairs { all, same_package, other_package };

class LinkBuilder {
 public:
  LinkBuilder(const std::vector<MemoryGroup>& groups, MachineDescription& machine, std::vector<ValueOrigin>& origins)
      : groups_(groups), machine_(machine), origins_(origins), memories_(machine.memories.size()) {
    routes_.resize(memories_ * memories_);
    out_.resize(memories_);
    in_.resize(memories_);
    for (const MemoryGroup& group : groups)
      for (std::uint32_t i = 0; i < group.count; ++i) {
        group_of_.push_back(&group);
        known_.push_back(instance_name(group, i));
      }
    for (const MemoryGroup& group : groups)
      if (group.count > 1) known_.push_back(group.name);
    known_.emplace_back(kNetwork);
  }

  void link(const DocumentNode& node);
  void route(const DocumentNode& node);
  void complete(const DocumentNode& root);
  void replicate();

 private:
  using Way = std::optional<Route>;

  Endpoint endpoint(const DocumentNode& where, const std::string& name) const;
  void expand(const DocumentNode& node, const std::string& name, const Endpoint& a, const Endpoint& b, Section& keys);
  std::uint32_t add_link(const DocumentNode& where, const std::string& name, double bandwidth, double energy);
  std::string label(const Endpoint& end, std::uint32_t memory, Sharing sharing) const;
  std::uint32_t package_of(std::uint32_t memory) const {
    return (memory - group_of_[memory]->first) / group_of_[memory]->package;
  }
  /// The way from one end to the other; kNone stands for the network.
  Way& way(std::uint32_t from, std::uint32_t to) {
    return from == kNone ? in_[to] : to == kNone ? out_[from] : routes_[from * memories_ + to];
  }
  std::string name_of(std::uint32_t memory) const { return memory == kNone ? kNetwork : known_[memory]; }
  static Route joined(Route first, const Route& second);

  static constexpr std::uint32_t kNone = static_cast<std::uint32_t>(-1);

  const std::vector<MemoryGroup>& groups_;
  MachineDescription& machine_;
  std::vector<ValueOrigin>& origins_;
  std::size_t memories_;
  std::vector<const MemoryGroup*> group_of_;  // by memory
  std::vector<std::string> known_;            // names of memories, then of groups
  std::vector<Way> routes_, out_, in_;
  std::map<std::string, std::uint32_t> links_;  // by name
  std::map<std::string, std::uint32_t> template_lines_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> explicit_lines_;
};

Endpoint LinkBuilder::endpoint(const DocumentNode& where, const std::string& name) const {
  Endpoint end{name, {}, name == kNetwork};
  if (end.is_network) return end;
  for (const MemoryGroup& group : groups_) {
    for (std::uint32_t i = 0; i < group.count; ++i)
      if (group.name == name || instance_name(group, i) == name) end.memories.push_back(group.first + i);
    if (!end.memories.empty()) return end;
  }
  fail_at(where, fmt::format("there is no memory '{}'{}; known: {}", name.substr(0, 60), suggestion(name, known_),
                             fmt::join(known_, ", ")));
}

std::uint32_t LinkBuilder::add_link(const DocumentNode& where, const std::string& name, double bandwidth, double energy) {
  const auto [found, added] = links_.emplace(name, static_cast<std::uint32_t>(machine_.links.size()));
  if (!added) fail_at(where, fmt::format("a second link '{}'; give it another name", name));
  if (machine_.links.size() * machine_.compute_nodes >= kMaxLinks)
    fail_at(where, fmt::format("more than {} links in all; share some of them, or model fewer compute nodes", kMaxLinks));
  machine_.links.push_back({name, bandwidth, energy});
  return found->second;
}

std::string LinkBuilder::label(const Endpoint& end, std::uint32_t memory, Sharing sharing) const {
  if (memory == kNone || sharing == Sharing::all) return end.name;
  const MemoryGroup& group = *group_of_[memory];
  if (sharing == Sharing::package && group.package > 1) return fmt::format("{}.p{}", group.name, package_of(memory));
  return known_[memory];
}

void LinkBuilder::link(const DocumentNode& node) {
  Section first(node, "link", nullptr);
  first.require("name", "name = \"pcie\"");
  const std::string name = first.text("name", "");
  if (!template_lines_.emplace(name, node.line).second)
    fail_at(node, fmt::format("a second [[link]] named '{}', after that of line {}; give it another name", name, template_lines_[name]));

  Section keys(node, "link." + name, &origins_);
  keys.text("name", "");
  keys.require("bandwidth", "bandwidth = \"128 GB/s\"");
  const std::vector<std::string> between = keys.texts("between");
  if (keys.find("between") == nullptr) {
    const double bandwidth = keys.quantity("bandwidth", Dimension::byte_rate, 0.0);
    const double energy = keys.quantity("energy", Dimension::energy_per_byte, 0.0, true);
    keys.finish();  // a link for explicit routes; what belongs to pairs is not known here
    add_link(node, name, bandwidth, energy);
    return;
  }
  if (between.size() != 2)
    fail_at(*node.find("between"), fmt::format("link.{}.between: expected two memories, such as [\"dram\", \"hbm\"]", name));
  const Endpoint a = endpoint(*node.find("between"), between[0]), b = endpoint(*node.find("between"), between[1]);
  if (a.is_network) fail_at(*node.find("between"), "between: the network comes second: between = [\"dram\", \"network\"]");
  expand(node, name, a, b, keys);
}

void LinkBuilder::expand(const DocumentNode& node, const std::string& name, const Endpoint& a, const Endpoint& b, Section& keys) {
  const double bandwidth = keys.quantity("bandwidth", Dimension::byte_rate, 0.0);
  const double bandwidth_back = keys.quantity("bandwidth_back", Dimension::byte_rate, bandwidth);
  const Seconds latency(keys.quantity("latency", Dimension::time, 0.0, true));
  const Seconds latency_back(keys.quantity("latency_back", Dimension::time, latency.value, true));
  const double energy = keys.quantity("energy", Dimension::energy_per_byte, 0.0, true);
  const bool half = keys.word("duplex", {"full", "half"}, 0) == 1;
  const auto sharing = static_cast<Sharing>(keys.word("shared", {"no", "package", "all"}, 0));
  const auto wanted = static_cast<Pairs>(keys.word("pairs", {"all", "same_package", "other_package"}, 0));
  keys.finish();
  const bool clique = a.memories == b.memories;
  if (half && node.find("bandwidth_back") != nullptr)
    fail_at(node, fmt::format("link.{}: bandwidth_back with duplex = \"half\": both directions are one link", name));
  if (clique && (node.find("bandwidth_back") != nullptr || node.find("latency_back") != nullptr))
    fail_at(node, fmt::format("link.{}: between equal memories no direction is the one back; write [[route]]s instead", name));
  if (b.is_network && wanted != Pairs::all)
    fail_at(node, fmt::format("link.{}: the network has no packages; leave 'pairs' out", name));
  if (b.is_network && machine_.compute_nodes == 1) return;  // nobody to talk to

  std::map<std::string, std::uint32_t> made;  // links of this template, by their two ends
  const auto connect = [&](std::uint32_t from, std::uint32_t to, bool back) {
    Way& way = this->way(from, to);
    if (way) fail_at(node, fmt::format("link.{}: a second way from '{}' to '{}'; leave one out", name, name_of(from), name_of(to)));
    std::string one = label(back ? b : a, from, sharing), other = label(back ? a : b, to, sharing);
    if (half && one > other) std::swap(one, other);
    const std::string ends = fmt::format("{} {}{}{}", name, one, half ? "-" : ">", other);
    const auto found = made.find(ends);
    const std::uint32_t link =
        found != made.end() ? found->second : add_link(node, ends, back ? bandwidth_back : bandwidth, energy);
    made.emplace(ends, link);
    way = Route{{link}, back ? latency_back : latency};
  };
  for (const std::uint32_t from : a.memories) {
    if (b.is_network) {
      connect(from, kNone, false);
      connect(kNone, from, true);
      continue;
    }
    for (const std::uint32_t to : b.memories) {
      if (from == to || (clique && to < from)) continue;
      if (wanted != Pairs::all && (package_of(from) == package_of(to)) != (wanted == Pairs::same_package)) continue;
      connect(from, to, false);
      connect(to, from, true);
    }
  }
}

void LinkBuilder::route(const DocumentNode& node) {
  Section first(node, "route", nullptr);
  first.require("from", "from = \"dram\"");
  first.require("to", "to = \"hbm0\"");
  const Endpoint from = endpoint(*node.find("from"), first.text("from", "")), to = endpoint(*node.find("to"), first.text("to", ""));
  if (from.is_network && to.is_network) fail_at(node, "a route from the network to the network; one end must be a memory");

  Section keys(node, fmt::format("route.{}>{}", from.name, to.name), &origins_);
  keys.text("from", "");
  keys.text("to", "");
  const double bandwidth = keys.quantity("bandwidth", Dimension::byte_rate, 0.0);
  const double energy = keys.quantity("energy", Dimension::energy_per_byte, 0.0, true);
  const Seconds latency(keys.quantity("latency", Dimension::time, 0.0, true));
  std::vector<std::uint32_t> shared;
  for (const std::string& name : keys.texts("links")) {
    const auto found = links_.find(name);
    if (found == links_.end()) {
      std::vector<std::string> names;
      for (const auto& [known, index] : links_) names.push_back(known);
      fail_at(*node.find("links"), fmt::format("there is no link '{}'{}; a route names a [[link]] without 'between'",
                                               name.substr(0, 60), suggestion(name, names)));
    }
    if (std::ranges::find(shared, found->second) != shared.end())
      fail_at(*node.find("links"), fmt::format("link '{}' twice in one route; a transfer crosses each link once", name));
    shared.push_back(found->second);
  }
  keys.finish();
  if (shared.empty() && bandwidth == 0.0)
    fail_at(node, fmt::format("{} has neither bandwidth nor links; expected bandwidth = \"6 GB/s\" or links = [...]", keys.path()));
  if (bandwidth == 0.0 && energy > 0.0)
    fail_at(node, fmt::format("{}: energy without bandwidth; give it to the [[link]]s", keys.path()));
  if ((from.is_network || to.is_network) && machine_.compute_nodes == 1) return;

  const std::vector<std::uint32_t> outside{kNone};
  for (const std::uint32_t a : from.is_network ? outside : from.memories)
    for (const std::uint32_t b : to.is_network ? outside : to.memories) {
      if (a == b) continue;
      const auto [before, added] = explicit_lines_.emplace(std::pair(a, b), node.line);
      if (!added)
        fail_at(node, fmt::format("a second [[route]] from '{}' to '{}', after that of line {}; leave one out", name_of(a),
                                  name_of(b), before->second));
      Route found{{}, latency};
      if (bandwidth > 0.0) found.links.push_back(add_link(node, fmt::format("{}>{}", name_of(a), name_of(b)), bandwidth, energy));
      found.links.insert(found.links.end(), shared.begin(), shared.end());
      way(a, b) = std::move(found);
    }
}

Route LinkBuilder::joined(Route first, const Route& second) {
  for (const std::uint32_t link : second.links)
    if (std::ranges::find(first.links, link) == first.links.end()) first.links.push_back(link);
  first.latency += second.latency;
  return first;
}

/// What has no way of its own goes through the host memory.
void LinkBuilder::complete(const DocumentNode& root) {
  const auto missing = [&](const std::string& from, const std::string& to) {
    fail_at(root, fmt::format("there is no way from '{}' to '{}', nor through the host memory '{}'; add [[link]] with between = "
                              "[\"{}\", \"{}\"]", from, to, known_[0], from == kNetwork ? to : from, from == kNetwork ? from : to));
  };
  for (std::uint32_t m = 0; m < memories_; ++m) routes_[m * memories_ + m] = Route{};
  for (std::uint32_t a = 0; a < memories_; ++a)
    for (std::uint32_t b = 0; b < memories_; ++b) {
      if (way(a, b)) continue;
      const Way& up = way(a, 0);
      const Way& down = way(0, b);
      if (a == 0 || b == 0 || !up || !down) missing(known_[a], known_[b]);
      way(a, b) = joined(*up, *down);
    }
  if (machine_.compute_nodes == 1) return;
  for (std::uint32_t m = 0; m < memories_; ++m) {
    if (!out_[m]) out_[m] = out_[0] ? Way(joined(*way(m, 0), *out_[0])) : (missing(known_[m], kNetwork), Way());
    if (!in_[m]) in_[m] = in_[0] ? Way(joined(*in_[0], *way(0, m))) : (missing(kNetwork, known_[m]), Way());
  }
}

/// Compute node 0, as many times as there are compute nodes.
void LinkBuilder::replicate() {
  const unsigned nodes = machine_.compute_nodes;
  machine_.memories_per_node = static_cast<std::uint32_t>(memories_);
  machine_.links_per_node = static_cast<std::uint32_t>(machine_.links.size());
  machine_.local_routes.clear();
  for (Way& way : routes_) machine_.local_routes.push_back(std::move(*way));
  if (nodes == 1) return;

  const std::vector<LinkDescription> links = std::move(machine_.links);
  const std::vector<MemoryDescription> memories = std::move(machine_.memories);
  machine_.links.clear();
  machine_.memories.clear();
  for (unsigned n = 0; n < nodes; ++n) {
    for (LinkDescription link : links) {
      link.name = fmt::format("n{}.{}", n, link.name);
      machine_.links.push_back(std::move(link));
    }
    for (std::uint32_t m = 0; m < memories_; ++m) {
      MemoryDescription memory = memories[m];
      memory.name = fmt::format("n{}.{}", n, memory.name);
      memory.compute_node = n;
      machine_.memories.push_back(std::move(memory));
      for (const auto& [way, ways] : {std::pair(&out_[m], &machine_.to_network), std::pair(&in_[m], &machine_.from_network)}) {
        Route moved = **way;
        for (std::uint32_t& link : moved.links) link += n * machine_.links_per_node;
        ways->push_back(std::move(moved));
      }
    }
  }
}

}  // namespace

std::string instance_name(const MemoryGroup& group, std::uint32_t instance) {
  return group.count == 1 ? group.name : fmt::format("{}{}", group.name, instance);
}

void read_links(Section& root, const std::vector<MemoryGroup>& groups, MachineDescription& machine,
                std::vector<ValueOrigin>& origins) {
  LinkBuilder builder(groups, machine, origins);
  const std::vector<DocumentNode> links = root.tables("link"), routes = root.tables("route");
  for (const DocumentNode& node : links) builder.link(node);
  for (const DocumentNode& node : routes) builder.route(node);
  builder.complete(root.node());
  builder.replicate();
}

}  // namespace mitra::model
