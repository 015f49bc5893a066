// Environment variables for the time of a test.
// Flow: test -> [environment] -> Config::from_environment. Thread-safety: one thread, while no other reads the environment.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

namespace mitra::test {

/// Sets a variable, and restores what it was. A null value removes it.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { set(old_ ? old_->c_str() : nullptr); }

 private:
  void set(const char* value) {
    if (value != nullptr)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace mitra::test
