// The memory manager of a live run beside devices: real buffers, real copies, and the short way for host workers whose data
// are in place.
// Flow: worker -> [live memory] -> memory manager -> device driver -> arrival -> worker.
// Where to look: live_memory.cpp (data, and what tasks hold of them), live_copies.cpp (buffers, copies), live_recovery.cpp (lost
// devices), live_answers.cpp (what policies ask).
// Thread-safety: thread-safe. One recursive lock, the engine's for memory and policy, since each asks the other.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <mitra/detail/task_header.hpp>
#include <mitra/driver.hpp>
#include <mitra/simulation_report.hpp>

#include "engine/answers.hpp"
#include "engine/devices/buffer_pool.hpp"
#include "engine/devices/device_set.hpp"
#include "engine/devices/lineage.hpp"
#include "engine/devices/live_costs.hpp"
#include "graph/datum.hpp"
#include "memory/memory_manager.hpp"

namespace mitra::engine {

struct ThreadState;
class TaskEngine;

/// A task, or a thread that stands for one, with what it holds of the memory.
struct Frame {
  enum class State : int { waiting, ready, refused };
  /// A private datum of a device's task: a contribution to a reduction, or scratch.
  struct Private {
    graph::Datum* datum = nullptr;
    std::size_t access = 0;
    bool scratch = false;
  };

  detail::TaskHeader* task = nullptr;
  TaskEngine* engine = nullptr;
  WorkerKind implementation = WorkerKind::cpu;
  NodeId node{0};
  WorkerId worker;
  std::vector<memory::Use> uses;
  std::vector<void*> addresses;   ///< By access; empty at home. Of the host's private copies, null until the body begins.
  std::vector<Private> privates;
  std::atomic<State> state{State::waiting};
  bool a_thread_waits = false;    ///< For `state`; otherwise whoever has room takes the task.
  ThreadState* asked_by = nullptr;  ///< The host worker that the policy gave the task to.
  std::uint32_t number = 0;
  unsigned stream = 0;
  bool published = false;         ///< Its children may see what it wrote, and have changed it.
  bool failed = false;            ///< The body threw.
  bool known_at_home = false;     ///< A host task with children: its body goes on, with the addresses that it has.
  bool exceeds = false;           ///< It keeps data on the host, and may wait: others take more room there than there is.
  bool nested = false;            ///< It has waited for its children, and its stream works for others.
  bool for_all = false;           ///< The host worker that asked for it does not look for it now.
  bool timed = false;             ///< Somebody wants to know how long it takes, from `start` on.
  std::string refusal;
  Seconds start;
};

class LiveMemory final : public Answers, private memory::MemoryClient, private LineageClient {
 public:
  LiveMemory(TaskEngine& engine, const Machine& machine, const DeviceSet& devices, Driver& host, SchedulingPolicy& policy,
             std::unique_ptr<PerformanceModel> model, bool recovers);
  ~LiveMemory() override;

  std::recursive_mutex& mutex() { return mutex_; }

  // --- data ---
  void add(graph::Datum& datum);
  /// A task that has its id, in the order of submission. Costs one look while memories are ample.
  void submitted(const detail::TaskHeader& task) {
    if (tight_.load(std::memory_order_relaxed)) record_submitted(task);
  }
  /// It may run from now on, and has not begun.
  void may_run(const detail::TaskHeader& task) {
    if (tight_.load(std::memory_order_relaxed)) record_ready(task);
  }
  void forget(graph::Datum& datum);
  void add_part(graph::Datum& part, graph::Datum& root);
  void enter_fresh(graph::Datum& whole, std::span<detail::DataHeader* const> parts, bool stays);
  /// A transition between levels of a partition tree is over.
  void regrouped(const detail::TaskHeader& transition);
  /// The application has given it other memory.
  void moved(graph::Datum& datum);

