// The functions of HIP, as the double answers them.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "state.hpp"

namespace mitra::test {

using State = HipDouble::State;

namespace {

constexpr std::size_t kPage = 4096, kDoubles = 16;

// Of each thread, for each double that lives.
thread_local std::array<int, kDoubles> current_device{};
thread_local std::array<hipError_t, kDoubles> last_error{};

std::size_t rounded(std::size_t size, std::size_t unit) { return (size + unit - 1) / unit * unit; }

}  // namespace

int State::current() const { return current_device[slot]; }
hipError_t State::leave(hipError_t error) { return last_error[slot] = error; }

// ------------------------------------------------------------------------------------------------ devices

hipError_t State::hipGetDeviceCount(int* count) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipGetDeviceCount", -1); error != hipSuccess) return *count = 0, leave(error);
  *count = options.devices;
  return leave(options.devices > 0 ? hipSuccess : hipErrorNoDevice);
}

hipError_t State::hipGetDeviceProperties(hipDeviceProp_t* properties, int device) {
  const Lock lock(mutex);
  if (device < 0 || device >= options.devices) return leave(hipErrorInvalidDevice);
  if (const hipError_t error = enter("hipGetDeviceProperties", device); error != hipSuccess) return leave(error);
  std::memset(static_cast<void*>(properties), 0, sizeof(*properties));
  std::snprintf(properties->name, sizeof(properties->name), "Double of a GPU (%d)", device);
  std::snprintf(properties->gcnArchName, sizeof(properties->gcnArchName), "%s", options.architecture.c_str());
  properties->totalGlobalMem = options.memory;
  return leave(hipSuccess);
}

hipError_t State::hipDeviceGetPCIBusId(char* id, int length, int device) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipDeviceGetPCIBusId", device); error != hipSuccess) return leave(error);
  const std::string text = options.bus_id ? options.bus_id(device) : "0000:c" + std::to_string(device + 1) + ":00.0";
  std::snprintf(id, static_cast<std::size_t>(length), "%s", text.c_str());
  return leave(hipSuccess);
}

hipError_t State::hipGetDevice(int* device) {
  *device = current_device[slot];
  return hipSuccess;
}

hipError_t State::hipSetDevice(int device) {
  const Lock lock(mutex);
  if (device < 0 || device >= options.devices) return leave(hipErrorInvalidDevice);
  if (const hipError_t error = enter("hipSetDevice", device, false); error != hipSuccess) return leave(error);
  current_device[slot] = device;
  return leave(hipSuccess);
}

hipError_t State::hipMemGetInfo(std::size_t* free, std::size_t* total) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipMemGetInfo", current()); error != hipSuccess) return leave(error);
  *total = options.memory;
  *free = options.memory - devices[static_cast<std::size_t>(current())].in_use;
  return leave(hipSuccess);
}

hipError_t State::hipDeviceCanAccessPeer(int* can, int device, int peer) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipDeviceCanAccessPeer", device); error != hipSuccess) return leave(error);
  *can = device != peer && (!options.peers || options.peers(device, peer)) ? 1 : 0;
  return leave(hipSuccess);
}

hipError_t State::hipDeviceEnablePeerAccess(int peer, unsigned) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipDeviceEnablePeerAccess", current()); error != hipSuccess) return leave(error);
  const bool fresh = devices[static_cast<std::size_t>(current())].peers.insert(peer).second;
  return leave(fresh ? hipSuccess : hipErrorPeerAccessAlreadyEnabled);
}

hipError_t State::hipDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 1, *greatest = -1;
  return leave(hipSuccess);
}

// As in ROCm 5: the answer of the last call on this thread, good or bad.
hipError_t State::hipGetLastError() { return std::exchange(last_error[slot], hipSuccess); }

