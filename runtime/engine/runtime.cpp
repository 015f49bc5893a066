// The parts of the front door that need an engine behind them.
// Flow: Runtime -> [runtime.cpp] -> task engine.
#include <mitra/runtime.hpp>

#include <mitra/error.hpp>

#include "engine/task_engine.hpp"

namespace mitra {

namespace {

std::unique_ptr<Engine> make_engine(const Config& config) {
  if (config.backend == "native" || config.backend == "sim") return std::make_unique<engine::TaskEngine>(config);
  throw ConfigError(detail::message("unknown backend '", config.backend, "'; known: native, sim (set by MITRA_BACKEND)"));
}

}  // namespace

Runtime::Runtime() : Runtime(Config::from_environment()) {}
Runtime::Runtime(const Config& config) : engine_(make_engine(config).release()) {}
Runtime::Runtime(std::unique_ptr<Engine> engine) : engine_(engine.release()) {}
Runtime::~Runtime() = default;
Runtime::Runtime(Runtime&&) noexcept = default;

detail::Parts Engine::partition(detail::DataHeader*, const detail::PartitionSpec&) {
  throw MisuseError("this engine does not cut data into parts");
}

detail::Parts detail::partition(DataHeader* whole, const PartitionSpec& spec) {
  if (whole == nullptr) throw MisuseError("the handle has no datum to be cut: it is empty or was moved from");
  if (whole->engine == nullptr) throw MisuseError("a datum is to be cut whose Runtime has ended");
  return whole->engine->partition(whole, spec);
}

TaskStatus Task::status() const { return engine_ == nullptr ? TaskStatus::done : engine_->status(*this); }
void Task::wait() const {
  if (engine_ != nullptr) engine_->wait(*this);
}
void Task::cancel() const {
  if (engine_ != nullptr) engine_->cancel(*this);
}

}  // namespace mitra
