#include "hip_double.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <stdexcept>

#include "state.hpp"

namespace mitra::test {

namespace {

using State = HipDouble::State;

// Functions of HIP have no argument that says which double is meant: each has a table of its own.
constexpr std::size_t kSlots = 16;
std::mutex slots_mutex;
std::array<State*, kSlots>& slots() {
  static std::array<State*, kSlots> all{};
  return all;
}

template <std::size_t Slot, auto Method>
struct Entry;
template <std::size_t Slot, class Result, class... Parameters, Result (State::*Method)(Parameters...)>
struct Entry<Slot, Method> {
  static Result call(Parameters... parameters) { return (slots()[Slot]->*Method)(parameters...); }
};

template <std::size_t Slot>
hip::Functions table() {
  hip::Functions functions;
#define MITRA_HIP_ENTRY(Result, name, parameters) functions.name = &Entry<Slot, &State::name>::call;
  MITRA_HIP_FUNCTIONS(MITRA_HIP_ENTRY)
#undef MITRA_HIP_ENTRY
  static constexpr std::byte kImage[1]{};
  functions.kernels = kImage;
  return functions;
}

template <std::size_t Slot>
hip::Blas blas_table() {
  hip::Blas functions;
#define MITRA_BLAS_ENTRY(Result, name, parameters) functions.name = &Entry<Slot, &State::name>::call;
  MITRA_BLAS_FUNCTIONS(MITRA_BLAS_ENTRY)
#undef MITRA_BLAS_ENTRY
  functions.file = "the double";
  return functions;
}

template <std::size_t... Slots>
void make_tables(State& state, std::index_sequence<Slots...>) {
  static const std::array<hip::Functions, kSlots> tables{table<Slots>()...};
  static const std::array<hip::Blas, kSlots> blas_tables{blas_table<Slots>()...};
  state.table = tables[state.slot];
  state.blas_table = blas_tables[state.slot];
  state.blas_table.code = state.options.blas_code;
}

}  // namespace

HipDouble::HipDouble(HipDoubleOptions options) : state_(std::make_unique<State>(std::move(options))) {
  const std::lock_guard lock(slots_mutex);
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    if (slots()[slot] != nullptr) continue;
    slots()[slot] = state_.get();
    state_->slot = slot;
    make_tables(*state_, std::make_index_sequence<kSlots>());
    int device = 0;
    if (state_->options.devices > 0)
      static_cast<void>(state_->hipSetDevice(device));  // an earlier double's may have been another
    return;
  }
  throw std::runtime_error("test: too many doubles of HIP at the same time");
}

HipDouble::~HipDouble() {
  const std::lock_guard lock(slots_mutex);
  slots()[state_->slot] = nullptr;
}

std::shared_ptr<const hip::Functions> HipDouble::functions() const {
  auto functions = std::make_shared<hip::Functions>(state_->table);
  if (state_->options.blas) functions->blas = std::make_shared<hip::Blas>(state_->blas_table);
  return functions;
}

void HipDouble::settle() const {
  State::Lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return std::ranges::none_of(state_->streams, [](const auto& stream) { return stream->running; }); });
}
void HipDouble::pause() {
  const State::Lock lock(state_->mutex);
  state_->paused = true;
}
void HipDouble::resume() {
  const State::Lock lock(state_->mutex);
  state_->paused = false;
  state_->changed.notify_all();
}
void HipDouble::hang(int device) {
  const State::Lock lock(state_->mutex);
  state_->devices[static_cast<std::size_t>(device)].hangs = true;
}
void HipDouble::lose(int device, hipError_t error) {
  const State::Lock lock(state_->mutex);
  state_->lose_locked(device, error);
}
void HipDouble::add_fault(HipFault fault) {
  const State::Lock lock(state_->mutex);
  fault.call += state_->counted[{fault.function, fault.device}];
  state_->faults.push_back(std::move(fault));
}
std::vector<HipDouble::Executed> HipDouble::executed() const {
  const State::Lock lock(state_->mutex);
  return state_->executed;
}
std::uint64_t HipDouble::calls(const std::string& function) const {
  const State::Lock lock(state_->mutex);
  const auto found = state_->counted.find({function, -1});
  return found == state_->counted.end() ? 0 : found->second;
}
std::size_t HipDouble::pageable_copies() const {
  const State::Lock lock(state_->mutex);
  return state_->pageable;
}
std::size_t HipDouble::memory_in_use(int device) const {
  const State::Lock lock(state_->mutex);
  return state_->devices[static_cast<std::size_t>(device)].in_use;
}
std::size_t HipDouble::left_over() const {
  const State::Lock lock(state_->mutex);
  return state_->streams.size() + state_->events.size() + state_->modules.size() + state_->memories.size() +
         state_->pinned.size() + state_->handles.size();
}
std::vector<std::string> HipDouble::complaints() const {
  const State::Lock lock(state_->mutex);
  return state_->complaints;
}
const void* HipDouble::peek(const void* address) const { return touch(address); }
void* HipDouble::touch(const void* address) const {
  const State::Lock lock(state_->mutex);
  int device = -1;
  return state_->alias_of(address, 1, device);
}
void HipDouble::enqueue(void* stream, std::function<void()> work) {
  const State::Lock lock(state_->mutex);
  State::Stream* const s = state_->find(static_cast<hipStream_t>(stream));
  if (s == nullptr) return state_->complain("a function on what is no stream");
  if (state_->enter("enqueue", s->device) != hipSuccess) return;
  State::Operation operation;
  operation.counts = true;
  operation.what.kind = Executed::Kind::kernel;
  operation.what.kernel = "a function";
  operation.duration = state_->options.latency;
  operation.run = [run = std::move(work)] {
    run();
    return hipSuccess;
  };
  state_->push(*s, std::move(operation));
}

}  // namespace mitra::test