const char* State::hipGetErrorName(hipError_t error) {
  switch (error) {
    case hipErrorOutOfMemory:
      return "hipErrorOutOfMemory";
    case hipErrorNoDevice:
      return "hipErrorNoDevice";
    case hipErrorInvalidValue:
      return "hipErrorInvalidValue";
    case hipErrorInvalidConfiguration:
      return "hipErrorInvalidConfiguration";
    case hipErrorInvalidHandle:
      return "hipErrorInvalidHandle";
    case hipErrorNoBinaryForGpu:
      return "hipErrorNoBinaryForGpu";
    case hipErrorIllegalAddress:
      return "hipErrorIllegalAddress";
    case hipErrorLaunchFailure:
      return "hipErrorLaunchFailure";
    case hipErrorLaunchOutOfResources:
      return "hipErrorLaunchOutOfResources";
    case hipErrorECCNotCorrectable:
      return "hipErrorECCNotCorrectable";
    case hipErrorUnknown:
      return "hipErrorUnknown";
    default:
      return "hipErrorOfTheDouble";
  }
}
const char* State::hipGetErrorString(hipError_t error) {
  return error == hipErrorOutOfMemory ? "out of memory" : "an error of the double";
}

// ------------------------------------------------------------------------------------------------ memory

// The memory is mapped twice: at the address that is handed out nobody may touch it, so that a host which does crashes. It
// ends where an inaccessible page begins.
hipError_t State::hipMalloc(void** memory, std::size_t size) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipMalloc", current()); error != hipSuccess) return leave(error);
  Device& device = devices[static_cast<std::size_t>(current())];
  const std::size_t taken = rounded(std::max<std::size_t>(size, 1), 256);
  if (device.in_use + taken > options.memory) return leave(hipErrorOutOfMemory);
  const std::size_t mapped = rounded(taken, kPage);
  const int file = memfd_create("hip_double", MFD_CLOEXEC);
  void* hidden = MAP_FAILED;
  void* usable = MAP_FAILED;
  if (file >= 0 && ftruncate(file, static_cast<off_t>(mapped)) == 0) {
    hidden = mmap(nullptr, mapped, PROT_NONE, MAP_SHARED, file, 0);
    usable = mmap(nullptr, mapped + kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (usable != MAP_FAILED) usable = mmap(usable, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
  }
  if (file >= 0) close(file);
  if (hidden == MAP_FAILED || usable == MAP_FAILED) return leave(hipErrorOutOfMemory);
  auto* const alias = static_cast<std::byte*>(usable) + (mapped - taken);
  std::memset(alias, 0xff, taken);  // NaN
  device.in_use += taken;
  auto* const address = static_cast<std::byte*>(hidden) + (mapped - taken);
  memories[address] = {current(), taken, mapped, alias};
  *memory = address;
  return leave(hipSuccess);
}

hipError_t State::hipFree(void* memory) {
  Lock lock(mutex);
  if (memory == nullptr) return leave(hipSuccess);
  const auto found = memories.find(static_cast<const std::byte*>(memory));
  if (found == memories.end()) {
    complain("hipFree of what is not allocated");
    return leave(hipErrorInvalidValue);
  }
  const int device = found->second.device;
  if (const hipError_t error = enter("hipFree", device); error != hipSuccess) return leave(error);
  // It waits for the device.
  changed.wait(lock, [&] { return idle(device) || devices[static_cast<std::size_t>(device)].lost != hipSuccess; });
  const Memory m = found->second;
  munmap(static_cast<std::byte*>(memory) - (m.mapped - m.size), m.mapped);
  munmap(m.alias - (m.mapped - m.size), m.mapped + kPage);
  devices[static_cast<std::size_t>(device)].in_use -= m.size;
  memories.erase(found);
  return leave(hipSuccess);
}

hipError_t State::hipHostMalloc(void** memory, std::size_t size, unsigned) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipHostMalloc", current()); error != hipSuccess) return leave(error);
  *memory = std::aligned_alloc(kPage, rounded(std::max<std::size_t>(size, 1), kPage));
  if (*memory == nullptr) return leave(hipErrorOutOfMemory);
  std::memset(*memory, 0xff, size);
  pinned[static_cast<const std::byte*>(*memory)] = size;
  return leave(hipSuccess);
}