  // --- tasks ---
  const memory::LargestMemories& largest_memories() const { return largest_; }
  /// @returns Where a core finds the task's data: in the memory of its own domain, if that is a node, and the body does not reach
  /// past its views. Everything that is the engine's is done at home.
  NodeId node_for(const detail::TaskHeader& task, WorkerId core) const {
    const NodeId own = core.valid() ? machine_.workers[core.index()].node : NodeId(0);
    return takes_replicas(task) ? own : NodeId(0);
  }
  /// The task touches no content that lies somewhere.
  static bool has_no_data(const detail::TaskHeader& task) {
    const detail::AccessWord* words = task.access_words();
    for (std::size_t i = 0; i < task.accesses; ++i)
      if (words[i].mode() != AccessMode::reduce && words[i].mode() != AccessMode::scratch && words[i].data()->replicas != 0) return false;
    return true;
  }
  /// The short way: everything that the task needs lies in the host's memory, and nobody has to be told of what it writes.
  static bool in_place(const detail::TaskHeader& task) {
    const detail::AccessWord* words = task.access_words();
    for (std::size_t i = 0; i < task.accesses; ++i) {
      const AccessMode mode = words[i].mode();
      if (mode == AccessMode::reduce || mode == AccessMode::scratch) continue;
      // Acquire: whoever told of the content has written it.
      const std::uint8_t home = words[i].data()->home.load(std::memory_order_acquire);
      if (home < (reads_only(mode) ? 1 : 2)) [[unlikely]] return false;
    }
    return true;
  }
  /// Asks for what the task needs on a node.
  /// @returns Its frame, ready or refused; null: take_arrived() will have it.
  Frame* enter(detail::TaskHeader& task, NodeId node, WorkerId worker, ThreadState* asked_by);
  /// The same on the host, for a thread that waits for Frame::state by itself.
  /// @param goes_on  The task has begun: it wants what its children have written, also where it only writes.
  Frame& enter_and_wait(detail::TaskHeader& task, bool goes_on = false);
  /// The task is run on a core, though the policy has given it to a device.
  void send_to_host(detail::TaskHeader& task);
  /// The task is over. @param ran  Its body was called.
  /// @returns Whether its record is kept: it may have to be run again. @see take_dead
  bool leave(Frame& frame, bool ran);
  /// The running task submits a child, which may use what it has written.
  void publish(Frame& frame);
  /// The body, on a device, waits for its children, and keeps its data where they are: who waits for room there may be one of
  /// these children, or before one of them, and would wait for ever. They go to the cores.
  void begin_nested_wait(Frame& frame);
  /// The body, on the host, is about to execute others before it goes on, and keeps its data meanwhile: none of these is to wait
  /// for that room.
  void begin_helping(Frame& frame);
  /// The task's children are done: it wants its data again. @returns Whether they are there; otherwise, they will be.
  bool come_back(Frame& frame);
  /// Frames of host tasks whose data have arrived. @returns Null: there is none for `worker`. @see suits
  Frame* take_arrived_at_host(WorkerId worker);
  /// The thread does not look for tasks for a while: what it has asked for is for all.
  void let_go(const ThreadState& asked_by);
  std::size_t arrived_at_host() const { return arrived_count_.load(std::memory_order_relaxed); }
  /// The same of a device's.
  Frame* take_arrived(std::size_t device);
  /// The host's content of a fold's contributions is put where the fold looks for them. @pre Its frame is ready
  void gather_contributions(Frame& frame);
  /// The fold has failed, or will not run.
  void drop_contributions(const detail::TaskHeader& fold);
  /// Data that the application has lent, and that lie elsewhere. Takes them out of the list.
  void still_away(const graph::Datum& datum);
  std::vector<graph::Datum*> take_away_from_home();
  /// @returns Whether the application's memory does not have the content, or copies from and to the host's are under way.
  bool away_from_home(graph::Datum& datum);
  /// @returns Whether copies from or to the host's memory are under way, or to come.
  bool moves_at_home(const graph::Datum& datum);

  // --- lost devices ---
  /// @returns Whether a call of another thread's has said that the device is lost.
  bool is_said_to_be_lost(std::size_t device) const { return per_device_[device].lost.load(std::memory_order_acquire); }
  /// A device is lost: what was there alone is lost, too. @see end_loss
  std::vector<std::uint32_t> begin_loss(std::size_t device);
  /// No copy from and to the device is under way any more: what was lost is made again. @pre the lock is held since begin_loss
  void end_loss(std::size_t device, const std::vector<std::uint32_t>& lost);
  /// @returns Tasks whose records nobody needs any more: they are to be destroyed, without the lock.
  std::vector<detail::TaskHeader*> take_dead();
  /// @returns Data whose content lies on devices alone, and would have to be made again.
  std::vector<graph::Datum*> take_unsafe();
  /// What its task's body refers to may be gone from now on.
  void not_made_again(const graph::Datum& datum);
  /// A datum is forgotten; tasks that may be run again have its shape. It is deleted when there are none.
  void bury(graph::Datum* datum);
  /// @returns How many devices were lost, and how many tasks were run again for what they had.
  std::pair<std::uint64_t, std::uint64_t> losses();

