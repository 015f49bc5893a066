// A rocBLAS that notes how it is called. Its numbers and types are those of the documentation, written down once more: no header of
// Mitra is included, so that what both agree on is the ABI.
#include <cstddef>
#include <initializer_list>
#include <vector>

namespace {
std::vector<double> noted;
int note(std::initializer_list<double> values) {
  noted.assign(values);
  return 0;
}
}  // namespace

extern "C" {

const double* mitra_test_noted(std::size_t* count) {
  *count = noted.size();
  return noted.data();
}

int rocblas_create_handle(void** handle) {
  static int object;
  *handle = &object;
  return note({1});
}
int rocblas_destroy_handle(void*) { return note({2}); }
int rocblas_set_stream(void*, void*) { return note({3}); }
int rocblas_set_atomics_mode(void*, int mode) { return note({static_cast<double>(mode)}); }
#if !defined(MITRA_TEST_LACKING)
const char* rocblas_status_to_string(int status) { return status == 5 ? "rocblas_status_memory_error" : "another one"; }
#endif

#define MITRA_TEST_BLAS(T, gemm, syrk, trsm)                                                                                   \
  int gemm(void*, int op_a, int op_b, int m, int n, int k, const T* alpha, const T* a, int lda, const T* b, int ldb,          \
           const T* beta, T* c, int ldc) {                                                                                    \
    return note({double(op_a), double(op_b), double(m), double(n), double(k), double(*alpha), double(*a), double(lda),        \
                 double(*b), double(ldb), double(*beta), double(*c), double(ldc)});                                           \
  }                                                                                                                           \
  int syrk(void*, int fill, int op_a, int n, int k, const T* alpha, const T* a, int lda, const T* beta, T* c, int ldc) {      \
    return note({double(fill), double(op_a), double(n), double(k), double(*alpha), double(*a), double(lda), double(*beta),    \
                 double(*c), double(ldc)});                                                                                   \
  }                                                                                                                           \
  int trsm(void*, int side, int fill, int op_a, int diagonal, int m, int n, const T* alpha, const T* a, int lda, T* b,        \
           int ldb) {                                                                                                         \
    return note({double(side), double(fill), double(op_a), double(diagonal), double(m), double(n), double(*alpha),            \
                 double(*a), double(lda), double(*b), double(ldb)});                                                          \
  }
MITRA_TEST_BLAS(double, rocblas_dgemm, rocblas_dsyrk, rocblas_dtrsm)
MITRA_TEST_BLAS(float, rocblas_sgemm, rocblas_ssyrk, rocblas_strsm)
}
