// The kernels of the code object, compiled for the CPU from the same source, by their names.
// Flow: backends/hip/kernels -> [twins] -> hip double. Thread-safety: immutable.
#include <tuple>
#include <utility>

#include "backends/hip/kernels/list.hpp"
#include "state.hpp"

namespace mitra::test {

namespace {

using namespace mitra::hip::kernels;
using Alias = std::function<void*(const void*)>;

/// Addresses of devices become those at which the double can touch the same memory.
template <class T>
T translated(const T& value, const Alias&, bool&) {
  return value;
}
template <class T>
T* translated(T* const& address, const Alias& alias, bool& valid) {
  void* const found = alias(address);
  valid = valid && found != nullptr;
  return static_cast<T*>(found);
}
template <class T>
Operand<T> translated(const Operand<T>& operand, const Alias& alias, bool& valid) {
  return {translated(operand.data, alias, valid), operand.ld, operand.transposed};
}

template <class... Parameters, std::size_t... I>
std::tuple<Parameters...> copied(void** parameters, std::index_sequence<I...>) {
  return {*static_cast<const Parameters*>(parameters[I])...};
}

template <unsigned Threads, class... Parameters>
Twin twin(void (*function)(const Block<Threads>&, Parameters...)) {
  return {
      Threads, [function](void** parameters, const Alias& alias) -> std::function<bool(unsigned, unsigned, unsigned)> {
        return
            [function, alias, arguments = copied<Parameters...>(parameters, std::index_sequence_for<Parameters...>())](
                unsigned x, unsigned y, unsigned width) {
              bool valid = true;
              const auto local = std::apply(
                  [&](const Parameters&... values) {
                    return std::tuple<Parameters...>{translated(values, alias, valid)...};
                  },
                  arguments);
              if (!valid) return false;
              std::apply([&](const Parameters&... values) { function(Block<Threads>(x, y, width), values...); }, local);
              return true;
            };
      }};
}

std::map<std::string, Twin> all_twins() {
  std::map<std::string, Twin> twins;
#define MITRA_TWIN(number, function, T, threads) twins.emplace("mitra_" #number, twin(&function<T>));
  MITRA_HIP_KERNELS(MITRA_TWIN)
#undef MITRA_TWIN
  return twins;
}

}  // namespace

const Twin* find_twin(const std::string& kernel) {
  static const std::map<std::string, Twin> twins = all_twins();
  const auto found = twins.find(kernel);
  return found == twins.end() ? nullptr : &found->second;
}

}  // namespace mitra::test