hipError_t State::hipHostFree(void* memory) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipHostFree", -1); error != hipSuccess) return leave(error);
  if (pinned.erase(static_cast<const std::byte*>(memory)) == 0) {
    complain("hipHostFree of what is not allocated");
    return leave(hipErrorInvalidValue);
  }
  std::free(memory);
  return leave(hipSuccess);
}

// ------------------------------------------------------------------------------------------------ streams and events

hipError_t State::hipStreamCreateWithPriority(hipStream_t* stream, unsigned, int) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipStreamCreateWithPriority", current()); error != hipSuccess)
    return leave(error);
  streams.push_back(std::make_unique<Stream>());
  streams.back()->device = current();
  *stream = reinterpret_cast<hipStream_t>(streams.back().get());
  return leave(hipSuccess);
}

hipError_t State::hipStreamDestroy(hipStream_t stream) {
  Lock lock(mutex);
  Stream* const s = find(stream);
  if (s == nullptr) {
    complain("hipStreamDestroy of what is no stream");
    return leave(hipErrorInvalidHandle);
  }
  const hipError_t error = enter("hipStreamDestroy", s->device);
  changed.wait(lock, [&] { return s->operations.empty(); });
  std::erase_if(streams, [&](const auto& other) { return other.get() == s; });
  return leave(error);
}

hipError_t State::hipStreamQuery(hipStream_t stream) {
  const Lock lock(mutex);
  Stream* const s = find(stream);
  if (s == nullptr) return leave(hipErrorInvalidHandle);
  if (const hipError_t error = enter("hipStreamQuery", s->device); error != hipSuccess) return leave(error);
  return leave(s->operations.empty() ? hipSuccess : hipErrorNotReady);
}

hipError_t State::hipEventCreateWithFlags(hipEvent_t* event, unsigned) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipEventCreateWithFlags", current()); error != hipSuccess) return leave(error);
  auto e = std::make_shared<Event>();
  e->device = current();
  *event = reinterpret_cast<hipEvent_t>(e.get());
  events[e.get()] = std::move(e);
  return leave(hipSuccess);
}

hipError_t State::hipEventRecord(hipEvent_t event, hipStream_t stream) {
  const Lock lock(mutex);
  Stream* const s = find(stream);
  const std::shared_ptr<Event> e = find(event);
  if (s == nullptr || e == nullptr || s->device != e->device) {
    complain("hipEventRecord with an event of another device, or with none");
    return leave(hipErrorInvalidHandle);
  }
  if (const hipError_t error = enter("hipEventRecord", s->device); error != hipSuccess) return leave(error);
  Operation operation;
  operation.event = e;
  operation.record = ++e->recorded;
  push(*s, std::move(operation));
  return leave(hipSuccess);
}

hipError_t State::hipEventQuery(hipEvent_t event) {
  const Lock lock(mutex);
  const std::shared_ptr<Event> e = find(event);
  if (e == nullptr) return leave(hipErrorInvalidHandle);
  if (const hipError_t error = enter("hipEventQuery", e->device); error != hipSuccess) return leave(error);
  return leave(e->reached == e->recorded ? hipSuccess : hipErrorNotReady);
}

