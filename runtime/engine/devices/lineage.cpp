#include "engine/devices/lineage.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include <mitra/error.hpp>

#include "memory/task_data.hpp"

namespace mitra::engine {

using memory::Use;

Lineage::~Lineage() {
  for (std::uint32_t d = 0; d < data_.size(); ++d) forget(d);
}

/// One holder less. Deeds whose content nobody can need any more go with it, and what they have read, without recursion.
void Lineage::let_go(Version* version) {
  releasing_.push_back(version);
  if (releasing_.size() > 1) return;  // whoever is at it goes on with this one
  for (std::size_t i = 0; i < releasing_.size(); ++i) {
    Version* v = releasing_[i];
    if (--v->holders != 0) {
      if (v->holders == 1 && v->at_home) client_.version_released(v->datum);
      continue;
    }
    release_deed(v);  // nobody will ask for it
    PerDatum& datum = data_[v->datum];
    if (datum.home == v) {
      datum.home = nullptr;
      client_.version_released(v->datum);
    }
    if (v->saved != nullptr) client_.give_memory(v->saved, v->size);
    delete v;
  }
  releasing_.clear();
}

/// Its deed is not needed for it any more, or is not to be done again.
void Lineage::release_deed(Version* version) {
  Deed* const deed = std::exchange(version->made_by, nullptr);
  if (deed == nullptr) return;
  for (Deed::Part& part : deed->parts)
    if (part.out == version) part.out = nullptr;
  if (--deed->unsafe != 0) return;
  for (const Deed::Part& part : deed->parts)
    if (part.in != nullptr) let_go(part.in);
  dead_.push_back(deed->task);
  --live_deeds_;
  delete deed;
}

/// @param at_home  Where the content is if nobody has asked for it before.
Version* Lineage::current(std::uint32_t datum, bool at_home) {
  PerDatum& d = data_[datum];
  if (d.current == nullptr && at_home) {
    d.current = d.home = new Version{.datum = datum, .size = client_.bytes_of(datum), .holders = 1, .at_home = true};
  }
  return d.current;
}

void Lineage::replace_current(std::uint32_t datum, Version* version) {
  Version* const before = std::exchange(data_[datum].current, version);
  if (before != nullptr) let_go(before);
}

void Lineage::forget(std::uint32_t datum, bool may_exchange) {
  if (datum >= data_.size()) return;
  PerDatum& d = data_[datum];
  // Deeds may have read what lies at home.
  if (home_is_needed(datum)) before_home_changes(datum, may_exchange);
  if (d.home != nullptr) d.home->at_home = false;
  d.home = nullptr;
  replace_current(datum, nullptr);
}

void Lineage::ran_on_device(detail::TaskHeader& task, std::span<const Use> uses, std::vector<std::int32_t> part_of_access, bool reexecutable) {
  Deed* deed = nullptr;
  if (reexecutable) {
    ++live_deeds_;
    deed = new Deed{.task = &task, .number = ++deeds_, .parts = {}, .part_of_access = std::move(part_of_access)};
    for (const auto [datum, mode] : uses) {
      Deed::Part part{.datum = datum, .size = client_.bytes_of(datum), .writes = memory::writes(mode)};
      if (memory::fetches(mode) && (part.in = current(datum, true)) != nullptr) ++part.in->holders;
      deed->parts.push_back(part);
    }
  }
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (!memory::writes(uses[i].mode)) {
      if (deed != nullptr) client_.version_released(uses[i].datum);  // home is needed from now on
      continue;
    }
    auto* version = new Version{.made_by = deed, .datum = uses[i].datum, .size = client_.bytes_of(uses[i].datum), .holders = 1};
    if (deed != nullptr) {
      deed->parts[i].out = version;
      ++deed->unsafe;
    }
    replace_current(uses[i].datum, version);
  }
  MITRA_CHECK(deed == nullptr || deed->unsafe != 0, "task '", task.name(), "' is kept, and has written nothing");
}

void Lineage::keep_home_content(std::uint32_t datum, bool may_exchange) {
  Version* const home = data_[datum].home;
  if (home == nullptr || home->saved != nullptr || !home_is_needed(datum)) return;
  if (may_exchange) home->saved = client_.exchange_home(datum);
  if (home->saved != nullptr) return;
  home->saved = client_.take_memory(home->size);
  client_.pack_home(datum, home->saved);
}

void Lineage::before_home_changes(std::uint32_t datum, bool may_exchange) {
  keep_home_content(datum, may_exchange);
  if (data_[datum].home != nullptr) data_[datum].home->at_home = false;
  data_[datum].home = nullptr;
}