  // --- copies, for the device's thread ---
  /// @returns Whether there may be orders, or arrived frames; there are none of them, otherwise, before the device is woken.
  bool has_news(std::size_t device) const { return per_device_[device].has_news.load(std::memory_order_acquire); }
  /// @param orders  Replaced by the copies that are to begin.
  void take_orders(std::size_t device, std::deque<DeviceCopy>& orders);
  void copied(const DeviceCompletion& completion);
  void end_copy(std::uint64_t token, const DeviceResult& result);

  // --- what tasks cost ---
  void began(WorkerId worker, detail::TaskHeader& task, Seconds now);
  /// @param row  Of the task, which is over.
  void ended(WorkerId worker, std::uint32_t row, Seconds duration, bool holds_others, Seconds now);

  /// The worker holds nothing that keeps it from other tasks.
  void idle(WorkerId worker);

  // --- what policies ask ---
  std::optional<Estimate> estimate(detail::TaskHeader& task, ClassId worker_class) override;
  Seconds busy_until(WorkerId worker) override;
  Bytes bytes_missing(const detail::TaskHeader& task, NodeId node) override;
  Seconds transfer_time(const detail::TaskHeader& task, NodeId node) override;
  Seconds links_busy(NodeId node) override;
  bool holds(const detail::DataHeader& data, NodeId node) override;
  std::optional<Bytes> room(NodeId node) override;
  void prefetch(const detail::TaskHeader& task, NodeId node) override;
  void write_back(const detail::DataHeader& data) override;

  SimulationReport::Memory report();
  /// @returns A line for each task whose data have not arrived, or that nobody has taken since; for people.
  std::string describe_waiting();

 private:
  struct Extra {
    graph::Datum* datum = nullptr;
    std::vector<graph::Datum*> contributions;  // private data of devices, to be folded
    std::vector<graph::Datum*> idle;           // those of them that no task has in its hands
    bool away = false;                         // in away_
  };
  struct Way {  // of copies between a device and the host, or its peers
    double bytes_per_second = 0.0;
    Seconds latency;
    std::uint64_t pending = 0;  // bytes
  };
  struct PerDevice {
    std::deque<DeviceCopy> orders;
    std::deque<Frame*> arrived;
    std::atomic<bool> has_news{false};  // of these two: the device's thread looks here before it takes the lock
    Way in, out, peer;
    unsigned nested = 0;  // bodies that have waited for their children
    std::vector<std::uint32_t> ended;  // transfers from here that have failed because it is lost, which its thread has not heard yet
    std::atomic<bool> lost{false};     // somebody has heard it
  };
  struct UnderWay {
    std::uint32_t datum = 0, device = 0;
    NodeId from{0};
    Way* way = nullptr;
    std::uint64_t bytes = 0;
    Bytes SimulationReport::Memory::*sum = nullptr;
  };

  void start_copy(const memory::CopyOrder& order) override;
  void hasten(std::uint32_t transfer) override;
  void data_ready(std::uint32_t ticket) override;
  void data_refused(std::uint32_t ticket, memory::Refusal why) override;
  void put_home(std::uint32_t number) override;
  void record_submitted(const detail::TaskHeader& task);
  void record_ready(const detail::TaskHeader& task);
  bool reaches(NodeId from, NodeId to) override;
  Seconds copy_time(NodeId from, NodeId to, Bytes size) override;
  Seconds wait_time(NodeId from, NodeId to) override;
  std::size_t choose_victim(NodeId node, std::span<const AccessRef> candidates) override;
  bool allocate(std::uint32_t datum, NodeId node) override;
  void release(std::uint32_t datum, NodeId node) override;
  void home_changed(std::uint32_t datum) override;
  void arrived(std::uint32_t datum, NodeId node) override;

