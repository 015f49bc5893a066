// What the double of HIP knows: memories, streams, events, counted calls. One lock for all of it.
// Flow: calls of the table -> [state] <- the thread that runs the streams. Thread-safety: `mutex` guards everything but options.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "hip_double.hpp"
#include "support/random.hpp"

namespace mitra::test {

class HipDouble::State {
 public:
  explicit State(HipDoubleOptions options);
  ~State();

  using BlasStatus = hip::BlasStatus;
  using BlasHandle = hip::BlasHandle;
  using BlasOperation = hip::BlasOperation;
  using BlasFill = hip::BlasFill;
  using BlasSide = hip::BlasSide;
  using BlasDiagonal = hip::BlasDiagonal;
  using BlasAtomics = hip::BlasAtomics;
#define MITRA_HIP_METHOD(Result, name, parameters) Result name parameters;
  MITRA_HIP_FUNCTIONS(MITRA_HIP_METHOD)
  MITRA_BLAS_FUNCTIONS(MITRA_HIP_METHOD)
#undef MITRA_HIP_METHOD

  using Clock = std::chrono::steady_clock;

  /// Of a device: the host sees `address`, which it must not touch, and the double `alias`, the same memory.
  struct Memory {
    int device = 0;
    std::size_t size = 0, mapped = 0;
    std::byte* alias = nullptr;
  };
  struct Event {
    int device = 0;
    std::uint64_t recorded = 0, reached = 0;  // how often
    Clock::time_point time;
  };
  struct Stream;
  struct Operation {
    std::function<hipError_t()> run;  // called without the lock
    Clock::duration duration{};
    std::optional<Clock::time_point> end;  // set when it begins
    Executed what;
    bool counts = false;  // a kernel or a copy, not an event
    std::shared_ptr<Event> event;
    std::uint64_t record = 0;
  };
  struct Stream {
    int device = 0;
    std::deque<Operation> operations;
    bool running = false;
  };
  struct Device {
    hipError_t lost = hipSuccess;
    bool hangs = false;
    std::size_t in_use = 0;
    std::set<int> peers;  // whose memory it reaches
  };
  struct Module {
    int device = 0;
    std::map<std::string, std::unique_ptr<std::pair<std::string, Module*>>> functions;
  };
  using Function = std::pair<std::string, Module*>;
  /// Of rocBLAS.
  struct Handle {
    int device = 0;
    hipStream_t stream = nullptr;
    bool atomics = true;  // as up to ROCm 6.0
  };
  /// A matrix in columns, of elements of `size` bytes.
  struct Matrix {
    const void* address = nullptr;
    std::size_t rows = 0, columns = 0, ld = 0, size = 0;
  };
  using Lock = std::unique_lock<std::mutex>;

  /// Counts the call. @returns What it fails with; success: it goes on.
  hipError_t enter(const char* function, int device, bool asks_device = true);
  hipError_t leave(hipError_t error);  // notes hipGetLastError's answer
  void lose_locked(int device, hipError_t error);
  int current() const;
  bool idle(int device) const;
  void complain(std::string text) { complaints.push_back(std::move(text)); }
  Stream* find(hipStream_t stream);
  std::shared_ptr<Event> find(hipEvent_t event);
  /// @returns The alias of [address, address + size); null if it is not a device's, or not all of it. @param device  Set to whose it is.
  std::byte* alias_of(const void* address, std::size_t size, int& device) const;
  bool is_pinned(const void* address, std::size_t size) const;
  void push(Stream& stream, Operation operation);
  hipError_t copy(const char* function, void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                  std::size_t width, std::size_t height, hipMemcpyKind kind, hipStream_t stream);
  Handle* find(BlasHandle handle);
  /// Checks a call of rocBLAS as the library does, and enqueues `run`, which gets the matrices where the double can touch them.
  BlasStatus blas(const char* function, BlasHandle handle, std::vector<Matrix> matrices,
                  std::function<void(const std::vector<void*>&)> run);
  BlasStatus blas_answer(hipError_t error);
  void work();
  void step(Lock& lock);

  const HipDoubleOptions options;
  std::size_t slot = 0;
  hip::Functions table;
  hip::Blas blas_table;
  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false, paused = false;
  Random random;
  std::vector<Device> devices;
  std::map<const std::byte*, Memory> memories;
  std::map<const std::byte*, std::size_t> pinned;
  std::vector<std::unique_ptr<Stream>> streams;
  std::map<const void*, std::shared_ptr<Event>> events;
  std::vector<std::unique_ptr<Module>> modules;
  std::vector<std::unique_ptr<Handle>> handles;
  std::vector<HipFault> faults;
  std::map<std::pair<std::string, int>, std::uint64_t> counted;  // by function and device; -1: any
  std::vector<Executed> executed;
  std::vector<std::string> complaints;
  std::size_t pageable = 0;
  std::thread worker;
};

/// A twin of a kernel: takes the arguments at once, and runs later.
struct Twin {
  unsigned threads = 0;
  /// @returns A function that runs one block on the host, with addresses of devices translated; it says no if one is not valid.
  std::function<std::function<bool(unsigned x, unsigned y, unsigned width)>(
      void** parameters, const std::function<void*(const void*)>& alias)>
      bind;
};
/// @returns Null if there is no such kernel.
const Twin* find_twin(const std::string& kernel);

}  // namespace mitra::test
