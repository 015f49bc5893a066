// How content that lies on devices alone came about, so that it can be made again when a device is lost: every task that
// wrote it is kept, with the content that it read, until a copy has arrived in the host's memory.
// Flow: live memory -> [lineage] -> recovery. Thread-safety: serialised, the lock of live memory.
#pragma once

#include <cstdint>
#include <utility>
#include <span>
#include <string>
#include <vector>

#include <mitra/detail/task_header.hpp>

#include "memory/memory_manager.hpp"

namespace mitra::engine {

struct Deed;

/// The content of a datum between two writes. It is safe while its bytes lie in the host's memory: at the datum's home, or
/// in a buffer of its own, where they were put because the home was needed for later content.
struct Version {
  Deed* made_by = nullptr;   ///< Null: by a host task, or it is safe, or nobody knows.
  std::uint32_t datum = 0;
  Bytes size;
  std::uint32_t holders = 0;  ///< Its datum, if it is the current one, and deeds that read it.
  void* saved = nullptr;      ///< Packed.
  bool at_home = false;
  bool safe() const { return at_home || saved != nullptr; }
};

/// A task that a device has run: what it read and wrote.
struct Deed {
  struct Part {
    std::uint32_t datum = 0;
    Bytes size;
    Version *in = nullptr, *out = nullptr;  // null: it reads none; it writes none, or nobody needs this deed for it any more
    bool writes = false;
  };
  detail::TaskHeader* task = nullptr;       ///< Its record is kept.
  std::uint64_t number = 0;                 ///< Later deeds have larger ones.
  std::uint32_t unsafe = 0;                 ///< Outs that nobody could have back without it.
  std::vector<Part> parts;
  std::vector<std::int32_t> part_of_access; ///< -1: scratch; -2: no data
};

/// What the lineage needs of those around it.
class LineageClient {
 public:
  virtual ~LineageClient() = default;
  virtual Bytes bytes_of(std::uint32_t datum) = 0;
  /// Copies the datum's home to, or from, packed memory.
  virtual void pack_home(std::uint32_t datum, void* to) = 0;
  /// Takes the memory away from home as it is, and gives the datum other memory there. @returns Null: it has to be copied.
  virtual void* exchange_home(std::uint32_t datum) = 0;
  virtual void* take_memory(Bytes size) = 0;
  virtual void give_memory(void* memory, Bytes size) = 0;
  /// Runs the task's CPU body on this memory. @throws what it throws
  virtual void run_again(detail::TaskHeader& task, std::span<void* const> addresses) = 0;
  /// What home may do without asking may be something else.
  virtual void version_released(std::uint32_t datum) = 0;
};

class Lineage {
 public:
  explicit Lineage(LineageClient& client) : client_(client) {}
  ~Lineage();

  void grow(std::uint32_t numbers) { data_.resize(std::max<std::size_t>(data_.size(), numbers)); }
  /// The datum goes: nobody can ask for its content again.
  /// @param may_exchange  Its home may be taken away for what deeds have read of it; otherwise it is copied.
  void forget(std::uint32_t datum, bool may_exchange = true);

  /// A device's task is over. @param reexecutable  It may be run again; otherwise nobody can make what it wrote but it.
  void ran_on_device(detail::TaskHeader& task, std::span<const memory::Use> uses, std::vector<std::int32_t> part_of_access, bool reexecutable);
  /// A host task is about to write what lies at home. What deeds have read of it is put aside.
  void keep_home_content(std::uint32_t datum, bool may_exchange = false);
  /// The home is about to be overwritten: by a copy of the current content. The same, and it holds nothing until it arrives.
  void before_home_changes(std::uint32_t datum, bool may_exchange);
  /// The home holds the current content.
  void arrived_home(std::uint32_t datum);
  /// A host task has written it.
  void written_at_home(std::uint32_t datum);
  /// What its deed refers to is about to be gone: from now on nobody can make the current content again.
  void lose_deed(std::uint32_t datum) {
    if (Version* const version = data_[datum].current) release_deed(version);
  }
  /// @returns Whether a deed has read what lies at home, and may have to read it again.
  bool home_is_needed(std::uint32_t datum) const {
    const Version* home = data_[datum].home;
    return home != nullptr && home->holders > (home == data_[datum].current ? 1U : 0U);
  }
  /// @returns Whether the host's memory has the current content, or there is none.
  bool is_safe(std::uint32_t datum) const { return data_[datum].current == nullptr || data_[datum].current->safe(); }

  /// Makes the current content of these data again. @returns Those of which that is impossible, with the reason in `why`.
  /// Afterwards each of the others has its content in `saved` or at home: @see take_recovered.
  std::vector<std::uint32_t> recover(std::span<const std::uint32_t> lost, std::string& why);
  /// @returns Packed memory with the current content; null: it is at home. The caller copies it home, then arrived_home().
  const void* recovered(std::uint32_t datum) const { return data_[datum].current == nullptr || data_[datum].current->at_home ? nullptr : data_[datum].current->saved; }

  /// @returns Tasks whose records are not needed any more, to be destroyed without the lock.
  std::vector<detail::TaskHeader*> take_dead() { return std::exchange(dead_, {}); }
  bool has_dead() const { return !dead_.empty(); }
  bool empty() const { return live_deeds_ == 0; }
  std::uint64_t recomputed() const { return recomputed_; }

 private:
  struct PerDatum {
    Version *current = nullptr, *home = nullptr;
  };
  Version* current(std::uint32_t datum, bool at_home);
  void let_go(Version* version);
  void release_deed(Version* version);
  void replace_current(std::uint32_t datum, Version* version);
  void run_again(Deed& deed);
  bool find_deeds(Version* wanted, std::vector<Deed*>& deeds, std::string& why);

  LineageClient& client_;
  std::vector<PerDatum> data_;
  std::vector<detail::TaskHeader*> dead_;
  std::vector<Version*> releasing_;  // holders to be given back
  std::uint64_t deeds_ = 0, live_deeds_ = 0, recomputed_ = 0;
};

}  // namespace mitra::engine
