// The program around each runtime: reads the call, runs once to warm up, then times and prints each repetition.
// Flow: [main] -> pattern -> sibling. Thread-safety: main thread only.

#include "peer.hpp"

#include <sched.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <iostream>
#include <thread>

namespace peer {
namespace {

constexpr std::string_view kUsage =
    "[--pattern independent|independent_data|chain|stencil_1d|cholesky] [--mode submit|replay] [--workers N]\n"
    "  [--tasks N] [--width W] [--steps T] [--tiles T] [--kernel empty|busy|compute] [--iterations N]\n"
    "  [--repeat R] [--verify] [--option KEY=VALUE] [--rate]";

std::string join(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : ", ") + word;
  return line;
}

template <class Number>
Number parse_number(std::string_view option, std::string_view text, Number least) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least)
    throw UsageError(std::string(option) + " takes a whole number from " + std::to_string(least) + " on, not '" +
                     std::string(text) + "'");
  return number;
}

std::size_t parse_word(std::string_view option, std::string_view word, const std::vector<std::string>& known) {
  for (std::size_t i = 0; i < known.size(); ++i)
    if (known[i] == word) return i;
  throw UsageError(std::string(option) + " is one of " + join(known) + ", not '" + std::string(word) + "'");
}

void parse_choice(std::string_view text, const Description& runtime, Options& options) {
  const std::size_t equals = text.find('=');
  std::vector<std::string> keys;
  for (const Choice& choice : runtime.choices) {
    keys.push_back(choice.key);
    if (equals == std::string_view::npos || text.substr(0, equals) != choice.key) continue;
    const std::string_view value = text.substr(equals + 1);
    parse_word("--option " + choice.key, value, choice.values);
    options.choices[choice.key] = value;
    return;
  }
  throw UsageError("--option takes KEY=VALUE, not '" + std::string(text) + "'; keys of " + std::string(runtime.name) +
                   ": " + (keys.empty() ? "none" : join(keys)));
}

Options parse(const std::vector<std::string_view>& words, const Description& runtime) {
  Options options;
  for (const Choice& choice : runtime.choices) options.choices[choice.key] = choice.values.front();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view option = words[i];
    if (option == "--verify" || option == "--rate") {
      (option == "--rate" ? options.rate : options.verify) = true;
      continue;
    }
    const auto value = [&] {
      if (i + 1 == words.size()) throw UsageError(std::string(option) + " lacks its value");
      return words[++i];
    };
    constexpr std::uint64_t kOne = 1;
    if (option == "--pattern")
      options.pattern = value();
    else if (option == "--mode")
      options.replay = parse_word(option, value(), {"submit", "replay"}) == 1;
    else if (option == "--workers")
      options.workers = parse_number(option, value(), 1);
    else if (option == "--tasks")
      options.tasks = parse_number(option, value(), kOne);
    else if (option == "--width")
      options.width = parse_number(option, value(), kOne);
    else if (option == "--steps")
      options.steps = parse_number(option, value(), kOne);
    else if (option == "--tiles")
      options.tiles = parse_number(option, value(), kOne);
    else if (option == "--kernel")
      options.kernel = static_cast<Kernel>(parse_word(option, value(), {"empty", "busy", "compute"}));
    else if (option == "--iterations")
      options.iterations = parse_number(option, value(), kOne);
    else if (option == "--repeat")
      options.repeat = parse_number(option, value(), 1);
    else if (option == "--option")
      parse_choice(value(), runtime, options);
    else
      throw UsageError("unknown option '" + std::string(option) + "'");
  }
  if (options.replay && !runtime.replays)
    throw UsageError(std::string(runtime.name) + " does not re-run graphs: it has no --mode replay");
  return options;
}

void print_line(const Description& runtime, const Options& options, std::size_t tasks, Seconds seconds,
                double kernel_rate) {
  std::printf(R"({"runtime": "%.*s")", static_cast<int>(runtime.name.size()), runtime.name.data());
  for (const auto& [key, value] : options.choices) std::printf(R"(, "%s": "%s")", key.c_str(), value.c_str());
  const double count = static_cast<double>(tasks);
  std::printf(R"(, "pattern": "%s", "mode": "%s", "workers": %d, "tasks": %zu, "seconds": %.9f, "ns_per_task": %.2f)",
              options.pattern.c_str(), options.replay ? "replay" : "submit", options.workers, tasks, seconds.count(),
              seconds.count() * 1e9 / count);
  if (options.kernel == Kernel::compute)
    std::printf(R"(, "iterations": %llu, "flops_per_second": %.6g, "kernel_flops_per_second": %.6g)",
                static_cast<unsigned long long>(options.iterations), flops_per_task(options) * count / seconds.count(),
                kernel_rate);
  std::printf("%s}\n", options.verify ? R"(, "verified": true)" : "");
  std::fflush(stdout);
}

// For --rate: how fast each core is just now, all busy at once and without any runtime. On a virtual machine a neighbour
// may halve it, and nothing else shows that.
void print_rates(int workers) {
  std::vector<double> rates(static_cast<std::size_t>(workers));
  std::vector<std::thread> threads;
  for (std::size_t core = 0; core < rates.size(); ++core)
    threads.emplace_back([&rates, core] {
      bind_to_core(core);
      rates[core] = measure_kernel_flops_per_second();
    });
  for (std::thread& thread : threads) thread.join();
  std::printf(R"({"kernel_flops_per_second": [)");
  for (std::size_t i = 0; i < rates.size(); ++i) std::printf("%s%.6g", i ? ", " : "", rates[i]);
  std::printf("]}\n");
}

void run(const Description& runtime, const Options& options) {
  if (options.rate) return print_rates(options.workers);
  const Pattern pattern(options);
  set_bodies(options, pattern);
  // Before the runtime starts, so that no idle worker of it competes for the core's clock or caches.
  const double kernel_rate = options.kernel == Kernel::compute ? measure_kernel_flops_per_second() : 0.0;
  const std::unique_ptr<Peer> peer = make_peer(options, pattern);
  for (int repetition = 0; repetition <= options.repeat; ++repetition) {  // the first one warms up
    if (options.verify) begin_verification();
    const Seconds seconds = options.replay ? peer->replay() : peer->submit();
    if (options.verify) end_verification();
    if (repetition > 0) print_line(runtime, options, pattern.tasks(), seconds, kernel_rate);
  }
}

}  // namespace

void bind_to_core(std::size_t number) {
  static const std::vector<int> cores = [] {
    cpu_set_t allowed;
    sched_getaffinity(getpid(), sizeof allowed, &allowed);
    std::vector<int> found;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &allowed)) found.push_back(cpu);
    return found;
  }();
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cores[number % cores.size()], &one);
  sched_setaffinity(0, sizeof one, &one);  // 0: the calling thread
}

}  // namespace peer

int main(int argc, char** argv) {
  const peer::Description runtime = peer::describe();
  try {
    peer::run(runtime, peer::parse({argv + 1, argv + argc}, runtime));
    return 0;
  } catch (const peer::UsageError& error) {
    std::cerr << "peer_" << runtime.name << ": " << error.what() << "\nusage: peer_" << runtime.name << ' '
              << peer::kUsage << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "peer_" << runtime.name << ": " << error.what() << '\n';
    return 1;
  }
}
