// All that an application includes.
#pragma once

#include <mitra/access.hpp>
#include <mitra/any_accesses.hpp>
#include <mitra/codelet.hpp>
#include <mitra/config.hpp>
#include <mitra/data.hpp>
#include <mitra/error.hpp>
#include <mitra/machine.hpp>
#include <mitra/reduction.hpp>
#include <mitra/runtime.hpp>
#include <mitra/task.hpp>
#include <mitra/team.hpp>
#include <mitra/types.hpp>
#include <mitra/view.hpp>
