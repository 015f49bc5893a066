// What has to happen before a task may access a datum that has parts, or is one: transitions between levels of its tree.
// Flow: submission -> [tree levels] -> transitions -> dependency tracker. Thread-safety: under the submission lock.
//
// A transition is an internal task with accesses to a datum and to its parts, so that the dependency tracker puts it between
// what came before on one level and what comes later on the other. Its accesses also say what becomes of the replicas:
//
//                          | the datum                       | the parts
//  split, to be read       | read      bring                 | write     enter
//  split, to be written    | readwrite bring, leave          | write     enter
//  parts alone             | readwrite leave                 | read
//  gather, to be read      | write     enter                 | read      bring
//  gather, to be written   | write     enter                 | readwrite bring, leave
//  gather, overwritten     | write     enter, without content| write     leave
//  whole alone             | read                            | readwrite leave
//
// "Parts alone" reads the parts, so that tasks on different parts stay without order among themselves: each that writes a
// part follows it, none that has only read one is followed by it.
#pragma once

#include <span>
#include <vector>

#include <mitra/access.hpp>

#include "graph/partition_tree.hpp"

namespace mitra::graph {

/// Bits of AccessWord::operation() in a transition: what the access is to the memory manager, which sees neither the mode nor
/// anything else of it.
enum TransitionBit : unsigned {
  kBring = 1,    ///< The content is fetched to where the transition runs.
  kLeave = 2,    ///< Not current any more.
  kEnter = 4,    ///< Current from now on.
  kPart = 8,     ///< A part: how often it has entered is counted; otherwise, the datum that was cut.
  kNothing = 16, ///< With kEnter: without a content.
  kTransition = 128,  ///< In every access of a transition: folds have an operation, too. Alone: the access is for the order only.
};

/// Those around it.
class TreeClient {
 public:
  virtual ~TreeClient() = default;
  virtual TreeLevel& level(Datum& datum) = 0;
  /// Has no task of this domain touched the datum yet, and do its replicas lie as they did in the beginning?
  virtual bool is_fresh(Datum& datum) = 0;
  /// May the datum be looked at in this domain? Data above what a parent task has declared may not.
  virtual bool in_scope(Datum& datum) = 0;
  /// Inserts a transition. @param name  "split" or "gather".
  virtual void insert(const char* name, std::span<const detail::AccessWord> words) = 0;
  /// The parts of a fresh datum become current without a transition. @param stays  The datum stays current, too.
  virtual void enter_fresh(Datum& whole, Partition& parts, bool stays) = 0;
  /// A level that is unknown is wanted as it is then: whole, or split into `parts`. For recordings.
  virtual void require(Datum& whole, Partition* parts) = 0;
};

class TreeLevels {
 public:
  explicit TreeLevels(TreeClient& client) : client_(client) {}

  /// Makes `datum` current for an access with `mode`, and everything stale that the access is about to overwrite.
  void access(Datum& datum, AccessMode mode);
  /// Makes `whole` current alone; with `parts`, these alone.
  void bring_to(Datum& whole, Partition* parts);
  /// Only `datum` itself is current below it from now on. @param overwritten  Its content is of no interest.
  void make_whole(Datum& datum, bool overwritten);

 private:
  void descend(Datum& datum, bool writes);
  void enter(Datum& whole, Partition& parts, bool writes);
  void make_readable(Datum& datum);
  TreeLevel& known_level(Datum& datum, Partition* wanted);
  void transition(const char* name, Datum& whole, AccessMode whole_mode, unsigned whole_bits, Partition& parts,
                  AccessMode part_mode, unsigned part_bits);

  TreeClient& client_;
};

}  // namespace mitra::graph
