// The books of a run: who has started and finished, who is inside of which datum, and every broken promise as a sentence.
// Flow: task bodies -> [books] -> tests. Thread-safety: thread-safe.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "oracle.hpp"

namespace mitra::property {

class Books {
 public:
  Books(const Program& program, const Oracle& oracle, std::size_t workers)
      : program_(program), oracle_(oracle), workers_(workers), entries_(program.tasks.size()), root_scope_(program.data) {
    for (std::size_t i = 0; i < program.tasks.size(); ++i) {
      entries_[i].scope = std::make_unique<Scope>(program.data);
      for (const std::size_t child : program.tasks[i].children) entries_[child].parent = &entries_[i];
    }
  }

  /// A body begins.
  void begin(std::size_t task) {
    Entry& entry = entries_[task];
    const int epoch = entry.started.fetch_add(1) + 1;
    if (!oracle_.runs(task)) report(task, "runs, though it was to be cancelled");
    for (const std::size_t before : oracle_.predecessors[task])
      if (entries_[before].finished < epoch) report(task, "runs before " + program_.tasks[before].name + ", which it follows");
    if (epoch > 1)
      for (const std::size_t other : oracle_.conflicts[task])
        if (entries_[other].finished < epoch - 1)
          report(task, "runs in a replay before " + program_.tasks[other].name + " has finished in the one before");
    if (depth()++ == 0 && active_.fetch_add(1) >= static_cast<int>(workers_)) report(task, "runs on more threads than workers");
    entry.open = 1;
    for (const AccessSpec& access : program_.tasks[task].accesses) scope_of(entry).enter(access, [&](const char* whom) {
      report(task, std::string("is inside of a datum together with ") + whom);
    });
  }
  /// The body is about to submit a child.
  void submits(std::size_t task, std::size_t child) {
    if (oracle_.runs(child)) entries_[task].open.fetch_add(1);
  }
  /// The body ends. Its children may still run: until they have finished, it has not.
  void end(std::size_t task) {
    if (--depth() == 0) active_.fetch_sub(1);
    close(task);
  }

  /// After a wait: everything has run `times` times, or not at all where it was cancelled.
  void expect_all(int times) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].started != (oracle_.runs(i) ? times : 0))
        report(i, "was started " + std::to_string(entries_[i].started) + " times");
      if (entries_[i].finished != entries_[i].started) report(i, "has not finished, nor have its children");
    }
  }
  void report(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    if (++problems_ <= 10) text_ += problem + '\n';
  }
  void report(std::size_t task, const std::string& what) { report(program_.tasks[task].name + ' ' + what); }
  std::string problems() {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  /// Who uses one datum among siblings.
  struct Users {
    std::atomic<int> readers{0}, writers{0}, commuters{0}, summers{0}, xorers{0};
  };
  class Scope {
   public:
    explicit Scope(std::size_t data) : users_(data) {}

    template <class Report>
    void enter(const AccessSpec& access, Report clash) {
      Users& users = users_[access.datum];
      std::atomic<int>& mine = counter(users, access);
      const bool alone = access.mode != AccessMode::read && access.mode != AccessMode::reduce;
      if (mine.fetch_add(1) != 0 && alone) clash("its like");
      if (&mine != &users.readers && users.readers != 0) clash("a reader");
      if (&mine != &users.writers && users.writers != 0) clash("a writer");
      if (&mine != &users.commuters && users.commuters != 0) clash("a commuting task");
      if (&mine != &users.summers && users.summers != 0) clash("a reduction by sum");
      if (&mine != &users.xorers && users.xorers != 0) clash("a reduction by exclusive or");
    }
    void leave(const AccessSpec& access) { counter(users_[access.datum], access).fetch_sub(1); }

   private:
    static std::atomic<int>& counter(Users& users, const AccessSpec& access) {
      switch (access.mode) {
        case AccessMode::read: return users.readers;
        case AccessMode::commute: return users.commuters;
        case AccessMode::reduce: return access.operation == Operation::sum ? users.summers : users.xorers;
        default: return users.writers;
      }
    }
    std::deque<Users> users_;
  };
  struct Entry {
    std::atomic<int> started{0}, finished{0};
    std::atomic<int> open{0};      // the body, and children that have not finished
    Entry* parent = nullptr;
    std::unique_ptr<Scope> scope;  // of its children
  };

  Scope& scope_of(const Entry& entry) { return entry.parent == nullptr ? root_scope_ : *entry.parent->scope; }
  void close(std::size_t task) {
    Entry& entry = entries_[task];
    if (entry.open.fetch_sub(1) != 1) return;
    for (const AccessSpec& access : program_.tasks[task].accesses) scope_of(entry).leave(access);
    entry.finished.fetch_add(1);
    if (entry.parent != nullptr) close(static_cast<std::size_t>(entry.parent - &entries_.front()));
  }
  static int& depth() {
    thread_local int value = 0;
    return value;
  }

  const Program& program_;
  const Oracle& oracle_;
  const std::size_t workers_;
  std::vector<Entry> entries_;
  Scope root_scope_;
  std::atomic<int> active_{0};
  std::mutex mutex_;
  std::string text_;
  int problems_ = 0;
};

}  // namespace mitra::property
