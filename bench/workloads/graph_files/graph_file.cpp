// Flow: file -> [graph file] -> one of the formats.

#include "workloads/graph_files/graph_file.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <mitra/error.hpp>

#include "workloads/graph_files/formats.hpp"

namespace mitra::workloads {
namespace {

struct Format {
  GraphFormat format;
  std::string_view suffix;
  TaskGraph (*read)(std::string_view text, const std::string& file);
};

constexpr std::array<Format, 4> kFormats{{{GraphFormat::stg, ".stg", read_stg},
                                          {GraphFormat::wfformat, ".json", read_wfformat},
                                          {GraphFormat::starpu_tasks, ".rec", read_starpu_tasks},
                                          {GraphFormat::mitra, ".mgraph", read_mitra_graph}}};

bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

}  // namespace

bool is_graph_file_name(std::string_view name) {
  return std::ranges::any_of(kFormats, [&](const Format& format) { return name.ends_with(format.suffix); });
}

GraphFormat graph_format(const std::string& path, std::string_view text) {
  for (const Format& format : kFormats)
    if (path.ends_with(format.suffix)) return format.format;
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos) {
    const std::string_view rest = text.substr(start);
    if (rest.starts_with("mgraph ")) return GraphFormat::mitra;
    if (rest.front() == '{') return GraphFormat::wfformat;
    const auto end = std::ranges::find_if_not(rest, is_letter_or_digit);
    const std::string_view word(rest.begin(), end);
    if (!word.empty() && end != rest.end() && *end == ':') return GraphFormat::starpu_tasks;
    if (!word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; })) return GraphFormat::stg;
  }
  throw Error(path + ": not a graph file; known are Standard Task Graph (.stg), WfFormat 1.5 (.json), StarPU's tasks.rec "
                     "(.rec) and Mitra's recorded graphs (.mgraph)");
}

TaskGraph read_graph_text(std::string_view text, GraphFormat format, const std::string& name) {
  const auto known = std::ranges::find(kFormats, format, &Format::format);
  TaskGraph graph = known->read(text, name);
  graph.name = std::filesystem::path(name).filename().string();
  return graph;
}

TaskGraph read_graph_file(const std::string& path) {
  // A directory opens like a file.
  if (std::filesystem::is_directory(path)) throw Error(path + ": a directory, not a graph file");
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(path + ": cannot be opened: " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) throw Error(path + ": cannot be read: " + std::strerror(errno));
  return read_graph_text(text, graph_format(path, text), path);
}

}  // namespace mitra::workloads
