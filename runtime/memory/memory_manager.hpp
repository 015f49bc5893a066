// Which memory node holds which datum: replicas, their states, their transfers, and the room that they take.
// A task's whole working set is reserved before anything is fetched (reserve, then fetch): tasks never hold a part of a
// full memory while they wait for the rest, so pressure slows a run down and never stops it.
// Flow: worker -> [memory manager] -> driver -> transfer's end -> worker. Thread-safety: serialised, the engine's lock.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <mitra/driver.hpp>
#include <mitra/machine.hpp>
#include <mitra/task_ref.hpp>

#include "memory/next_uses.hpp"

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

/// One datum of a task, with the strongest of its accesses to it.
struct Use {
  std::uint32_t datum = 0;
  AccessMode mode = AccessMode::read;
};

/// A transfer that is to start.
struct CopyOrder {
  std::uint32_t transfer = 0, datum = 0;
  NodeId from{0}, to{0};
  Bytes size;
  bool urgent = false;        ///< A task waits for it, or for the room that it makes.
  bool contribution = false;  ///< Of a reduction: no replica comes of it.
};

enum class Refusal : std::uint8_t {
  no_memory,  ///< The node has less memory than the task needs.
  transfers,  ///< Copies failed again and again.
  lost_node,  ///< The node is lost.
  lost_data,  ///< What the task is to read was lost with a node.
};

/// What the manager needs of those around it. In virtual time memory is a number; live, allocate() and release() have it.
class MemoryClient {
 public:
  virtual ~MemoryClient() = default;
  /// Starts a transfer; copy_arrived(transfer) or copy_failed(transfer) tells of its end.
  virtual void start_copy(const CopyOrder& order) = 0;
  /// A transfer under way that was not urgent is waited for now.
  virtual void hasten(std::uint32_t transfer) { static_cast<void>(transfer); }
  /// Everything that acquire() asked for with this ticket lies where it is needed.
  virtual void data_ready(std::uint32_t ticket) = 0;
  /// What acquire() asked for with this ticket will not come: @see why. Nothing of it is pinned.
  virtual void data_refused(std::uint32_t ticket, Refusal why) { static_cast<void>(ticket), static_cast<void>(why); }
  /// @returns False if the node has no memory left, whatever the books say.
  virtual bool allocate(std::uint32_t datum, NodeId node) { return static_cast<void>(datum), static_cast<void>(node), true; }
  virtual void release(std::uint32_t datum, NodeId node) { static_cast<void>(datum), static_cast<void>(node); }
  /// The node holds the datum's content from now on: a copy has arrived.
  virtual void arrived(std::uint32_t datum, NodeId node) { static_cast<void>(datum), static_cast<void>(node); }
  /// What was lost is known again, and belongs in node 0's memory, where nobody reads or writes it now: it is to be put there.
  virtual void put_home(std::uint32_t datum) { static_cast<void>(datum); }
  /// What node 0 may do with the datum without asking may be something else now: @see MemoryManager::home().
  virtual void home_changed(std::uint32_t datum) { static_cast<void>(datum); }
  /// @returns Whether copies from one to the other are possible. A host's memory reaches all of its compute node, and is reached.
  virtual bool reaches(NodeId from, NodeId to) { return static_cast<void>(from), static_cast<void>(to), true; }
  /// Time of a transfer over idle links.
  virtual Seconds copy_time(NodeId from, NodeId to, Bytes size) = 0;
  /// How long copies that are under way keep a further one on this way waiting.
  virtual Seconds wait_time(NodeId from, NodeId to) { return static_cast<void>(from), static_cast<void>(to), Seconds(0.0); }
  /// A choice among unused replicas on a node, the longest unused first. @returns A place in `candidates`, or their
  /// number: the manager is to choose.
  virtual std::size_t choose_victim(NodeId node, std::span<const AccessRef> candidates) = 0;
};

/// What node 0 may do with a datum without asking.
enum class HomeState : std::uint8_t {
  absent,     ///< Nothing.
  readable,   ///< Read it.
  exclusive,  ///< Read and write it: no other node has it, and nothing of it is under way.
};

/// The largest memory of each kind of workers: what fits none of them can never run there.
class LargestMemories {
 public:
  explicit LargestMemories(const Machine& machine);
  /// @returns Those of `kinds` in whose memories all data of the task have room.
  /// @throws SubmitError if there are none, with the sizes. @cost O(accesses)
  std::uint8_t kinds_with_room(const detail::TaskHeader& task, std::uint8_t kinds) const;

 private:
  struct Largest {
    std::uint64_t bytes = 0;  // none
    std::string name;
  };
  std::array<Largest, kWorkerKinds> by_kind_;
};