hipError_t State::hipEventElapsedTime(float* milliseconds, hipEvent_t start, hipEvent_t stop) {
  const Lock lock(mutex);
  const std::shared_ptr<Event> a = find(start), b = find(stop);
  if (a == nullptr || b == nullptr || a->recorded == 0 || b->recorded == 0) return leave(hipErrorInvalidHandle);
  if (const hipError_t error = enter("hipEventElapsedTime", a->device); error != hipSuccess) return leave(error);
  if (a->reached != a->recorded || b->reached != b->recorded) return leave(hipErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(b->time - a->time).count();
  return leave(hipSuccess);
}

hipError_t State::hipEventDestroy(hipEvent_t event) {
  const Lock lock(mutex);
  const std::shared_ptr<Event> e = find(event);
  if (e == nullptr) {
    complain("hipEventDestroy of what is no event");
    return leave(hipErrorInvalidHandle);
  }
  const hipError_t error = enter("hipEventDestroy", e->device);
  events.erase(event);
  return leave(error);
}

// ------------------------------------------------------------------------------------------------ copies

hipError_t State::copy(const char* function, void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                       std::size_t width, std::size_t height, hipMemcpyKind kind, hipStream_t stream) {
  Lock lock(mutex);
  Stream* const s = find(stream);
  if (s == nullptr) return leave(hipErrorInvalidHandle);
  const int device = s->device;
  if (const hipError_t error = enter(function, device); error != hipSuccess) return leave(error);
  if (height > 1 && (to_pitch < width || from_pitch < width)) return leave(hipErrorInvalidPitchValue);
  if (width == 0 || height == 0) return leave(hipSuccess);

  // Both ends, as the double can touch them, checked when the call is made and again when the copy runs.
  const std::size_t to_size = (height - 1) * to_pitch + width, from_size = (height - 1) * from_pitch + width;
  const bool to_device = kind != hipMemcpyDeviceToHost, from_device = kind != hipMemcpyHostToDevice;
  const auto resolve = [this, device](const void* address, std::size_t size, bool on_device) -> std::byte* {
    int owner = -1;
    std::byte* const alias = alias_of(address, size, owner);
    if (!on_device) return alias != nullptr ? nullptr : static_cast<std::byte*>(const_cast<void*>(address));
    const bool reached =
        owner == device || (owner >= 0 && devices[static_cast<std::size_t>(device)].peers.contains(owner));
    return reached ? alias : nullptr;
  };
  if (resolve(to, to_size, to_device) == nullptr || resolve(from, from_size, from_device) == nullptr) {
    complain(std::string(function) + " of memory that is not there, or not reached");
    return leave(hipErrorInvalidValue);
  }
  const bool pageable_end = (!to_device && !is_pinned(to, to_size)) || (!from_device && !is_pinned(from, from_size));
  if (pageable_end) ++pageable;

  Operation operation;
  operation.counts = true;
  operation.what.kind = Executed::Kind::copy;
  operation.what.bytes = width * height;
  operation.what.target = to;
  operation.duration = options.latency;
  if (options.bandwidth > 0.0)
    operation.duration += std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(static_cast<double>(width * height) / options.bandwidth));
  operation.run = [=, this] {
    std::byte *target = nullptr, *source = nullptr;
    {
      const Lock inner(mutex);
      target = resolve(to, to_size, to_device);
      source = resolve(from, from_size, from_device);
    }
    if (target == nullptr || source == nullptr) return hipErrorIllegalAddress;
    for (std::size_t row = 0; row < height; ++row)
      std::memcpy(target + row * to_pitch, source + row * from_pitch, width);
    return hipSuccess;
  };
  push(*s, std::move(operation));
  // Memory that is not pinned is copied while the caller waits.
  if (pageable_end)
    changed.wait(lock,
                 [&] { return s->operations.empty() || devices[static_cast<std::size_t>(device)].lost != hipSuccess; });
  return leave(hipSuccess);
}

