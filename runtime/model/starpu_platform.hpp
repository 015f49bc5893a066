// The platform file that StarPU writes for SimGrid (HOST.platform.v4.xml): links, and the routes that share them.
// Flow: platform file -> [StarPU platform] -> StarPU machine. Thread-safety: a value.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <mitra/types.hpp>

namespace mitra::model {

class StarpuPlatform {
 public:
  struct Link {
    double bandwidth = 0.0;  ///< Bytes/s
    double latency = 0.0;    ///< Seconds
  };
  struct Way {
    std::vector<std::string> links;  ///< Names, in the file's order.
  };

  bool has_host(std::string_view name) const { return hosts_.find(name) != hosts_.end(); }
  /// @returns The size of a GPU's memory; 0: not said.
  Bytes memory_size(std::string_view host) const;
  /// @returns Null if there is no such route.
  const Way* find_way(const std::string& from, const std::string& to) const;
  /// @pre A way names it.
  const Link& link(std::string_view name) const { return links_.find(name)->second; }

 private:
  friend StarpuPlatform parse_starpu_platform(std::string_view text, std::string_view file);
  std::map<std::string, Bytes, std::less<>> hosts_;
  std::map<std::string, Link, std::less<>> links_;
  std::map<std::pair<std::string, std::string>, Way> ways_;
};

/// Reads the elements host, prop, link, route and link_ctn; others may be there. No entities, no CDATA: StarPU writes none.
/// @throws ConfigError with file, line and what was expected there; also for a route over a link that does not exist.
StarpuPlatform parse_starpu_platform(std::string_view text, std::string_view file);
StarpuPlatform read_starpu_platform(const std::string& path);

}  // namespace mitra::model
