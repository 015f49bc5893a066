// Which memory node holds which datum: replicas, their states, their transfers, and the room that they take.
// A task's whole working set is reserved before anything is fetched (reserve, then fetch): tasks never hold a part of a
// full memory while they wait for the rest, so pressure slows a run down and never stops it.
// Flow: worker -> [memory manager] -> driver -> transfer's end -> worker. Thread-safety: serialised, the engine's lock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include <mitra/driver.hpp>
#include <mitra/machine.hpp>
#include <mitra/task_ref.hpp>

namespace mitra::memory {

//            read here   write here   read elsewhere   write elsewhere
// invalid -> shared      modified     invalid          invalid
// shared  -> shared      modified     shared           invalid
// modified-> modified    modified     shared           invalid
enum class ReplicaState : std::uint8_t { invalid, shared, modified };
enum class ReplicaEvent : std::uint8_t { read_here, write_here, read_elsewhere, write_elsewhere };
constexpr ReplicaState after(ReplicaState state, ReplicaEvent event) {
  switch (event) {
    case ReplicaEvent::read_here: return state == ReplicaState::invalid ? ReplicaState::shared : state;
    case ReplicaEvent::write_here: return ReplicaState::modified;
    case ReplicaEvent::read_elsewhere: return state == ReplicaState::invalid ? state : ReplicaState::shared;
    case ReplicaEvent::write_elsewhere: return ReplicaState::invalid;
  }
  return state;
}
static_assert(after(ReplicaState::modified, ReplicaEvent::read_elsewhere) == ReplicaState::shared);
static_assert(after(ReplicaState::shared, ReplicaEvent::write_elsewhere) == ReplicaState::invalid);

/// What the manager needs of those around it.
class MemoryClient {
 public:
  virtual ~MemoryClient() = default;
  /// Starts a transfer; copy_arrived(transfer) tells of its end.
  virtual void start_copy(NodeId from, NodeId to, Bytes size, bool urgent, std::uint32_t transfer) = 0;
  /// Everything that acquire() asked for with this ticket lies where it is needed.
  virtual void data_ready(std::uint32_t ticket) = 0;
  /// Time of a transfer over idle links.
  virtual Seconds copy_time(NodeId from, NodeId to, Bytes size) = 0;
  /// A choice among unused replicas on a node, the longest unused first. @returns A place in `candidates`.
  virtual std::size_t choose_victim(NodeId node, std::span<const AccessRef> candidates) = 0;
};

class MemoryManager {
 public:
  MemoryManager(const Machine& machine, MemoryClient& client, bool asks_for_victims);

  /// A datum that exists: its content lies in the host's memory, if the application has lent it; otherwise nowhere yet.
  void add(detail::DataHeader& data, bool lent);
  void forget(detail::DataHeader& data);
  /// A datum that was just added lies where another manager of the same machine has the content of `model`.
  void place_as(detail::DataHeader& data, const MemoryManager& other, const detail::DataHeader& model);

  // --- partition trees (families.cpp) ---
  /// `part` was just added: in a host's memory it lies where `root` does, whose room counts once for the whole family.
  void join_family(detail::DataHeader& part, detail::DataHeader& root);
  /// A transition has run on `node`: some of its data are current there from now on, others nowhere.
  void regrouped(const detail::TaskHeader& transition, NodeId node);
  /// The same without a transition, where nobody has touched `whole` yet. @param stays  `whole` stays current.
  void enter_fresh(detail::DataHeader& whole, std::span<detail::DataHeader* const> parts, bool stays);

  /// Reserves room for what `task` touches on `node`, pins it and fetches what is missing.
  /// @returns True: all is there. False: data_ready(ticket) will tell.
  bool acquire(const detail::TaskHeader& task, NodeId node, std::uint32_t ticket);
  /// The task has run: what it wrote is valid here alone, and nothing of it is pinned.
  void release(const detail::TaskHeader& task, NodeId node);
  /// The task did not run, though its data were acquired.
  void release_unused(const detail::TaskHeader& task, NodeId node);
  /// Fetches input of a task that is to run on `node`, as far as there is free room; pins nothing.
  void prefetch(const detail::TaskHeader& task, NodeId node);
  /// A transfer that the client was asked to start has ended.
  void copy_arrived(std::uint32_t transfer);

  Bytes bytes_missing(const detail::TaskHeader& task, NodeId node) const;
  Seconds transfer_time(const detail::TaskHeader& task, NodeId node) const;
  bool holds(const detail::DataHeader& data, NodeId node) const;
  /// Capacity less what running and admitted tasks need. 0 capacity: no limit, and no answer.
  std::optional<Bytes> room(NodeId node) const;
  /// @returns The bytes of all data that the task touches: what it needs on a node.
  static Bytes working_set(const detail::TaskHeader& task);