class MemoryManager {
 public:
  /// @param unwritten_at_home  What nobody has written comes to be in the host's memory, from where it is fetched; otherwise
  ///                           it comes to be where it is first needed.
  MemoryManager(const Machine& machine, MemoryClient& client, bool asks_for_victims, bool unwritten_at_home = true);

  /// A datum that exists: its content lies in the host's memory, if the application has lent it; otherwise nowhere yet.
  /// @param keeps_home  Its place in node 0's memory is there as long as it is, whoever needs room: the application's own.
  void add(detail::DataHeader& data, bool lent, bool keeps_home = false);
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

  /// A task was submitted that has its id: its data will be needed. Told in the order of submission, where is_tight().
  void will_use(const detail::TaskHeader& task);
  /// It may run from now on: its uses come before those of tasks that may not.
  void may_run(const detail::TaskHeader& task);
  /// @returns Whether there are more data than the smallest memory holds.
  bool is_tight() const { return bytes_ > smallest_; }

  /// Reserves room for all of these data on `node`, pins them and fetches what is missing.
  /// @param folds  The task folds a reduction: contributions come to it.
  /// @returns True: all is there. False: data_ready(ticket) or data_refused(ticket) will tell, perhaps before the return.
  bool acquire(std::span<const Use> uses, NodeId node, std::uint32_t ticket, bool folds = false);
  bool acquire(const detail::TaskHeader& task, NodeId node, std::uint32_t ticket);
  /// The task has run: what it wrote is valid here alone, and nothing of it is pinned.
  void release(std::span<const Use> uses, NodeId node);
  void release(const detail::TaskHeader& task, NodeId node);
  /// The task did not run, though its data were acquired.
  void release_unused(std::span<const Use> uses, NodeId node);
  void release_unused(const detail::TaskHeader& task, NodeId node);
  /// From now on until begin and end are even, nobody waits for room on this host: who has it may wait for them.
  void begin_excess(NodeId host);
  void end_excess(NodeId host) { --nodes_[host.index()].excesses; }
  /// A ticket that waits for room does not any more. @returns False if it has got it: then its data are to be released.
  bool withdraw(std::uint32_t ticket);
  /// @returns Tickets that wait for room on the node.
  std::vector<std::uint32_t> waiting(NodeId node) const {
    const auto& queue = nodes_[node.index()].waiting;
    return {queue.begin(), queue.end()};
  }
  /// What the running task has written is for others to see: its children. It stays pinned, and until resume() the task touches
  /// none of it.
  void publish(std::span<const Use> uses, NodeId node);
  /// It is about to go on, by acquire_again(), or is over.
  void resume(std::span<const Use> uses, NodeId node);
  /// The running task goes on with its data, which its children may have taken elsewhere. @returns As acquire().
  bool acquire_again(std::span<const Use> uses, NodeId node, std::uint32_t ticket);
  /// Fetches input of a task that is to run on `node`, as far as there is free room; pins nothing.
  void prefetch(std::span<const Use> uses, NodeId node);
  void prefetch(const detail::TaskHeader& task, NodeId node);
  /// Brings a copy of what lies on devices alone to the host's memory, if there is room. @pre no task is writing it, or what arrives
  /// before the task has ended is of no use
  void write_back(const detail::DataHeader& data);
  /// A transfer that the client was asked to start has ended.
  void copy_arrived(std::uint32_t transfer);
  /// It has ended without its content. It is tried again, some times.
  void copy_failed(std::uint32_t transfer);

  /// The node is about to be lost: nothing new goes there, and who waits for room there waits for lose().
  void leave_out(NodeId node) { nodes_[node.index()].left_out = true; }
  /// The node's memory is gone. @returns The data whose content lay nowhere else: each is to be restored, or given up, before
  /// anything else is asked for. Copies under way from and to the node end as ever.
  std::vector<std::uint32_t> lose(NodeId node);
  /// The content of a lost datum is known again: the client is asked to put it home, at once or when copies of what it was before
  /// have ended that are on their way there, or from there; not if a task overwrites it there.
  void restore(std::uint32_t datum);
  void give_up(std::uint32_t datum) { data_[datum].lost = true; }
  bool is_gone(NodeId node) const { return nodes_[node.index()].gone; }
  /// @returns Whether its content was given up, and nobody has replaced it since.
  bool is_lost(std::uint32_t datum) const { return data_[datum].lost; }