void Lineage::arrived_home(std::uint32_t datum) {
  PerDatum& d = data_[datum];
  if (d.current == nullptr) return;
  if (d.home != nullptr && d.home != d.current) before_home_changes(datum, false);
  d.home = d.current;
  d.current->at_home = true;
  if (d.current->saved != nullptr) client_.give_memory(std::exchange(d.current->saved, nullptr), d.current->size);
  release_deed(d.current);
}

void Lineage::written_at_home(std::uint32_t datum) {
  PerDatum& d = data_[datum];
  if (d.current == nullptr) return;  // no device has ever seen it
  auto* version = new Version{.datum = datum, .size = client_.bytes_of(datum), .holders = 1, .at_home = true};
  if (d.home != nullptr) d.home->at_home = false;
  d.home = version;
  replace_current(datum, version);
}

// ------------------------------------------------------------------------------------------------ recovery

/// Adds the deeds that lead to this content, which is not safe. @returns False if some of it came from nobody knows where.
bool Lineage::find_deeds(Version* wanted, std::vector<Deed*>& deeds, std::string& why) {
  std::unordered_set<Deed*> seen(deeds.begin(), deeds.end());
  std::vector<Version*> open{wanted};
  std::vector<Deed*> found;
  while (!open.empty()) {
    Version* const v = open.back();
    open.pop_back();
    if (v->safe()) continue;
    if (v->made_by == nullptr) {
      why = "it was written by a task that cannot be run again: one with children, of a recorded graph, without a CPU body, or before "
            "a wait that could not bring it home";
      return false;
    }
    if (!seen.insert(v->made_by).second) continue;
    found.push_back(v->made_by);
    for (const Deed::Part& part : v->made_by->parts)
      if (part.in != nullptr) open.push_back(part.in);
  }
  deeds.insert(deeds.end(), found.begin(), found.end());
  return true;
}

void Lineage::run_again(Deed& deed) {
  std::vector<void*> memory(deed.parts.size());
  std::vector<std::pair<void*, Bytes>> temporary;
  for (std::size_t i = 0; i < deed.parts.size(); ++i) {
    const Deed::Part& part = deed.parts[i];
    const Bytes size = part.size;
    if (part.in != nullptr && part.in->saved != nullptr && !part.writes) {
      memory[i] = part.in->saved;  // read where it is; what the task writes, others may have read
      continue;
    }
    memory[i] = client_.take_memory(size);
    if (part.in != nullptr && part.in->saved != nullptr)
      std::memcpy(memory[i], part.in->saved, size.value);
    else if (part.in != nullptr)
      client_.pack_home(part.datum, memory[i]);
    if (part.out == nullptr) temporary.emplace_back(memory[i], size);
  }
  std::vector<void*> addresses;
  for (std::size_t a = 0; a < deed.part_of_access.size(); ++a) {
    const std::int32_t part = deed.part_of_access[a];
    addresses.push_back(part >= 0 ? memory[static_cast<std::size_t>(part)] : nullptr);
    if (part != -1) continue;
    const Bytes scratch = deed.task->access_words()[a].data()->shape.bytes();
    temporary.emplace_back(client_.take_memory(scratch), scratch);
    addresses.back() = temporary.back().first;
  }
  client_.run_again(*deed.task, addresses);
  ++recomputed_;
  for (const auto& [buffer, size] : temporary) client_.give_memory(buffer, size);
  for (std::size_t i = 0; i < deed.parts.size(); ++i)
    if (deed.parts[i].out != nullptr) deed.parts[i].out->saved = memory[i];
}

std::vector<std::uint32_t> Lineage::recover(std::span<const std::uint32_t> lost, std::string& why) {
  std::vector<std::uint32_t> impossible;
  std::vector<Deed*> deeds;
  std::vector<Version*> wanted;
  for (const std::uint32_t datum : lost) {
    Version* const version = data_[datum].current;
    if (version == nullptr || !find_deeds(version, deeds, why)) {
      if (version == nullptr) why = "nobody knows who wrote it";
      impossible.push_back(datum);
      continue;
    }
    wanted.push_back(version);
  }
  // In the order in which they were done: what one reads, an earlier one has made.
  std::ranges::sort(deeds, {}, &Deed::number);
  for (Deed* deed : deeds) {
    try {
      run_again(*deed);
    } catch (const std::exception& error) {
      why = detail::message("task '", deed->task->name(), "', run again, failed: ", error.what());
      return {lost.begin(), lost.end()};
    }
  }
  // Only now: what became safe lets go of what others have read.
  std::vector<Version*> made;
  for (Deed* deed : deeds)
    for (const Deed::Part& part : deed->parts)
      if (part.out != nullptr) made.push_back(part.out);
  for (Version* version : made) ++version->holders;
  for (Version* version : made) release_deed(version);
  for (Version* version : made) let_go(version);
  return impossible;
}

}  // namespace mitra::engine