hipError_t State::hipMemcpyAsync(void* to, const void* from, std::size_t size, hipMemcpyKind kind, hipStream_t stream) {
  return copy("hipMemcpyAsync", to, size, from, size, size, 1, kind, stream);
}
hipError_t State::hipMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                                   std::size_t width, std::size_t height, hipMemcpyKind kind, hipStream_t stream) {
  return copy("hipMemcpy2DAsync", to, to_pitch, from, from_pitch, width, height, kind, stream);
}
hipError_t State::hipMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device, std::size_t size,
                                     hipStream_t stream) {
  {
    const Lock lock(mutex);
    int to_owner = -1, from_owner = -1;
    static_cast<void>(alias_of(to, size, to_owner));
    static_cast<void>(alias_of(from, size, from_owner));
    if (to_owner != to_device || from_owner != from_device) {
      complain("hipMemcpyPeerAsync with the number of another device");
      return leave(hipErrorInvalidDevice);
    }
  }
  return copy("hipMemcpyPeerAsync", to, size, from, size, size, 1, hipMemcpyDeviceToDevice, stream);
}

// ------------------------------------------------------------------------------------------------ kernels

hipError_t State::hipModuleLoadData(hipModule_t* module, const void* image) {
  const Lock lock(mutex);
  if (image == nullptr) return leave(hipErrorInvalidValue);
  if (const hipError_t error = enter("hipModuleLoadData", current()); error != hipSuccess) return leave(error);
  modules.push_back(std::make_unique<Module>());
  modules.back()->device = current();
  *module = reinterpret_cast<hipModule_t>(modules.back().get());
  return leave(hipSuccess);
}

hipError_t State::hipModuleUnload(hipModule_t module) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipModuleUnload", current()); error != hipSuccess) return leave(error);
  std::erase_if(modules, [&](const auto& m) { return static_cast<void*>(m.get()) == static_cast<void*>(module); });
  return leave(hipSuccess);
}

hipError_t State::hipModuleGetFunction(hipFunction_t* function, hipModule_t module, const char* name) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("hipModuleGetFunction", current()); error != hipSuccess) return leave(error);
  if (find_twin(name) == nullptr) return leave(hipErrorNotFound);
  auto* const m = reinterpret_cast<Module*>(module);
  auto& slot_of = m->functions[name];
  if (slot_of == nullptr) slot_of = std::make_unique<Function>(name, m);
  *function = reinterpret_cast<hipFunction_t>(slot_of.get());
  return leave(hipSuccess);
}

hipError_t State::hipModuleLaunchKernel(hipFunction_t function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned,
                                        hipStream_t stream, void** parameters, void**) {
  const Lock lock(mutex);
  const auto* const f = reinterpret_cast<const Function*>(function);
  Stream* const s = find(stream);
  if (s == nullptr || f == nullptr) return leave(hipErrorInvalidHandle);
  if (const hipError_t error = enter("hipModuleLaunchKernel", s->device); error != hipSuccess) return leave(error);
  if (f->second->device != s->device || current() != s->device) complain("a kernel on a stream of another device");
  const Twin* const twin = find_twin(f->first);
  if (block_x != twin->threads || block_y != 1 || block_z != 1 || grid_x == 0 || grid_y == 0 || grid_z != 1)
    return leave(hipErrorInvalidConfiguration);

  const int device = s->device;
  const auto block = twin->bind(parameters, [this, device](const void* address) -> void* {
    const Lock inner(mutex);
    int owner = -1;
    std::byte* const alias = alias_of(address, 1, owner);
    return owner == device || (owner >= 0 && devices[static_cast<std::size_t>(device)].peers.contains(owner)) ? alias
                                                                                                              : nullptr;
  });
  Operation operation;
  operation.counts = true;
  operation.what.kind = Executed::Kind::kernel;
  operation.what.kernel = f->first;
  operation.duration = options.latency;
  operation.run = [=] {
    for (unsigned y = 0; y < grid_y; ++y)
      for (unsigned x = 0; x < grid_x; ++x)
        if (!block(x, y, grid_x)) return hipErrorIllegalAddress;
    return hipSuccess;
  };
  push(*s, std::move(operation));
  return leave(hipSuccess);
}

}  // namespace mitra::test
