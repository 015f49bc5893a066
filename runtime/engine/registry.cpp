#include <mitra/registry.hpp>

#include <dlfcn.h>

#include <algorithm>

#include "engine/registry.hpp"

namespace mitra {

namespace {

std::string known_names() {
  std::string list;
  for (const PolicyInfo* info : schedulers()) list += (list.empty() ? "" : ", ") + std::string(info->name);
  return list;
}

const PolicyInfo& find_builtin(const std::string& name) {
  for (const PolicyInfo* info : schedulers())
    if (name == info->name) return *info;
  throw ConfigError(detail::message("unknown scheduling policy '", name, "'; known: ", known_names(),
                                    ", FILE.so:NAME, or auto (set by MITRA_SCHEDULER)"));
}

const PolicyInfo& load_policy(const std::string& file, const std::string& name) {
  // The object stays loaded for the life of the process: its code runs in threads that nobody counts here.
  void* object = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) throw ConfigError(detail::message("scheduling policy '", file, ':', name, "': ", dlerror()));
  const std::string symbol = "mitra_scheduler_" + name;
  auto function = reinterpret_cast<PolicyInfoFunction>(dlsym(object, symbol.c_str()));
  if (function == nullptr)
    throw ConfigError(detail::message("scheduling policy '", file, ':', name, "': the object has no function ", symbol,
                                      "; register the policy with MITRA_SCHEDULER(", name, ", ...)"));
  const PolicyInfo* info = function();
  if (info->abi != kPolicyAbi)
    throw ConfigError(detail::message("scheduling policy '", file, ':', name, "' was built for policy interface ", info->abi,
                                      ", this library has ", kPolicyAbi, "; rebuild it"));
  return *info;
}

}  // namespace

std::vector<const PolicyInfo*> schedulers() {
  std::vector<const PolicyInfo*> result;
  for (PolicyInfoFunction function : detail::builtin_schedulers()) result.push_back(function());
  std::sort(result.begin(), result.end(),
            [](const PolicyInfo* a, const PolicyInfo* b) { return std::string_view(a->name) < b->name; });
  return result;
}

std::string default_scheduler(const Machine& machine) {
  const bool has_devices = std::ranges::any_of(machine.classes, [](const WorkerClass& c) { return c.kind != WorkerKind::cpu; });
  return has_devices ? "dmdas" : "locality_ws";
}

std::unique_ptr<SchedulingPolicy> make_scheduler(std::string_view description) {
  const std::string text(description);
  // NAME, NAME:k=v,..., FILE.so:NAME, FILE.so:NAME:k=v,...
  const std::size_t object_end = text.find(".so:");
  std::string file, rest = text;
  if (object_end != std::string::npos) {
    file = text.substr(0, object_end + 3);
    rest = text.substr(object_end + 4);
  } else if (text.ends_with(".so")) {
    throw ConfigError(detail::message("scheduling policy '", text, "': name the policy in the file, as in ", text, ":NAME"));
  }
  const std::size_t colon = rest.find(':');
  const std::string name = rest.substr(0, colon);
  const PolicyInfo& info = file.empty() ? find_builtin(name) : load_policy(file, name);

  std::map<std::string, std::string, std::less<>> values;
  for (const PolicyParameter& parameter : info.parameters) values[parameter.name] = parameter.value;
  std::string list;
  for (const auto& [key, value] : values) list += (list.empty() ? "" : ", ") + key;
  if (list.empty()) list = "none";
  for (std::size_t at = colon; at != std::string::npos;) {
    const std::size_t next = rest.find(',', at + 1);
    const std::string pair = rest.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos)
      throw ConfigError(detail::message("scheduling policy '", name, "': '", pair, "' is not key=value; parameters: ", list));
    const auto place = values.find(pair.substr(0, equals));
    if (place == values.end())
      throw ConfigError(detail::message("scheduling policy '", name, "' has no parameter '", pair.substr(0, equals),
                                        "'; parameters: ", list));
    place->second = pair.substr(equals + 1);
    at = next;
  }
  return info.make(PolicyArguments(std::move(values)));
}

}  // namespace mitra
