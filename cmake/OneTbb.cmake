# Whether teams of cores are made by oneTBB: MITRA_WITH_TBB, as the option MITRA_TBB and what is installed say.
# Sanitizers do not see through oneTBB's library: they get teams of plain threads, unless it is insisted on.

set(MITRA_WITH_TBB OFF)
string(TOUPPER "${MITRA_TBB}" tbb_wanted)
if(tbb_wanted STREQUAL "AUTO")
  if(NOT MITRA_SANITIZE)
    find_package(TBB QUIET)
    if(TARGET TBB::tbb)
      set(MITRA_WITH_TBB ON)
    else()
      message(STATUS "oneTBB is missing (libtbb-dev): teams of cores are made of plain threads")
    endif()
  endif()
elseif(tbb_wanted)
  find_package(TBB REQUIRED)
  set(MITRA_WITH_TBB ON)
endif()
