// Flow: platform file -> [StarPU platform] -> StarPU machine.

#include "model/starpu_platform.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <mitra/error.hpp>

#include "model/text_lines.hpp"

namespace mitra::model {
namespace {

/// <name key="value" ...>, </name>, or <name ... />.
struct Tag {
  std::size_t line = 1;
  std::string_view name;  ///< With a '/' in front where it closes.
  std::vector<std::pair<std::string_view, std::string_view>> attributes;
  bool closed = false;    ///< Ends with "/>".
};

/// Tag after tag of an XML file; declarations and comments are passed over.
class TagReader {
 public:
  TagReader(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  std::optional<Tag> next() {
    while (true) {
      pass_to('<');
      if (text_.empty()) return std::nullopt;
      if (text_.starts_with("<!--"))
        pass_over("-->");
      else if (text_.starts_with("<?") || text_.starts_with("<!"))
        pass_over(">");
      else
        return tag();
    }
  }

  [[noreturn]] void refuse(std::size_t line, std::string_view why) const {
    throw ConfigError(detail::message(file_, ':', line, ": ", why));
  }
  [[noreturn]] void refuse_end(std::string_view why) const { refuse(line_, why); }
  std::string attribute(const Tag& tag, std::string_view key) const {
    for (const auto& [name, value] : tag.attributes)
      if (name == key) return std::string(value);
    refuse(tag.line, detail::message('<', tag.name, "> without ", key, "=\"...\""));
  }
  /// "6010679672.23Bps" as a number.
  double quantity(const Tag& tag, std::string_view key, std::string_view unit) const {
    const std::string text = attribute(tag, key);
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || std::string_view(end, text.data() + text.size()) != unit || !std::isfinite(value) ||
        value < 0.0)
      refuse(tag.line, detail::message(key, "=\"", text, "\": a number with the unit ", unit, " is expected"));
    return value;
  }

 private:
  void advance(std::size_t count) {
    line_ += static_cast<std::size_t>(std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(count), '\n'));
    text_.remove_prefix(count);
  }
  void pass_to(char c) { advance(std::min(text_.find(c), text_.size())); }
  void pass_over(std::string_view mark) {
    const std::size_t at = text_.find(mark);
    if (at == std::string_view::npos) refuse(line_, detail::message("the file ends where ", mark, " is expected"));
    advance(at + mark.size());
  }
  std::string_view word() {
    const std::size_t end = std::min(text_.find_first_of(" \t\r\n=/>\"'<"), text_.size());
    const std::string_view found = text_.substr(0, end);
    advance(end);
    return found;
  }
  void pass_blank() { advance(std::min(text_.find_first_not_of(" \t\r\n"), text_.size())); }

  Tag tag() {
    Tag tag{line_, {}, {}, false};
    advance(1);
    const std::string_view start = text_;
    if (text_.starts_with('/')) advance(1);
    const std::string_view name = word();
    if (name.empty()) refuse(tag.line, "a name is expected behind <");
    tag.name = start.substr(0, static_cast<std::size_t>(name.data() + name.size() - start.data()));
    while (true) {
      pass_blank();
      if (text_.starts_with("/>")) {
        tag.closed = true;
        advance(2);
        return tag;
      }
      if (text_.starts_with('>')) {
        advance(1);
        return tag;
      }
      const std::string_view key = word();
      if (key.empty() || !text_.starts_with('=')) refuse(line_, detail::message("key=\"value\", /> or > is expected in <", tag.name, '>'));
      advance(1);
      if (!text_.starts_with('"') && !text_.starts_with('\'')) refuse(line_, "a value in quotes is expected behind =");
      const std::size_t end = text_.find(text_.front(), 1);
      if (end == std::string_view::npos) refuse(line_, "the quotes are not closed");
      tag.attributes.emplace_back(key, text_.substr(1, end - 1));
      advance(end + 1);
    }
  }

  std::string_view text_;
  const std::string file_;
  std::size_t line_ = 1;
};

}  // namespace

Bytes StarpuPlatform::memory_size(std::string_view host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? Bytes() : found->second;
}

const StarpuPlatform::Way* StarpuPlatform::find_way(const std::string& from, const std::string& to) const {
  const auto found = ways_.find({from, to});
  return found == ways_.end() ? nullptr : &found->second;
}

StarpuPlatform parse_starpu_platform(std::string_view text, std::string_view file) {
  StarpuPlatform platform;
  TagReader reader(text, file);
  Bytes* memory = nullptr;                // of the host that is open
  StarpuPlatform::Way* way = nullptr;     // that is open
  bool closed = false, symmetrical = false;
  std::pair<std::string, std::string> ends;
  while (const auto tag = reader.next()) {
    if (closed) reader.refuse(tag->line, "nothing is expected behind </platform>");
    if (tag->name == "host") {
      Bytes& size = platform.hosts_[reader.attribute(*tag, "id")];
      memory = tag->closed ? nullptr : &size;
    } else if (tag->name == "/host") {
      memory = nullptr;
    } else if (tag->name == "prop" && memory != nullptr) {
      if (reader.attribute(*tag, "id") != "memsize") continue;
      const double size = reader.quantity(*tag, "value", "");
      if (size > 0x1p60) reader.refuse(tag->line, "no memory is so large");
      *memory = Bytes(static_cast<std::uint64_t>(size));
    } else if (tag->name == "link") {
      const StarpuPlatform::Link link{reader.quantity(*tag, "bandwidth", "Bps"), reader.quantity(*tag, "latency", "s")};
      if (link.bandwidth == 0.0) reader.refuse(tag->line, "a link of 0 Bps never transfers anything");
      if (!platform.links_.emplace(reader.attribute(*tag, "id"), link).second)
        reader.refuse(tag->line, "a second link of this name");
    } else if (tag->name == "route") {
      ends = {reader.attribute(*tag, "src"), reader.attribute(*tag, "dst")};
      symmetrical = true;
      for (const auto& [key, value] : tag->attributes) symmetrical = symmetrical && !(key == "symmetrical" && value == "NO");
      const auto [place, is_new] = platform.ways_.try_emplace(ends);
      if (!is_new) reader.refuse(tag->line, detail::message("a second route from ", ends.first, " to ", ends.second));
      way = tag->closed ? nullptr : &place->second;
    } else if (tag->name == "link_ctn") {
      if (way == nullptr) reader.refuse(tag->line, "<link_ctn> outside of a <route>");
      const std::string name = reader.attribute(*tag, "id");
      if (platform.links_.find(name) == platform.links_.end())
        reader.refuse(tag->line, detail::message("there is no link '", name, "' above"));
      way->links.push_back(name);
    } else if (tag->name == "/route") {
      if (way == nullptr) reader.refuse(tag->line, "no <route> is open");
      if (symmetrical && ends.first != ends.second) {
        StarpuPlatform::Way back = *way;
        std::ranges::reverse(back.links);
        platform.ways_.try_emplace({ends.second, ends.first}, std::move(back));
      }
      way = nullptr;
    } else if (tag->name == "/platform") {
      closed = true;
    }
  }
  if (!closed) reader.refuse_end("the file ends where </platform> is expected");
  return platform;
}

StarpuPlatform read_starpu_platform(const std::string& path) { return parse_starpu_platform(read_text(path), path); }

}  // namespace mitra::model
