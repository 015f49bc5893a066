#include "model/teams.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include <mitra/error.hpp>

namespace mitra::model {

namespace {

constexpr unsigned kLargest = 4096;

std::optional<unsigned> whole(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > kLargest) return std::nullopt;
  return value;
}

using Domains = std::map<std::pair<int, int>, std::vector<std::size_t>>;  // cores by NUMA domain, cache

Domains domains_of(const std::vector<CorePlace>& cores, bool caches_apart) {
  Domains domains;
  for (std::size_t i = 0; i < cores.size(); ++i)
    domains[{cores[i].numa_domain, caches_apart ? cores[i].l3_domain : 0}].push_back(i);
  return domains;
}

std::size_t largest(const Domains& domains) {
  std::size_t most = 0;
  for (const auto& [place, cores] : domains) most = std::max(most, cores.size());
  return most;
}

}  // namespace

TeamChoice parse_teams(std::string_view text) {
  if (text.empty() || text == "0") return {};
  if (text == "l3") return {TeamChoice::Kind::l3, 0, 0};
  const std::size_t times = text.find('x');
  const std::optional<unsigned> cores = whole(times == text.npos ? text : text.substr(times + 1));
  const std::optional<unsigned> count = times == text.npos ? std::optional(0U) : whole(text.substr(0, times));
  const bool sound = cores && count && *cores >= 2 && (times == text.npos || *count >= 1);
  if (!sound)
    throw ConfigError(detail::message("teams=", text, ": expected 0 (no teams), l3 (each last-level cache is a team), N (teams of N "
                                      "cores) or KxN (K teams of N cores), of at least 2 and at most ", kLargest,
                                      " cores (set by MITRA_TEAMS)"));
  return {TeamChoice::Kind::size, *cores, *count};
}

std::vector<std::vector<std::size_t>> deal_cores(const TeamChoice& choice, const std::vector<CorePlace>& cores) {
  std::vector<std::vector<std::size_t>> teams;
  if (choice.kind == TeamChoice::Kind::l3) {
    for (auto& [place, members] : domains_of(cores, true))
      if (members.size() > 1) teams.push_back(members);
  } else if (choice.kind == TeamChoice::Kind::size) {
    Domains domains = domains_of(cores, true);
    if (largest(domains) < choice.cores) domains = domains_of(cores, false);
    const std::size_t wanted = choice.count == 0 ? cores.size() : choice.count;
    for (auto domain = domains.rbegin(); domain != domains.rend(); ++domain)
      for (auto& members = domain->second; members.size() >= choice.cores && teams.size() < wanted;) {
        const auto first = members.end() - static_cast<std::ptrdiff_t>(choice.cores);
        teams.emplace_back(first, members.end());
        members.erase(first, members.end());
      }
    if (teams.empty() || (choice.count != 0 && teams.size() < choice.count))
      throw ConfigError(detail::message(
          "teams=", choice.count == 0 ? "" : std::to_string(choice.count) + 'x', choice.cores, ": there is room for ", teams.size(),
          " teams of ", choice.cores, " cores; ", cores.size(), " cores are used, and no NUMA domain has more than ",
          largest(domains_of(cores, false)), " of them (set by MITRA_TEAMS and MITRA_WORKERS)"));
    std::ranges::sort(teams);
  }

  std::vector<bool> taken(cores.size(), false);
  for (const auto& team : teams)
    for (const std::size_t core : team) taken[core] = true;
  std::vector<std::vector<std::size_t>> workers;
  for (std::size_t i = 0; i < cores.size(); ++i)
    if (!taken[i]) workers.push_back({i});
  workers.insert(workers.end(), teams.begin(), teams.end());
  return workers;
}

void bind_single_cores(Machine& machine, const std::vector<Processor>& processors) {
  std::set<int> in_teams;
  for (const Worker& worker : machine.workers)
    if (worker.cores > 1) in_teams.insert(worker.bound_to.begin(), worker.bound_to.end());
  for (Worker& worker : machine.workers)
    for (const Processor& processor : processors)
      if (worker.cores == 1 && processor.l3_domain == worker.l3_domain && !in_teams.contains(processor.index))
        worker.bound_to.push_back(processor.index);
}

}  // namespace mitra::model
