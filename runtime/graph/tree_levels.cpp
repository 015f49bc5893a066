// Flow: submission -> [tree levels] -> transitions.
#include "graph/tree_levels.hpp"

#include <algorithm>

namespace mitra::graph {

using detail::AccessWord;
using Mode = TreeLevel::Mode;

namespace {

/// A task has at most 65535 accesses.
constexpr std::size_t kPartsAtATime = 32768;

bool writes(AccessMode mode) { return mode != AccessMode::read && mode != AccessMode::scratch; }

AccessWord marked(Datum& datum, AccessMode mode, unsigned bits) {
  AccessWord word(&datum, mode);
  word.set_operation(kTransition | bits);
  return word;
}

}  // namespace

void TreeLevels::transition(const char* name, Datum& whole, AccessMode whole_mode, unsigned whole_bits, Partition& parts,
                            AccessMode part_mode, unsigned part_bits) {
  std::vector<AccessWord> words;
  for (std::size_t i = 0; i < parts.parts.size();) {
    const std::size_t last = std::min(parts.parts.size(), i + kPartsAtATime);
    words.clear();
    // Of many parts, each of several transitions moves some; the datum leaves with the last.
    const unsigned bits = last == parts.parts.size() ? whole_bits : whole_bits & ~unsigned{kLeave};
    words.push_back(marked(whole, whole_mode, bits));
    for (; i < last; ++i) words.push_back(marked(*parts.parts[i], part_mode, part_bits | kPart));
    client_.insert(name, words);
  }
}

TreeLevel& TreeLevels::known_level(Datum& datum, Partition* wanted) {
  TreeLevel& level = client_.level(datum);
  if (level.mode != Mode::unknown) return level;
  // What is only to be read cannot be the one current level.
  if (wanted != nullptr && wanted->read_only()) wanted = nullptr;
  client_.require(datum, wanted);
  // What is stale then, or lies below a datum that is current, is known from now on.
  for (auto& partition : datum.tree->partitions)
    if (partition.get() != wanted)
      for (auto& part : partition->parts)
        for_each_in_tree(*part, [&](Datum& below) {
          if (!below.tree->partitions.empty()) client_.level(below).set(Mode::whole);
        });
  TreeLevel& known = client_.level(datum);
  known.set(wanted == nullptr ? Mode::whole : Mode::split, wanted);
  return known;
}

void TreeLevels::access(Datum& datum, AccessMode mode) {
  if (mode == AccessMode::scratch) return;
  descend(datum, writes(mode));
  if (datum.tree->partitions.empty()) return;
  known_level(datum, nullptr);
  if (writes(mode))
    make_whole(datum, mode == AccessMode::write);
  else
    make_readable(datum);
}

void TreeLevels::bring_to(Datum& whole, Partition* parts) {
  if (!client_.in_scope(whole)) return;
  descend(whole, true);
  if (parts != nullptr)
    enter(whole, *parts, true);
  else
    make_whole(whole, false);
}

/// From the highest level that this domain may look at down to the datum.
void TreeLevels::descend(Datum& datum, bool writes) {
  std::vector<Datum*> path;
  for (Datum* at = &datum; at->tree->within != nullptr; at = path.back()) {
    Datum* const whole = at->tree->within->whole;
    if (!client_.in_scope(*whole)) break;
    path.push_back(whole);
  }
  for (std::size_t i = path.size(); i-- > 0;) enter(*path[i], *(i == 0 ? datum : *path[i - 1]).tree->within, writes);
}

void TreeLevels::enter(Datum& whole, Partition& parts, bool writes) {
  TreeLevel& level = known_level(whole, &parts);
  if (level.mode == Mode::split) {
    if (level.active.front() == &parts) return;
    if (writes)
      make_whole(whole, false);
    else
      make_readable(whole);
  }
  if (level.mode == Mode::whole && client_.is_fresh(whole)) {
    // Nobody has asked for the datum itself: as long as nobody does, its parts are all there is.
    const bool stays = parts.read_only();
    client_.enter_fresh(whole, parts, stays);
    return level.set(stays ? Mode::shared : Mode::split, &parts);
  }
  if (!writes) {
    if (level.has(&parts)) return;
    transition("split", whole, AccessMode::read, kBring, parts, AccessMode::write, kEnter);
    level.mode = Mode::shared;
    level.active.push_back(&parts);
    return;
  }
  const bool had = level.has(&parts);
  for (Partition* other : level.active) {
    if (other == &parts) continue;
    for (auto& part : other->parts) make_whole(*part, false);
    transition("gather", whole, AccessMode::read, 0, *other, AccessMode::readwrite, kLeave);
  }
  if (had)
    transition("split", whole, AccessMode::readwrite, kLeave, parts, AccessMode::read, 0);
  else
    transition("split", whole, AccessMode::readwrite, kBring | kLeave, parts, AccessMode::write, kEnter);
  level.set(Mode::split, &parts);
}

void TreeLevels::make_whole(Datum& datum, bool overwritten) {
  if (datum.tree->partitions.empty()) return;
  TreeLevel& level = known_level(datum, nullptr);
  const bool split = level.mode == Mode::split;
  for (Partition* partition : level.active) {
    for (auto& part : partition->parts) make_whole(*part, overwritten);
    if (!split)
      transition("gather", datum, AccessMode::read, 0, *partition, AccessMode::readwrite, kLeave);
    else if (overwritten)
      transition("gather", datum, AccessMode::write, kEnter | kNothing, *partition, AccessMode::write, kLeave);
    else
      transition("gather", datum, AccessMode::write, kEnter, *partition, AccessMode::readwrite, kBring | kLeave);
  }
  level.set(Mode::whole);
}

void TreeLevels::make_readable(Datum& datum) {
  if (datum.tree->partitions.empty()) return;
  TreeLevel& level = known_level(datum, nullptr);
  if (level.mode != Mode::split) return;
  Partition& parts = *level.active.front();
  for (auto& part : parts.parts) make_readable(*part);
  transition("gather", datum, AccessMode::write, kEnter, parts, AccessMode::read, kBring);
  level.mode = Mode::shared;
}

}  // namespace mitra::graph
