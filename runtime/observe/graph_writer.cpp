// Flow: graph recorder -> [graph writer] -> file.
#include "observe/graph_writer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include <mitra/error.hpp>

namespace mitra::observe {

namespace {

std::string_view short_name(AccessMode mode) {
  switch (mode) {
    case AccessMode::read: return "r";
    case AccessMode::write: return "w";
    case AccessMode::readwrite: return "rw";
    case AccessMode::commute: return "commute";
    case AccessMode::reduce: return "reduce";
    case AccessMode::scratch: return "scratch";
  }
  throw Error("write_graph: an access has no mode");
}

void put_quoted(std::string& text, std::string_view name) {
  text += '"';
  for (const char c : name) {
    switch (c) {
      case '"': text += "\\\""; break;
      case '\\': text += "\\\\"; break;
      case '\n': text += "\\n"; break;
      case '\r': text += "\\r"; break;
      case '\t': text += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < ' ' || c == 127)
          fmt::format_to(std::back_inserter(text), "\\x{:02x}", static_cast<unsigned char>(c));
        else
          text += c;
    }
  }
  text += '"';
}

void put_task(std::string& text, const TaskGraph& graph, std::size_t number) {
  const GraphTask& task = graph.tasks[number];
  auto out = std::back_inserter(text);
  text += "task ";
  put_quoted(text, task.name);
  if (task.priority != 0) fmt::format_to(out, " priority={}", task.priority);
  for (std::size_t i = 0; i < task.after.size(); ++i) {
    if (task.after[i] >= number)
      throw Error(detail::message("write_graph: task ", number, " ('", task.name, "') comes after task ", task.after[i], ", which is not before it"));
    fmt::format_to(out, "{}{}", i == 0 ? " after=" : ",", task.after[i]);
  }
  for (std::size_t i = 0; i < task.accesses.size(); ++i) {
    const GraphAccess& access = task.accesses[i];
    if (access.datum >= graph.data.size())
      throw Error(detail::message("write_graph: task ", number, " ('", task.name, "') accesses datum ", access.datum, " of ", graph.data.size()));
    fmt::format_to(out, "{}{}:{}", i == 0 ? " access=" : ",", short_name(access.mode), access.datum);
  }
  const auto put_amount = [&](std::string_view key, double value) {
    if (!(value >= 0.0) || !std::isfinite(value))
      throw Error(detail::message("write_graph: task ", number, " ('", task.name, "') has ", key, '=', value));
    if (value != 0.0) fmt::format_to(out, " {}={}", key, value);
  };
  put_amount("flops", task.flops);
  put_amount("bytes", task.bytes);
  put_amount("seconds", task.seconds);
  put_amount("gpu_seconds", task.gpu_seconds);
  text += '\n';
}

/// A name beside `path` that no other writer uses.
std::string name_beside(const std::string& path) {
  static std::atomic<unsigned> last{0};
  return fmt::format("{}.{}.{}.part", path, ::getpid(), last.fetch_add(1, std::memory_order_relaxed));
}

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw Error(path + ": the graph cannot be written: " + what + ": " + std::strerror(errno));
}

}  // namespace

std::string write_graph(const TaskGraph& graph) {
  std::string text = "mgraph 1\n";
  for (const GraphDatum& datum : graph.data) {
    text += "datum ";
    put_quoted(text, datum.name);
    fmt::format_to(std::back_inserter(text), " {} {} {}\n", datum.rows, datum.cols, datum.element_size);
  }
  for (std::size_t t = 0; t < graph.tasks.size(); ++t) put_task(text, graph, t);
  fmt::format_to(std::back_inserter(text), "end {} {}\n", graph.data.size(), graph.tasks.size());
  return text;
}

void write_graph_file(const TaskGraph& graph, const std::string& path) {
  const std::string text = write_graph(graph), part = name_beside(path);
  errno = 0;
  std::ofstream out(part, std::ios::binary);
  if (!out) fail(path, "open");
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out || std::rename(part.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::remove(part.c_str());
    errno = error;
    fail(path, out ? "rename" : "write");
  }
}

void check_graph_file(const std::string& path) {
  const std::string part = name_beside(path);
  if (std::filesystem::is_directory(path)) throw Error(path + ": the graph cannot be written: it is a directory");
  errno = 0;
  if (!std::ofstream(part, std::ios::binary)) fail(path, "open");
  std::remove(part.c_str());
}

}  // namespace mitra::observe
