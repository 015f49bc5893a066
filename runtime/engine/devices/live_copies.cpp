// Buffers on devices and at home, and copies between them.
// Flow: memory manager -> [live copies] -> buffer pool, device driver -> memory manager.
#include "engine/devices/live_memory.hpp"

#include <algorithm>
#include <utility>

#include "engine/hot_path.hpp"
#include "memory/private_copies.hpp"

namespace mitra::engine {

using graph::Datum;

// ------------------------------------------------------------------------------------------------ buffers

bool LiveMemory::allocate(std::uint32_t number, NodeId node) {
  auto& datum = static_cast<Datum&>(*manager_.header(number));
  if (node == NodeId(0)) {
    try {
      buffer(number, node) = memory::home_address(datum, host_);
    } catch (const std::bad_alloc&) {
      return false;
    }
    return true;
  }
  bool lost = false;
  std::byte* memory = pools_[place_of(node)].take(manager_.size(number), lost);
  if (lost) {
    manager_.leave_out(node);  // what waits for room there waits for the device's thread
    tell_of_loss(place_of(node));
  }
  buffer(number, node) = memory;
  return memory != nullptr;
}

/// To the device's thread, which deals with it before it does anything else.
void LiveMemory::tell_of_loss(std::size_t device) {
  if (per_device_[device].lost.exchange(true, std::memory_order_release)) return;
  devices_[device].driver->wake(devices_[device].number);
}

void LiveMemory::release(std::uint32_t number, NodeId node) {
  void* memory = std::exchange(buffer(number, node), nullptr);
  if (node == NodeId(0)) {  // without a limit a datum keeps its memory at home as long as it lives
    detail::DataHeader* const header = manager_.header(number);
    if (frees_home_ && header != nullptr) memory::free_home(static_cast<Datum&>(*header), host_);
    return;
  }
  if (memory == nullptr) return;
  pools_[place_of(node)].give(static_cast<std::byte*>(memory), manager_.size(number));
}

// ------------------------------------------------------------------------------------------------ copies

/// To devices, the memory of a domain of the host is the host's: they do what there is to be copied.
/// @param device  Set to the place of the device whose engines do the copy.
LiveMemory::Way& LiveMemory::way_of(NodeId from, NodeId to, std::size_t& device) {
  const Device *source = devices_.of(from), *target = devices_.of(to);
  if (source != nullptr && target != nullptr && source->is_host_memory() != target->is_host_memory())
    (source->is_host_memory() ? source : target) = nullptr;
  device = static_cast<std::size_t>((target != nullptr ? target : source) - devices_.all().data());
  if (source == nullptr) return per_device_[device].in;
  return target == nullptr ? per_device_[device].out : per_device_[device].peer;
}

/// @param by  The device whose engines do the copy.
CopyEnd LiveMemory::end_of(std::uint32_t number, NodeId node, const Device& by) {
  const detail::Shape& shape = manager_.header(number)->shape;
  const Device* device = devices_.of(node);
  const bool is_host = device == nullptr || (device->is_host_memory() && device->driver != by.driver);
  return {is_host ? CopyEnd::kHost : static_cast<int>(device->number), static_cast<std::byte*>(buffer(number, node)),
          (device == nullptr ? shape.ld : shape.rows) * shape.element_size};
}

void LiveMemory::start_copy(const memory::CopyOrder& order) {
  if (order.to == NodeId(0) && recovers_) lineage_.before_home_changes(order.datum, true);
  std::size_t device = 0;
  Way& way = way_of(order.from, order.to, device);
  const detail::Shape& shape = manager_.header(order.datum)->shape;
  const Device& by = devices_[device];
  DeviceCopy copy{end_of(order.datum, order.from, by), end_of(order.datum, order.to, by), shape.rows * shape.element_size, shape.cols,
                  order.urgent, order.transfer};
  if (copy.from.pitch == copy.width && copy.to.pitch == copy.width) {  // no gaps: one column
    copy.width *= copy.columns;
    copy.from.pitch = copy.to.pitch = copy.width;
    copy.columns = 1;
  }
  if (under_way_.size() <= order.transfer) under_way_.resize(order.transfer + 1);
  using Memory = SimulationReport::Memory;
  under_way_[order.transfer] = {order.datum, static_cast<std::uint32_t>(device), order.from, &way, order.size.value,
                                by.is_host_memory() ? &Memory::between_domains
                                : !by.worker.valid()
                                    ? (&way == &per_device_[device].in ? &Memory::to_storage : &Memory::from_storage)
                                : &way == &per_device_[device].in    ? &Memory::to_device
                                : &way == &per_device_[device].out ? &Memory::from_device
                                                                   : &Memory::between_devices};
  way.pending += order.size.value;
  ++sums_.transfers;
  auto& orders = per_device_[device].orders;
  if (copy.urgent)  // before those that nobody waits for
    orders.insert(std::ranges::find_if(orders, [](const DeviceCopy& c) { return !c.urgent; }), copy);
  else
    orders.push_back(copy);
  // Release: before the wake, which the device's thread hears of after its last look.
  per_device_[device].has_news.store(true, std::memory_order_release);
  devices_[device].driver->wake(devices_[device].number);
}

void LiveMemory::hasten(std::uint32_t transfer) {
  auto& orders = per_device_[under_way_[transfer].device].orders;
  const auto found = std::ranges::find(orders, std::uint64_t{transfer}, &DeviceCopy::token);
  if (found == orders.end()) return;  // it has begun
  DeviceCopy copy = *found;
  copy.urgent = true;
  orders.erase(found);
  orders.insert(std::ranges::find_if(orders, [](const DeviceCopy& c) { return !c.urgent; }), copy);
}

void LiveMemory::take_orders(std::size_t device, std::deque<DeviceCopy>& orders) {
  orders.clear();
  const std::scoped_lock lock(mutex_);
  PerDevice& mine = per_device_[device];
  orders.swap(mine.orders);
  mine.has_news.store(!mine.arrived.empty(), std::memory_order_relaxed);
}

void LiveMemory::copied(const DeviceCompletion& completion) {
  const std::scoped_lock lock(mutex_);
  const UnderWay& done = under_way_[completion.token];
  if (completion.result.ok()) {
    sums_.*done.sum += Bytes(done.bytes);
    if (completion.duration > done.way->latency && done.bytes >= 65536) {
      const double measured = static_cast<double>(done.bytes) / (completion.duration - done.way->latency).value;
      double& rate = done.way->bytes_per_second;
      rate = rate == 0.0 ? measured : rate + (measured - rate) / 8;
    }
  }
  end_copy(completion.token, completion.result);
}

void LiveMemory::end_copy(std::uint64_t token, const DeviceResult& result) {
  const std::scoped_lock lock(mutex_);
  const auto transfer = static_cast<std::uint32_t>(token);
  under_way_[transfer].way->pending -= under_way_[transfer].bytes;
  if (result.ok()) return manager_.copy_arrived(transfer);
  why_not_copied_ = result.text;
  if (source_is_lost(transfer)) return;
  manager_.copy_failed(transfer);
}

/// The other device may be what failed, and its thread may not know: then a further attempt is for nothing.
/// @returns Whether the transfer's end is told when the loss is dealt with.
bool LiveMemory::source_is_lost(std::uint32_t transfer) {
  const UnderWay& copy = under_way_[transfer];
  const Device* const source = devices_.of(copy.from);
  if (source == nullptr || place_of(copy.from) == copy.device || manager_.is_gone(copy.from)) return false;
  std::byte* probe = nullptr;  // a lost device says so at every call, and this one is any thread's
  const DeviceResult result = source->driver->allocate(source->number, Bytes(1), probe);
  if (result.ok()) source->driver->release(source->number, probe, Bytes(1));
  if (result.status != DeviceStatus::lost) return false;
  per_device_[place_of(copy.from)].ended.push_back(transfer);
  tell_of_loss(place_of(copy.from));
  return true;
}

bool LiveMemory::reaches(NodeId from, NodeId to) {
  const Device *source = devices_.of(from), *target = devices_.of(to);
  if (source == nullptr || target == nullptr) return true;
  if (source->is_host_memory() != target->is_host_memory()) return true;  // as the host's
  return source->driver == target->driver && source->driver->joined(source->number, target->number);
}

Seconds LiveMemory::copy_time(NodeId from, NodeId to, Bytes size) {
  constexpr double kUnknown = 10e9;  // B/s [assumption] a PCIe 3.0 x16 link; until copies have been measured
  std::size_t device = 0;
  const Way& way = way_of(from, to, device);
  const double rate = way.bytes_per_second > 0.0 ? way.bytes_per_second : kUnknown;
  return way.latency + Seconds(static_cast<double>(size.value) / rate);
}

Seconds LiveMemory::wait_time(NodeId from, NodeId to) {
  std::size_t device = 0;
  const Way& way = way_of(from, to, device);
  return way.pending == 0 ? Seconds(0.0) : copy_time(from, to, Bytes(way.pending));
}

}  // namespace mitra::engine