  std::uint64_t evictions() const { return evictions_; }
  Bytes used(NodeId node) const { return Bytes(nodes_[node.index()].used); }
  Bytes peak(NodeId node) const { return Bytes(nodes_[node.index()].peak); }
  /// What every node holds, for tests: throws InternalError if the books do not add up.
  void check() const;

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  struct Replica {
    std::uint32_t pins = 0;
    std::uint32_t lru_previous = kNone, lru_next = kNone;  // data numbers; among the unused ones of the node
    std::uint32_t transfer = kNone;                        // under way to this replica
    ReplicaState state = ReplicaState::invalid;
    bool allocated = false;  // room is taken
    bool listed = false;     // in the list of unused ones
    bool partial = false;    // holds contributions to a reduction; their room is not counted: they cannot leave before the
                             // fold, and tasks that the fold waits for may need it
  };
  struct Datum {
    detail::DataHeader* header = nullptr;
    std::uint64_t size = 0;
    std::uint32_t copies = 0;      // replicas that take room
    std::uint32_t valid = 0;       // those of them that are valid
    NodeId any_valid{0};           // one of these
    std::uint32_t family = kNone;  // of data in parts
    std::uint32_t entered = 0;     // in how many domains it is current, as a part
    bool stale = false;            // current are its parts, or what it is a part of
  };
  /// Data that share their memory on hosts: it is taken at the first use, and kept.
  struct Family {
    std::uint64_t size = 0;  // of the root
    std::uint32_t members = 0;
    std::vector<bool> has_room{};  // by node
  };
  struct Node {
    std::uint64_t capacity = 0, used = 0, peak = 0, pinned = 0;
    std::uint32_t lru_first = kNone, lru_last = kNone;  // longest unused first
    std::uint64_t leaving = 0;     // bytes that write-backs under way will free
    std::deque<std::uint32_t> waiting;  // tickets that wait for room, in order
    bool stuck = false;            // nothing could leave it, for want of room elsewhere
  };
  struct Transfer {
    std::uint32_t datum = kNone;
    NodeId from{0}, to{0};
    bool write_back = false;       // frees the source when it arrives
    bool doomed = false;           // overwritten meanwhile: what arrives is stale
    bool contribution = false;     // of a reduction: folded on arrival, no replica
    std::vector<std::uint32_t> tickets{};  // that wait for it
  };
  struct Ticket {
    const detail::TaskHeader* task = nullptr;
    NodeId node{0};
    std::uint32_t missing = 0;     // transfers
    bool open = false;
  };

  Replica& replica(std::uint32_t datum, NodeId node) { return replicas_[std::size_t{datum} * nodes_.size() + node.index()]; }
  const Replica& replica(std::uint32_t datum, NodeId node) const {
    return replicas_[std::size_t{datum} * nodes_.size() + node.index()];
  }
  bool is_family_home(std::uint32_t datum, NodeId node) const {
    return data_[datum].family != kNone && host_of_[node.index()] == node;
  }
  std::uint64_t room_for(std::uint32_t datum, NodeId node) const;
  void take_family_room(std::uint32_t datum, NodeId node);
  void leave_family(std::uint32_t datum);
  void make_current(std::uint32_t datum, NodeId node);
  void make_stale(std::uint32_t datum);
  std::uint64_t bytes_to_reserve(const detail::TaskHeader& task, NodeId node) const;
  bool make_room(NodeId node, std::uint64_t bytes);
  bool make_room_for(const detail::TaskHeader& task, NodeId node);
  void retry_stuck();
  void admit(std::uint32_t ticket);
  void admit_waiting(NodeId node);
  void take_room(NodeId node, std::uint64_t bytes);
  void give_room(NodeId node, std::uint64_t bytes);
  void allocate(std::uint32_t datum, NodeId node);
  void pin(std::uint32_t datum, NodeId node);
  void unpin(std::uint32_t datum, NodeId node);
  void list(std::uint32_t datum, NodeId node);
  void unlist(std::uint32_t datum, NodeId node);
  void set_state(std::uint32_t datum, NodeId node, ReplicaState state);
  void drop(std::uint32_t datum, NodeId node);
  void materialise(std::uint32_t datum, NodeId wanted);
  NodeId best_source(std::uint32_t datum, NodeId to) const;
  std::uint32_t fetch(std::uint32_t datum, NodeId to, bool urgent);
  bool evict_one(NodeId node);
  bool evict(std::uint32_t victim, NodeId node);
  bool drop_copies(NodeId node, std::uint64_t bytes);
  NodeId refuge(std::uint32_t datum, NodeId from);
  std::uint32_t new_transfer(Transfer transfer);

  MemoryClient& client_;
  const bool asks_for_victims_;
  std::vector<Node> nodes_;
  std::vector<NodeId> host_of_;         // by node: the host memory of its compute node
  std::vector<Replica> replicas_;       // datum x node
  std::vector<Datum> data_;             // number 0 is nobody's
  std::vector<std::uint32_t> free_data_;
  std::vector<Family> families_;
  std::vector<std::uint32_t> free_families_;
  std::vector<Transfer> transfers_;
  std::vector<std::uint32_t> free_transfers_;
  std::vector<Ticket> tickets_;
  std::uint32_t stuck_nodes_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace mitra::memory