  Bytes bytes_missing(const detail::TaskHeader& task, NodeId node) const;
  Seconds transfer_time(const detail::TaskHeader& task, NodeId node) const;
  bool holds(const detail::DataHeader& data, NodeId node) const;
  /// @returns Whether a task that was given its data has the datum where its content is: it may be writing it.
  bool is_held(const detail::DataHeader& data) const;
  /// @returns What node 0 may do with the datum without asking; it stays so until the client is told otherwise.
  HomeState home(std::uint32_t datum) const;
  /// @returns Whether copies from or to node 0 are under way, or to come.
  bool moves_at_home(std::uint32_t datum) const {
    return replica(datum, NodeId(0)).outgoing != 0 || replica(datum, NodeId(0)).transfer != kNone;
  }
  /// @returns Whether copies from node 0 are under way, or to come.
  bool leaves_home(std::uint32_t datum) const { return replica(datum, NodeId(0)).outgoing != 0; }
  /// @returns Whether it has content anywhere.
  bool is_written(std::uint32_t datum) const { return data_[datum].valid != 0 || is_restored(datum); }
  /// @returns Whether its parts are current in its place, or what it is a part of.
  bool is_stale(std::uint32_t datum) const { return data_[datum].stale; }
  ReplicaState state(std::uint32_t datum, NodeId node) const { return replica(datum, node).state; }
  detail::DataHeader* header(std::uint32_t datum) const { return data_[datum].header; }
  Bytes size(std::uint32_t datum) const { return Bytes(data_[datum].size); }
  /// @returns Data numbers, those that are free among them, lie below this one.
  std::uint32_t numbers() const { return static_cast<std::uint32_t>(data_.size()); }
  /// Capacity less what running and admitted tasks need. 0 capacity: no limit, and no answer.
  std::optional<Bytes> room(NodeId node) const;
  Bytes capacity(NodeId node) const { return Bytes(nodes_[node.index()].capacity); }
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
    std::uint16_t outgoing = 0;                            // transfers under way, or to come, from this replica
    std::uint16_t published = 0;                           // pins of tasks that have published it, and touch it no more for now
    ReplicaState state = ReplicaState::invalid;
    bool allocated : 1 = false;  // room is taken
    bool listed : 1 = false;     // in the list of unused ones
    bool partial : 1 = false;    // holds contributions to a reduction; their room is not counted: they cannot leave before the
                                 // fold, and tasks that the fold waits for may need it
  };
  struct Datum {
    detail::DataHeader* header = nullptr;
    std::uint64_t size = 0;
    std::uint32_t copies = 0;      // replicas that take room
    std::uint32_t valid = 0;       // those of them that are valid
    NodeId any_valid{0};           // one of these
    bool lost = false;             // it had content, and a node was lost with it
    std::uint32_t family = kNone;  // of data in parts
    std::uint32_t entered = 0;     // in how many domains it is current, as a part
    bool keeps_home = false;       // its memory on node 0 is the application's
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
    std::uint32_t excesses = 0;    // reasons for which nobody waits for room
    bool gone = false;             // lost
    bool left_out = false;         // said to be lost: nobody gets room there
    bool stuck = false;            // nothing could leave it, for want of room elsewhere
  };
  struct Transfer {
    std::uint32_t datum = kNone;
    NodeId from{0}, to{0};
    bool write_back = false;       // frees the source when it arrives
    bool doomed = false;           // overwritten meanwhile: what arrives is stale
    bool contribution = false;     // of a reduction: folded on arrival, no replica
    bool urgent = false;
    bool given_up = false;         // it has failed too often
    bool started = false;          // otherwise it waits until its source has arrived, or its target is at rest
    bool follows = false;          // its source has not arrived yet
    bool restores = false;         // what was lost will be put where it ends; from node 0 to itself: nothing is copied
    std::uint8_t failures = 0;
    std::uint32_t in_the_way = 0;            // older transfers that still read where this one will write
    std::vector<std::uint32_t> tickets{};    // that wait for it
    std::vector<std::uint32_t> followers{};  // transfers from where this one arrives
    std::vector<std::uint32_t> held_up{};    // transfers to where this one reads
  };
  struct Ticket {
    std::vector<Use> uses{};
    NodeId node{0};
    std::uint32_t missing = 0;     // transfers
    bool folds = false;
    bool refused = false;          // a transfer that it waits for has failed, or:
    bool lost = false;             // what it would read is lost
  };

  Replica& replica(std::uint32_t datum, NodeId node) { return replicas_[std::size_t{datum} * nodes_.size() + node.index()]; }
  const Replica& replica(std::uint32_t datum, NodeId node) const {
    return replicas_[std::size_t{datum} * nodes_.size() + node.index()];
  }
  /// What was lost will be put where it ends, whatever it brings.
  bool restores(std::uint32_t transfer) const { return transfers_[transfer].restores && !transfers_[transfer].doomed; }
  /// Its content will be in node 0's memory, and lies nowhere yet.
  bool is_restored(std::uint32_t datum) const {
    const Replica& home = replica(datum, NodeId(0));
    return data_[datum].valid == 0 && home.transfer != kNone && restores(home.transfer);
  }
  bool is_family_home(std::uint32_t datum, NodeId node) const {
    return data_[datum].family != kNone && host_of_[node.index()] == node;
  }
  /// Memory that nobody gains when the replica goes.
  bool is_kept(std::uint32_t datum, NodeId node) const {
    return is_family_home(datum, node) || (data_[datum].keeps_home && node == NodeId(0));
  }
  std::uint64_t room_for(std::uint32_t datum, NodeId node) const;
  void take_family_room(std::uint32_t datum, NodeId node);
  void leave_family(std::uint32_t datum);
  void make_current(std::uint32_t datum, NodeId node);
  void make_stale(std::uint32_t datum);
  std::uint64_t bytes_to_reserve(std::span<const Use> uses, NodeId node) const;
  std::uint64_t bytes_of(std::span<const Use> uses) const;
  bool make_room(NodeId node, std::uint64_t bytes);
  bool make_room_for(std::span<const Use> uses, NodeId node);
  bool reserve(std::span<const Use> uses, NodeId node, bool at_once = false);
  bool can_ever_hold(std::span<const Use> uses, NodeId node) const;
  bool in_place(std::span<const Use> uses, NodeId node) const;
  void retry_stuck();
  void admit(std::uint32_t ticket);
  void admit_waiting(NodeId node);
  bool wants(std::uint32_t ticket, std::uint32_t datum) const;
  void wait_for(std::uint32_t ticket, std::uint32_t transfer);
  void hold_up(std::uint32_t transfer);
  void end_of_way(const Transfer& transfer);
  void wait_for_copies_from(std::uint32_t ticket, std::uint32_t datum, NodeId node);
  void tell(std::uint32_t ticket);
  void take_room(NodeId node, std::uint64_t bytes);
  void give_room(NodeId node, std::uint64_t bytes);
  bool allocate(std::uint32_t datum, NodeId node);
  void pin(std::uint32_t datum, NodeId node);
  void unpin(std::uint32_t datum, NodeId node);
  void list(std::uint32_t datum, NodeId node);
  void unlist(std::uint32_t datum, NodeId node);
  void set_state(std::uint32_t datum, NodeId node, ReplicaState state);
  void drop(std::uint32_t datum, NodeId node);
  void free_number(std::uint32_t datum);
  void materialise(std::uint32_t datum, NodeId wanted);
  void written(std::uint32_t datum, NodeId node);
  NodeId best_source(std::uint32_t datum, NodeId to) const;
  Seconds arrival_time(std::uint32_t datum, NodeId to) const;
  std::uint32_t source_under_way(std::uint32_t datum, NodeId from, NodeId to) const;
  std::uint32_t fetch(std::uint32_t datum, NodeId to, bool urgent);
  void start(std::uint32_t transfer);
  void start_if_free(std::uint32_t transfer);
  void end_at_source(const Transfer& transfer);
  void hasten(std::uint32_t transfer);
  bool evict_one(NodeId node);
  std::uint32_t used_last(NodeId node);
  bool evict(std::uint32_t victim, NodeId node);
  bool drop_copies(NodeId node, std::uint64_t bytes);
  bool can_leave_for(NodeId node, std::uint32_t datum, NodeId from) const;
  NodeId refuge(std::uint32_t datum, NodeId from);
  bool leads_on(std::uint32_t datum, NodeId from) const;
  std::uint32_t new_transfer(Transfer transfer);

  MemoryClient& client_;
  const bool asks_for_victims_, unwritten_at_home_;
  std::vector<Node> nodes_;
  std::vector<NodeId> host_of_;         // by node: the host memory of its compute node
  std::vector<Replica> replicas_;       // datum x node
  std::vector<Datum> data_;             // number 0 is nobody's
  std::vector<std::uint32_t> free_data_;
  std::vector<Family> families_;
  std::vector<std::uint32_t> free_families_;
  NextUses next_uses_;
  std::uint64_t bytes_ = 0;             // of all data
  std::uint64_t smallest_ = ~std::uint64_t{0};  // capacity
  std::vector<Transfer> transfers_;
  std::vector<std::uint32_t> free_transfers_;
  std::vector<Ticket> tickets_;
  std::vector<Use> uses_;               // of the task that is being looked at
  std::vector<AccessRef> candidates_;   // for choose_victim
  std::vector<std::uint32_t> taken_;    // the data for which room has just been taken
  std::uint32_t stuck_nodes_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace mitra::memory
