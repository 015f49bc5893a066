// The functions of rocBLAS, as the double answers them: plain loops, run by the streams.
#include <algorithm>
#include <utility>

#include "state.hpp"

namespace mitra::test {

using State = HipDouble::State;

namespace {

using namespace mitra::hip;

/// What rocBLAS makes of an error of HIP.
BlasStatus status_of(hipError_t error) {
  switch (error) {
    case hipSuccess:
      return BlasStatus::success;
    case hipErrorOutOfMemory:
      return BlasStatus::memory_error;
    case hipErrorInvalidHandle:
      return BlasStatus::invalid_handle;
    case hipErrorNotSupported:
      return BlasStatus::not_implemented;
    default:
      return BlasStatus::internal_error;
  }
}

std::size_t size(std::int32_t n) { return static_cast<std::size_t>(std::max(n, 0)); }

/// Entry (i, j) of op(A).
template <class T>
T entry(const T* a, std::size_t ld, BlasOperation op, std::size_t i, std::size_t j) {
  return op == BlasOperation::none ? a[i + j * ld] : a[j + i * ld];
}
template <class T>
T scaled(T beta, const T& c) {
  return beta == T(0) ? T(0) : beta * c;
}

template <class T>
State::Matrix matrix(const T* address, std::size_t rows, std::size_t columns, std::int32_t ld) {
  return {address, rows, columns, size(ld), sizeof(T)};
}

template <class T>
BlasStatus gemm(State& state, const char* function, BlasHandle handle, BlasOperation op_a, BlasOperation op_b, std::int32_t rows,
                std::int32_t columns, std::int32_t depth, const T* alpha, const T* a, std::int32_t lda, const T* b, std::int32_t ldb,
                const T* beta, T* c, std::int32_t ldc) {
  const std::size_t m = size(rows), n = size(columns), k = size(depth);
  const bool na = op_a == BlasOperation::none, nb = op_b == BlasOperation::none;
  return state.blas(function, handle,
                    {matrix(a, na ? m : k, na ? k : m, lda), matrix(b, nb ? k : n, nb ? n : k, ldb), matrix(c, m, n, ldc)},
                    [=, factor = *alpha, keep = *beta](const std::vector<void*>& at) {
                      const T* const x = static_cast<const T*>(at[0]);
                      const T* const y = static_cast<const T*>(at[1]);
                      for (std::size_t j = 0; j < n; ++j)
                        for (std::size_t i = 0; i < m; ++i) {
                          T sum(0);
                          for (std::size_t l = 0; l < k; ++l)
                            sum += entry(x, size(lda), op_a, i, l) * entry(y, size(ldb), op_b, l, j);
                          T& z = static_cast<T*>(at[2])[i + j * size(ldc)];
                          z = factor * sum + scaled(keep, z);
                        }
                    });
}

template <class T>
BlasStatus syrk(State& state, const char* function, BlasHandle handle, BlasFill fill, BlasOperation op_a, std::int32_t order,
                std::int32_t depth, const T* alpha, const T* a, std::int32_t lda, const T* beta, T* c, std::int32_t ldc) {
  const std::size_t n = size(order), k = size(depth);
  const bool none = op_a == BlasOperation::none;
  return state.blas(function, handle, {matrix(a, none ? n : k, none ? k : n, lda), matrix(c, n, n, ldc)},
                    [=, factor = *alpha, keep = *beta](const std::vector<void*>& at) {
                      const T* const x = static_cast<const T*>(at[0]);
                      for (std::size_t j = 0; j < n; ++j)
                        for (std::size_t i = 0; i < n; ++i) {
                          if (fill == BlasFill::lower ? i < j : i > j) continue;
                          T sum(0);
                          for (std::size_t l = 0; l < k; ++l)
                            sum += entry(x, size(lda), op_a, i, l) * entry(x, size(lda), op_a, j, l);
                          T& z = static_cast<T*>(at[1])[i + j * size(ldc)];
                          z = factor * sum + scaled(keep, z);
                        }
                    });
}

/// op(A) X = alpha B, or X op(A) = alpha B: by substitution, in the order in which op(A)'s triangle gives the unknowns.
template <class T>
BlasStatus trsm(State& state, const char* function, BlasHandle handle, BlasSide side, BlasFill fill, BlasOperation op_a,
                BlasDiagonal diagonal, std::int32_t rows, std::int32_t columns, const T* alpha, const T* a, std::int32_t lda, T* b,
                std::int32_t ldb) {
  const std::size_t m = size(rows), n = size(columns), order = side == BlasSide::left ? m : n;
  return state.blas(
      function, handle, {matrix(a, order, order, lda), matrix(b, m, n, ldb)}, [=, factor = *alpha](const std::vector<void*>& at) {
        const T* const triangle = static_cast<const T*>(at[0]);
        T* const x = static_cast<T*>(at[1]);
        const bool left = side == BlasSide::left;
        // op(A) is lower: of a row of it, what lies left of the diagonal counts.
        const bool lower = (fill == BlasFill::lower) == (op_a == BlasOperation::none);
        const bool ascending = lower == left;
        const std::size_t others = left ? n : m;
        const auto unknown = [&](std::size_t i, std::size_t other) -> T& {
          return left ? x[i + other * size(ldb)] : x[other + i * size(ldb)];
        };
        for (std::size_t other = 0; other < others; ++other)
          for (std::size_t s = 0; s < order; ++s) {
            const std::size_t i = ascending ? s : order - 1 - s;
            T value = factor * unknown(i, other);
            for (std::size_t t = 0; t < s; ++t) {
              const std::size_t j = ascending ? t : order - 1 - t;
              value -= (left ? entry(triangle, size(lda), op_a, i, j) : entry(triangle, size(lda), op_a, j, i)) * unknown(j, other);
            }
            unknown(i, other) = diagonal == BlasDiagonal::unit ? value : value / triangle[i + i * size(lda)];
          }
      });
}

}  // namespace

// ------------------------------------------------------------------------------------------------ handles

State::Handle* State::find(BlasHandle handle) {
  for (const auto& h : handles)
    if (static_cast<void*>(h.get()) == static_cast<void*>(handle)) return h.get();
  return nullptr;
}

BlasStatus State::blas_answer(hipError_t error) {
  static_cast<void>(leave(error));
  return status_of(error);
}

BlasStatus State::rocblas_create_handle(BlasHandle* handle) {
  const Lock lock(mutex);
  if (const hipError_t error = enter("rocblas_create_handle", current()); error != hipSuccess) return blas_answer(error);
  handles.push_back(std::make_unique<Handle>());
  handles.back()->device = current();
  *handle = reinterpret_cast<BlasHandle>(handles.back().get());
  return blas_answer(hipSuccess);
}

BlasStatus State::rocblas_destroy_handle(BlasHandle handle) {
  const Lock lock(mutex);
  Handle* const h = find(handle);
  if (h == nullptr) {
    complain("rocblas_destroy_handle of what is no handle");
    return BlasStatus::invalid_handle;
  }
  // It frees memory, in its stream's order or after it.
  Stream* const s = find(h->stream);
  if (h->stream != nullptr && s == nullptr) complain("rocblas_destroy_handle after its stream is gone");
  if (s != nullptr && !s->operations.empty()) complain("rocblas_destroy_handle while its kernels run");
  if (current() != h->device) complain("rocblas_destroy_handle with another device current");
  const hipError_t error = enter("rocblas_destroy_handle", h->device);
  std::erase_if(handles, [&](const auto& other) { return other.get() == h; });
  return blas_answer(error);
}

BlasStatus State::rocblas_set_stream(BlasHandle handle, hipStream_t stream) {
  const Lock lock(mutex);
  Handle* const h = find(handle);
  Stream* const s = find(stream);
  if (h == nullptr || s == nullptr || s->device != h->device) {
    complain("rocblas_set_stream with a stream of another device, or with none");
    return BlasStatus::invalid_handle;
  }
  if (const hipError_t error = enter("rocblas_set_stream", h->device); error != hipSuccess) return blas_answer(error);
  h->stream = stream;
  return blas_answer(hipSuccess);
}

BlasStatus State::rocblas_set_atomics_mode(BlasHandle handle, BlasAtomics mode) {
  const Lock lock(mutex);
  Handle* const h = find(handle);
  if (h == nullptr) return BlasStatus::invalid_handle;
  if (const hipError_t error = enter("rocblas_set_atomics_mode", h->device); error != hipSuccess) return blas_answer(error);
  h->atomics = mode == BlasAtomics::allowed;
  return blas_answer(hipSuccess);
}

const char* State::rocblas_status_to_string(BlasStatus status) {
  switch (status) {
    case BlasStatus::memory_error:
      return "rocblas_status_memory_error";
    case BlasStatus::invalid_handle:
      return "rocblas_status_invalid_handle";
    case BlasStatus::not_implemented:
      return "rocblas_status_not_implemented";
    case BlasStatus::internal_error:
      return "rocblas_status_internal_error";
    default:
      return "rocblas_status_of_the_double";
  }
}

// ------------------------------------------------------------------------------------------------ kernels

BlasStatus State::blas(const char* function, BlasHandle handle, std::vector<Matrix> matrices,
                       std::function<void(const std::vector<void*>&)> run) {
  const Lock lock(mutex);
  Handle* const h = find(handle);
  Stream* const s = h == nullptr ? nullptr : find(h->stream);
  if (s == nullptr) {
    complain(std::string(function) + " with a handle that is none, or has no stream");
    return BlasStatus::invalid_handle;
  }
  if (current() != h->device) complain(std::string(function) + " with another device current");
  if (h->atomics) complain(std::string(function) + " with a handle that may give other bits on every run");
  if (const hipError_t error = enter(function, h->device); error != hipSuccess) return blas_answer(error);
  for (const Matrix& m : matrices) {
    if (m.address == nullptr) return BlasStatus::invalid_pointer;
    if (m.ld < std::max<std::size_t>(1, m.rows)) return BlasStatus::invalid_size;
  }
  Operation operation;
  operation.counts = true;
  operation.what.kind = Executed::Kind::kernel;
  operation.what.kernel = function;
  operation.what.target = matrices.back().address;
  operation.duration = options.latency;
  operation.run = [this, device = h->device, matrices = std::move(matrices), run = std::move(run)] {
    std::vector<void*> at;
    {
      const Lock inner(mutex);
      for (const Matrix& m : matrices) {
        int owner = -1;
        const std::size_t extent = m.columns == 0 ? 0 : ((m.columns - 1) * m.ld + m.rows) * m.size;
        std::byte* const alias = alias_of(m.address, extent, owner);
        if (owner != device && !devices[static_cast<std::size_t>(device)].peers.contains(owner)) return hipErrorIllegalAddress;
        at.push_back(alias);
      }
    }
    run(at);
    return hipSuccess;
  };
  push(*s, std::move(operation));
  static_cast<void>(leave(options.blas_degraded ? hipErrorOutOfMemory : hipSuccess));
  return options.blas_degraded ? BlasStatus::perf_degraded : BlasStatus::success;
}

#define MITRA_DOUBLE_BLAS(T, gemm_name, syrk_name, trsm_name)                                                                   \
  BlasStatus State::gemm_name(BlasHandle handle, BlasOperation op_a, BlasOperation op_b, std::int32_t m, std::int32_t n,        \
                              std::int32_t k, const T* alpha, const T* a, std::int32_t lda, const T* b, std::int32_t ldb,       \
                              const T* beta, T* c, std::int32_t ldc) {                                                          \
    return gemm<T>(*this, #gemm_name, handle, op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                        \
  }                                                                                                                             \
  BlasStatus State::syrk_name(BlasHandle handle, BlasFill fill, BlasOperation op_a, std::int32_t n, std::int32_t k,             \
                              const T* alpha, const T* a, std::int32_t lda, const T* beta, T* c, std::int32_t ldc) {            \
    return syrk<T>(*this, #syrk_name, handle, fill, op_a, n, k, alpha, a, lda, beta, c, ldc);                                   \
  }                                                                                                                             \
  BlasStatus State::trsm_name(BlasHandle handle, BlasSide side, BlasFill fill, BlasOperation op_a, BlasDiagonal diagonal,       \
                              std::int32_t m, std::int32_t n, const T* alpha, const T* a, std::int32_t lda, T* b,               \
                              std::int32_t ldb) {                                                                               \
    return trsm<T>(*this, #trsm_name, handle, side, fill, op_a, diagonal, m, n, alpha, a, lda, b, ldb);                         \
  }
MITRA_DOUBLE_BLAS(double, rocblas_dgemm, rocblas_dsyrk, rocblas_dtrsm)
MITRA_DOUBLE_BLAS(float, rocblas_sgemm, rocblas_ssyrk, rocblas_strsm)

}  // namespace mitra::test
