// The command line program `mitra`: every way out of it ends here, as a line on standard error and an exit status.
// Flow: [main] -> command line -> call. Thread-safety: main thread.

#include <cstdio>
#include <exception>

#include <mitra/error.hpp>

#include "call.hpp"
#include "command_line.hpp"

int main(int argc, char** argv) {
  using mitra::tool::Status;
  const auto say = [](const char* what) { std::fprintf(stderr, "mitra: %s\n", what); };
  Status status = Status::done;
  try {
    const auto calls = mitra::tool::calls();
    if (mitra::tool::Call* call = mitra::tool::read_command_line(argc, argv, calls)) status = call->execute();
  } catch (const mitra::ConfigError& error) {
    say(error.what());
    status = Status::wrong_call;
  } catch (const std::bad_alloc&) {
    say("out of memory: choose a smaller size");
    status = Status::failed;
  } catch (const std::exception& error) {
    say(error.what());
    status = Status::failed;
  }
  // A result that could not be written, on a full disk for example, is no result.
  if (std::fflush(stdout) != 0 && status == Status::done) {
    std::perror("mitra: standard output");
    status = Status::failed;
  }
  return static_cast<int>(status);
}
