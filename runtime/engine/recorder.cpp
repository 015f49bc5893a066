#include "engine/recorder.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <mitra/error.hpp>

#include "engine/task_engine.hpp"
#include "engine/trees.hpp"

namespace mitra::engine {

using detail::AccessWord;
using graph::Datum;
using graph::datum_of;
using graph::Member;

Recorder::~Recorder() {
  // Closures that became part of a graph are the graph's; those of an abandoned recording end here.
  for (Draft* draft : order_)
    if (draft->header.type->destroy != nullptr) draft->header.type->destroy(draft->header);
}

std::byte* Recorder::new_block(std::size_t bytes) {
  constexpr std::size_t kChunk = 65536;
  bytes = (bytes + 7) & ~std::size_t{7};
  if (bytes > room_) {
    room_ = std::max(kChunk, bytes);
    graph_->blocks.push_back(std::make_unique<std::byte[]>(room_));
    next_ = graph_->blocks.back().get();
  }
  room_ -= bytes;
  return std::exchange(next_, next_ + bytes);
}

detail::TaskHeader* Recorder::begin(std::size_t accesses, std::size_t closure_bytes) {
  Draft& draft = drafts_.emplace_back();
  draft.header.block = new_block(detail::block_prefix(accesses) + closure_bytes);
  draft.header.accesses = static_cast<std::uint16_t>(accesses);
  draft.header.traits = detail::kRecorded;
  open_ = &draft;
  return &draft.header;
}

void Recorder::drop_last(bool built) {
  if (built && open_->header.type->destroy != nullptr) open_->header.type->destroy(open_->header);
  open_ = nullptr;  // the draft stays where it is, in no order
}

void Recorder::edge(const Member& predecessor) {
  const auto number = static_cast<std::uint32_t>(predecessor.id);
  auto& list = current_->predecessors;
  if (std::find(list.begin(), list.end(), number) == list.end()) list.push_back(number);
}

void Recorder::note_access(AccessWord word) {
  if (word.mode() == AccessMode::scratch) return;
  const AccessMode whole = reads_only(word.mode()) ? AccessMode::read : AccessMode::readwrite;
  const auto [entry, is_new] = seen_.try_emplace(&datum_of(word), graph_->accesses.size());
  if (is_new) {
    graph_->accesses.emplace_back(word.data(), whole);
    graph_->data.push_back(graph::share_of(datum_of(word)));
  } else if (whole == AccessMode::readwrite) {
    graph_->accesses[entry->second] = AccessWord(word.data(), whole);
  }
}

std::size_t Recorder::add(const detail::SubmitExtras* extras) {
  current_ = open_;
  detail::TaskHeader& task = current_->header;
  for (std::size_t i = 0; i < task.accesses; ++i)
    if (const AccessWord word = task.access_words()[i]; graph::in_tree(datum_of(word)))
      graph::TreeLevels(*this).access(datum_of(word), word.mode());
  for (std::size_t i = 0; i < task.accesses; ++i) {
    AccessWord& word = task.access_words()[i];
    Datum& datum = datum_of(word);
    const detail::ReduceOperation* operation = nullptr;
    if (word.mode() == AccessMode::reduce) {
      operation = datum.operations[word.operation()].load(std::memory_order_relaxed);
    }
    note_access(word);
    add_access(datum, states_[&datum], word.mode(), operation, Member{&task, 0}, *this);
  }
  if (extras != nullptr)
    for (const Task& before : extras->after)
      if (before.id().valid()) edge({nullptr, before.id().value & 0xffffffffffU});
  const std::size_t number = order_.size();
  order_.push_back(current_);
  // The tracker has stored the task under number 0, since joins and folds take numbers first.
  renumber(task, number);
  open_ = nullptr;
  return number;
}

void Recorder::renumber(const detail::TaskHeader& task, std::size_t number) {
  for (std::size_t i = 0; i < task.accesses; ++i) states_[&datum_of(task.access_words()[i])].renumber(&task, number);
}

// ------------------------------------------------------------------------------------------------ partition trees

graph::TreeLevel& Recorder::level(Datum& datum) {
  const auto [entry, is_new] = levels_.try_emplace(&datum);
  // What this recording has accessed before it was cut is in one piece.
  if (is_new && !states_.contains(&datum)) entry->second.set(graph::TreeLevel::Mode::unknown);
  return entry->second;
}

void Recorder::insert(const char* name, std::span<const AccessWord> words) {
  Draft* const following = std::exchange(current_, nullptr);
  Draft& draft = drafts_.emplace_back();
  current_ = &draft;
  detail::TaskHeader& task = draft.header;
  task.block = new_block(detail::block_prefix(words.size()));
  task.accesses = static_cast<std::uint16_t>(words.size());
  task.traits = detail::kRecorded | detail::kInternal;
  task.type = &kTransitionType;
  task.kinds = 1;
  task.priority = following->header.priority;
  task.where() = SourceLocation{"(inserted by Mitra)", 0};
  task.name() = name;
  std::ranges::copy(words, task.access_words());
  for (const AccessWord word : words) {
    note_access(AccessWord(word.data(), word.mode()));
    add_access(datum_of(word), states_[&datum_of(word)], word.mode(), nullptr, Member{&task, 0}, *this);
  }
  const std::size_t number = order_.size();
  order_.push_back(&draft);
  renumber(task, number);
  current_ = following;
}

std::shared_ptr<const RecordedTrees> Recorder::finish_trees() {
  if (levels_.empty()) return nullptr;
  auto trees = std::make_shared<RecordedTrees>();
  trees->required = std::move(required_);
  for (auto& [datum, level] : levels_)
    if (level.mode != graph::TreeLevel::Mode::unknown) trees->after.emplace_back(datum, std::move(level));
  return trees;
}

Member Recorder::insert(const detail::TaskType& type, const char* name, Datum* datum, graph::DependencyState& members) {
  Draft* const following = std::exchange(current_, nullptr);
  Draft& draft = drafts_.emplace_back();
  current_ = &draft;
  detail::TaskHeader& task = draft.header;
  task.block = new_block(detail::block_prefix(datum == nullptr ? 0 : 1));
  task.accesses = datum == nullptr ? 0 : 1;
  task.traits = detail::kRecorded | detail::kInternal;
  task.type = &type;
  task.kinds = 1;
  task.priority = 0;
  task.where() = SourceLocation{"(inserted by Mitra)", 0};
  task.name() = name;
  if (datum != nullptr) {
    task.access_words()[0] = AccessWord(datum, AccessMode::readwrite);
    task.access_words()[0].set_operation(datum->operation_number(members.operation));
  }
  for (std::uint32_t i = 0; i < members.count; ++i) edge(members.member(i));
  const std::size_t number = order_.size();
  order_.push_back(&draft);
  current_ = following;
  return {&task, number};
}

namespace {

void run_recorded_join(detail::TaskHeader&, const detail::ExecutionContext&) {}
constexpr detail::TaskType kRecordedJoinType{.launch = {&run_recorded_join, nullptr}};

}  // namespace

Member Recorder::join(graph::DependencyState& members) { return insert(kRecordedJoinType, "join", nullptr, members); }
Member Recorder::fold(Datum& datum, graph::DependencyState& members) { return insert(fold_type_, "fold", &datum, members); }

std::shared_ptr<detail::GraphStorage> Recorder::finish() {
  detail::GraphStorage& graph = *graph_;
  graph.trees = finish_trees();
  for (Datum* datum : open_reductions_)  // who comes after the replay sees the sum
    if (graph::DependencyState& state = states_[datum]; state.group == graph::AccessGroup::reduce)
      state.start_group(graph::AccessGroup::exclusive, fold(*datum, state));
  open_reductions_.clear();
  const std::size_t size = order_.size();
  graph.nodes = std::make_unique<detail::TaskHeader[]>(size);
  graph.predecessors.resize(size);
  graph.cancelled = std::vector<std::atomic<bool>>(size);
  graph.anchor.block = reinterpret_cast<std::byte*>(&graph);
  std::vector<std::uint32_t> first(size + 1, 0);
  for (const Draft* draft : order_)
    for (std::uint32_t before : draft->predecessors) ++first[before + 1];
  for (std::size_t i = 0; i < size; ++i) first[i + 1] += first[i];
  graph.edges.resize(first[size]);
  std::vector<std::uint32_t> fill(first.begin(), first.end() - 1);
  for (std::size_t i = 0; i < size; ++i)
    for (std::uint32_t before : order_[i]->predecessors) graph.edges[fill[before]++] = static_cast<std::uint32_t>(i);
  for (std::size_t i = 0; i < size; ++i) {
    const detail::TaskHeader& from = order_[i]->header;
    detail::TaskHeader& node = graph.nodes[i];
    const auto count = static_cast<std::int32_t>(order_[i]->predecessors.size());
    node.successors.store(std::uint64_t{first[i]} << 32 | (first[i + 1] - first[i]), std::memory_order_relaxed);
    node.pending.store(count, std::memory_order_relaxed);
    node.priority = from.priority;
    node.id.store(task_id(i).value, std::memory_order_relaxed);
    node.type = from.type;
    node.block = from.block;
    node.parent = &graph.anchor;
    node.accesses = from.accesses;
    node.traits = from.traits;
    node.kinds = from.kinds;
    node.index = static_cast<std::uint32_t>(count);
    graph.predecessors[i] = count;
    if (!(from.traits & detail::kInternal)) ++graph.application_tasks;
    if (count == 0) graph.roots.push_back(static_cast<std::uint32_t>(i));
  }
  graph.size = size;  // from here on the graph destroys the closures
  order_.clear();
  return std::move(graph_);
}

}  // namespace mitra::engine
