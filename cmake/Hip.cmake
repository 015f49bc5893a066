# The driver of AMD GPUs. Only the headers of HIP are needed to build it: the library is loaded when a driver is made, so that
# Mitra links nothing of HIP, and runs where there is none. Kernels are compiled where hipcc is found.

if(NOT MITRA_HIP MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "MITRA_HIP=${MITRA_HIP}: AUTO, ON or OFF is expected")
endif()

find_path(MITRA_HIP_INCLUDE_DIR hip/hip_runtime_api.h
  HINTS ENV ROCM_PATH ENV HIP_PATH PATHS /opt/rocm PATH_SUFFIXES include
  DOC "The headers of HIP")
find_program(MITRA_HIPCC hipcc HINTS ENV ROCM_PATH ENV HIP_PATH PATHS /opt/rocm PATH_SUFFIXES bin
  DOC "The compiler for the kernels of the HIP driver")
mark_as_advanced(MITRA_HIP_INCLUDE_DIR MITRA_HIPCC)

set(MITRA_WITH_HIP OFF)
if(MITRA_HIP STREQUAL "ON" AND NOT MITRA_HIP_INCLUDE_DIR)
  message(FATAL_ERROR "MITRA_HIP=ON, and hip/hip_runtime_api.h is not found; install libamdhip64-dev (Debian) or hip-dev (ROCm), "
    "or set ROCM_PATH")
elseif(NOT MITRA_HIP STREQUAL "OFF" AND MITRA_HIP_INCLUDE_DIR)
  set(MITRA_WITH_HIP ON)
endif()

# mitra_hip_kernels(OUTPUT)
# Compiles backends/hip/kernels/kernels.hip for MITRA_HIP_TARGETS, and makes OUTPUT, a source with the code object's bytes.
function(mitra_hip_kernels output)
  set(code "${PROJECT_BINARY_DIR}/generated/hip_kernels.co")
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/backends/hip/kernels/*")
  set(targets "")
  foreach(target IN LISTS MITRA_HIP_TARGETS)
    list(APPEND targets "--offload-arch=${target}")
  endforeach()
  # The sanitizers and flags of the host are not for GPUs.
  add_custom_command(OUTPUT "${code}"
    COMMAND "${MITRA_HIPCC}" -std=c++20 -O3 -Wall -Wextra --genco ${targets}
      "${PROJECT_SOURCE_DIR}/backends/hip/kernels/kernels.hip" -o "${code}"
    DEPENDS ${sources}
    COMMENT "Compiling HIP kernels for ${MITRA_HIP_TARGETS}"
    VERBATIM)
  add_custom_command(OUTPUT "${output}"
    COMMAND "${CMAKE_COMMAND}" "-DINPUT=${code}" "-DOUTPUT=${output}" -P "${PROJECT_SOURCE_DIR}/cmake/EmbedKernels.cmake"
    DEPENDS "${code}" "${PROJECT_SOURCE_DIR}/cmake/EmbedKernels.cmake"
    COMMENT "Embedding HIP kernels"
    VERBATIM)
endfunction()

if(MITRA_WITH_HIP)
  mitra_layer(backend_hip backends/hip LIBRARIES ${CMAKE_DL_LIBS})
  target_include_directories(mitra_backend_hip SYSTEM PRIVATE "${MITRA_HIP_INCLUDE_DIR}")
  set(hip_kernels "${PROJECT_BINARY_DIR}/generated/hip_kernels.cpp")
  if(MITRA_HIPCC)
    mitra_hip_kernels("${hip_kernels}")
  else()
    message(STATUS "hipcc is missing: the HIP driver is built without kernels of its own")
    set(INPUT "")
    set(OUTPUT "${hip_kernels}")
    include(EmbedKernels)
  endif()
  target_sources(mitra_backend_hip PRIVATE "${hip_kernels}")
  target_include_directories(mitra_backend_hip PRIVATE "${PROJECT_SOURCE_DIR}/backends/hip")
else()
  if(MITRA_HIP STREQUAL "AUTO")
    message(STATUS "The headers of HIP are missing (libamdhip64-dev): Mitra is built without its driver of AMD GPUs")
  endif()
  mitra_layer(backend_hip backends/without_hip)
endif()
