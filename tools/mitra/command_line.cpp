// Flow: main -> [command line] -> call. Thread-safety: main thread.

#include "command_line.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <iostream>
#include <map>

#include <mitra/error.hpp>

#include "text.hpp"

namespace mitra::tool {
namespace {

std::uint64_t parse_number(const std::string& flags, const std::string& text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end)
    throw ConfigError(detail::message(flags, " takes a whole number, not '", text, "'"));
  return number;
}

void assign(const std::string&, const std::string& text, std::string& into) { into = text; }
void assign(const std::string& flags, const std::string& text, std::uint64_t& into) {
  into = parse_number(flags, text);
}
template <class Value>
void assign(const std::string& flags, const std::string& text, std::optional<Value>& into) {
  assign(flags, text, into.emplace());
}
template <class Value>
void assign(const std::string& flags, const std::string& text, std::vector<Value>& into) {
  into.clear();
  for (std::size_t start = 0, comma = 0; comma != std::string::npos; start = comma + 1) {
    comma = text.find(',', start);
    assign(flags, text.substr(start, comma == std::string::npos ? comma : comma - start), into.emplace_back());
  }
}

// Every value arrives as text: CLI11 would take "-1" for a large number, and each type that it converts costs
// seconds of compilation.
void declare(CLI::App& app, const Option& option) {
  const std::string& flags = option.flags;
  const auto add = [&](auto* into) {
    if constexpr (std::is_same_v<decltype(into), bool*>) {
      app.add_flag_callback(
             flags, [into] { *into = true; }, option.help)
          ->group(option.group);
    } else {
      const auto take = [into, flags](const std::string& text) { assign(flags, text, *into); };
      app.add_option_function<std::string>(flags, take, option.help)
          ->type_name(flags.starts_with("-") ? option.value : "")
          ->group(flags.starts_with("-") ? option.group : "Positionals");
    }
  };
  std::visit(add, option.into);
}

/// What the program knows at the place where the command line stopped making sense.
std::string known_at(const CLI::App& app, const std::string& path) {
  std::vector<std::string> names;
  if (!app.get_subcommands({}).empty()) {
    for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
    return "known calls of `" + path + "`: " + join(names);
  }
  for (const CLI::Option* option : app.get_options()) names.push_back(option->get_name());
  return "known options of `" + path + "`: " + join(names);
}

[[noreturn]] void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* reached = &app;
  std::string path = app.get_name();
  while (!reached->get_subcommands().empty()) {
    reached = reached->get_subcommands().front();
    path += " " + reached->get_name();
  }
  const std::vector<std::string> unknown = reached->remaining();
  const bool is_group = !reached->get_subcommands({}).empty();
  std::string what = error.what();
  if (is_group)
    what = unknown.empty() ? "`" + path + "` needs to know what to do" : "unknown call '" + unknown.front() + "'";
  else if (!unknown.empty())
    what = "unknown option '" + unknown.front() + "'";
  throw ConfigError(what + "; " + known_at(*reached, path) + " (more by `" + path + " --help`)");
}

}  // namespace

Call* read_command_line(int argc, const char* const* argv, const std::vector<std::unique_ptr<Call>>& calls) {
  CLI::App app(
      "Mitra: a task runtime for heterogeneous nodes. Runs task graphs on this machine, checks and times them.",
      "mitra");
  app.set_version_flag("--version", "mitra " MITRA_VERSION, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);

  Call* chosen = nullptr;
  std::map<std::string, CLI::App*> groups;
  std::string examples = "Examples:\n";
  for (const auto& call : calls) {
    CLI::App* parent = &app;
    std::string word = call->name();
    if (const std::size_t space = word.find(' '); space != std::string::npos) {
      CLI::App*& group = groups[word.substr(0, space)];
      if (group == nullptr) {
        group = app.add_subcommand(word.substr(0, space), "the built-in benchmarks")->require_subcommand(1);
      }
      parent = group;
      word.erase(0, space + 1);
    }
    CLI::App* sub = parent->add_subcommand(word, call->summary());
    sub->footer("Examples:\n" + call->examples());
    for (const Option& option : call->options()) declare(*sub, option);
    sub->callback([&chosen, own = call.get()] { chosen = own; });
    examples += call->examples().substr(0, call->examples().find('\n') + 1);
  }
  app.footer(examples +
             "Options win over the environment (MITRA_SCHEDULER, MITRA_WORKERS, ...). Exit status: 0 done, 1 the run "
             "failed, 2 the call is wrong.");

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    app.exit(asked, std::cout, std::cerr);
    return nullptr;
  } catch (const CLI::ParseError& error) {
    refuse(app, error);
  }
  return chosen;
}

}  // namespace mitra::tool