  Bytes bytes_of(std::uint32_t datum) override { return manager_.size(datum); }
  void pack_home(std::uint32_t datum, void* to) override;
  void* exchange_home(std::uint32_t datum) override;
  void* take_memory(Bytes size) override;
  void give_memory(void* memory, Bytes size) override;
  void run_again(detail::TaskHeader& task, std::span<void* const> addresses) override;
  void version_released(std::uint32_t datum) override { home_changed(datum); }
  enum class Followed { kept, not_kept, nowhere };
  Followed remember(Frame& frame, std::span<const memory::Use> contents);
  void copy_home(std::span<const memory::Use> contents);

  /// Functions may know the memory that they were lent; codelets have been written for replicas.
  static bool takes_replicas(const detail::TaskHeader& task) { return task.type->emulated != 0 && (task.traits & detail::kInternal) == 0; }
  /// What a policy means by a place of cores: the home, for tasks that are run there.
  NodeId meant(const detail::TaskHeader& task, NodeId node) const {
    return devices_.is_host(node) && !takes_replicas(task) ? NodeId(0) : node;
  }
  std::size_t place_of(NodeId node) const { return static_cast<std::size_t>(devices_.of(node) - devices_.all().data()); }
  void*& buffer(std::uint32_t datum, NodeId node) { return buffers_[std::size_t{datum} * machine_.memory_nodes.size() + node.index()]; }
  Frame& new_frame();
  bool begin(Frame& frame, detail::TaskHeader& task, NodeId node, bool a_thread_waits, bool goes_on = false);
  void deliver(Frame& frame, Frame::State state);
  void push_to_host(Frame& frame);
  bool has_owner(const Frame& frame) const;
  bool suits(const Frame& frame, WorkerId worker) const;
  void refuse_waiting(NodeId node);
  void keep_at_host(Frame& frame);
  void refuse(Frame& frame, std::string why);
  void pass_on(Frame& frame);
  void collect_uses(Frame& frame);
  graph::Datum& private_datum(const detail::Shape& shape, void* host);
  void drop_private(graph::Datum& datum);
  graph::Datum& contribution(std::uint32_t datum, const detail::ReduceOperation& operation, NodeId node);
  Way& way_of(NodeId from, NodeId to, std::size_t& device);
  void tell_of_loss(std::size_t device);
  bool source_is_lost(std::uint32_t transfer);
  CopyEnd end_of(std::uint32_t datum, NodeId node, const Device& by);

  TaskEngine& engine_;
  const Machine& machine_;
  const DeviceSet& devices_;
  Driver& host_;
  SchedulingPolicy& policy_;
  std::recursive_mutex mutex_;
  const bool has_teams_;
  const memory::LargestMemories largest_;
  memory::MemoryManager manager_;
  LiveCosts costs_;
  const bool recovers_;
  const bool frees_home_;  // Mitra's own host memory is limited: what leaves it gives its place back
  Lineage lineage_;
  std::vector<std::unique_ptr<graph::Datum>> buried_;
  std::unordered_map<std::uint64_t, std::vector<void*>> spare_;  // host memory that was put aside, by size
  std::size_t spare_count_ = 0;
  std::vector<void*> buffers_;       // datum x node
  std::vector<Extra> extras_;        // by datum
  std::vector<BufferPool> pools_;    // by device
  std::vector<PerDevice> per_device_;
  std::vector<UnderWay> under_way_;  // by transfer
  std::deque<Frame> frames_;         // never moved
  std::vector<Frame*> free_frames_;
  std::vector<std::uint32_t> away_;
  std::deque<Frame*> arrived_at_host_;
  std::atomic<std::size_t> arrived_count_{0};
  SimulationReport::Memory sums_;
  std::uint64_t lost_devices_ = 0;
  unsigned keepers_at_host_ = 0;    // frames that exceed: who has them keeps data, and may wait
  unsigned published_at_home_ = 0;  // frames of host tasks whose bodies go on, with addresses that they know
  std::atomic<bool> tight_ = false;  // the manager's is_tight(), for who only wants to know whether to tell
  std::string loss_;  // what was lost for good, and why
  std::string why_not_copied_;  // what the driver said of the last copy that failed
};

}  // namespace mitra::engine
