// Flow: history model, imports -> [model store] -> file -> history model, `mitra models`.

#include <mitra/model_store.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <mitra/error.hpp>

#include "model/text_lines.hpp"

namespace mitra {
namespace {

[[noreturn]] void fail(const std::string& path, std::string_view what, int number) {
  throw ConfigError(detail::message(path, ": ", what, ": ", std::strerror(number)));
}

/// Holds the lock of a store as long as it lives. The lock is a file of its own, since the store is replaced as a whole.
class StoreLock {
 public:
  explicit StoreLock(const std::string& path) : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (file_ < 0) fail(path, "the lock cannot be opened", errno);
    while (flock(file_, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int number = errno;
      close(file_);
      fail(path, "the lock cannot be taken", number);
    }
  }
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;
  ~StoreLock() { close(file_); }

 private:
  const int file_;
};

/// Writes beside the file and renames: nobody ever sees a part of it. @pre The lock is held.
void replace(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  const int file = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) fail(beside, "cannot be written", errno);
  const auto give_up = [&] {
    const int number = errno;
    close(file);
    unlink(beside.c_str());
    fail(beside, "cannot be written", number);
  };
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = write(file, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) give_up();
    if (written > 0) done += static_cast<std::size_t>(written);
  }
  if (fsync(file) != 0) give_up();
  close(file);
  if (rename(beside.c_str(), path.c_str()) != 0) fail(path, "cannot be replaced", errno);
}

bool by_key(const TimingRecord& a, const TimingRecord& b) { return a.key < b.key; }

}  // namespace

void merge_into(ModelSet& set, const std::vector<TimingRecord>& records) {
  for (const TimingRecord& record : records) {
    const auto place = std::lower_bound(set.records.begin(), set.records.end(), record, by_key);
    if (place != set.records.end() && place->key == record.key)
      merge_into(*place, record);
    else
      set.records.insert(place, record);
  }
}

ModelSet load_models(const std::string& path) { return parse_models(model::read_text(path), path); }

void merge_models(const std::string& path, const ModelSet& news) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  if (error) throw ConfigError(detail::message(directory.string(), ": cannot be created: ", error.message()));

  const StoreLock lock(path + ".lock");
  ModelSet all{news.machine, {}};
  if (std::filesystem::exists(path)) all = load_models(path);
  if (all.machine != news.machine)
    throw ConfigError(detail::message(path, " holds the times of machine '", all.machine, "', these are of '", news.machine,
                                      "': name another file"));
  merge_into(all, news.records);
  const std::string text = write_models(all);
  parse_models(text, path + ".new");  // what could not be read again, such as a name that is not UTF-8, is not written
  replace(path, text);
}

std::string default_models_path(std::string_view xdg_cache_home, std::string_view home, std::string_view machine) {
  std::filesystem::path cache(xdg_cache_home);
  if (cache.empty()) {
    if (home.empty())
      throw ConfigError("there is no place for performance models: XDG_CACHE_HOME and HOME are not set; name a file");
    cache = std::filesystem::path(home) / ".cache";
  }
  // A machine's name may come from a file name, and is none here.
  std::string name(machine);
  std::replace(name.begin(), name.end(), '/', '_');
  return (cache / "mitra" / ("models-" + name + ".toml")).string();
}

std::string host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) fail("gethostname", "this machine has no name", errno);
  const std::string_view whole(name);
  return std::string(whole.substr(0, whole.find('.')));
}

}  // namespace mitra
