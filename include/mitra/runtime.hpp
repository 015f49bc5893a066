// The front door: register data, submit tasks, wait.
// Flow: application -> [Runtime] -> engine. Thread-safety: thread-safe.
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <mitra/config.hpp>
#include <mitra/data.hpp>
#include <mitra/detail/splitting.hpp>
#include <mitra/detail/submission.hpp>
#include <mitra/engine.hpp>
#include <mitra/error.hpp>
#include <mitra/recorded_graph.hpp>
#include <mitra/task.hpp>

namespace mitra {

/// Data lent to code that is not a task, in order with the tasks: they see what it writes, it sees what they wrote.
/// The loan ends with the guard. @thread one at a time. A guard may move to another thread, and end there; until it ends, the
/// thread or task that acquired it cannot wait.
template <class Kind, AccessMode Mode>
class Acquired {
 public:
  Acquired(Engine* engine, detail::Lease lease, detail::DataHeader* data) : engine_(engine), lease_(lease), data_(data) {}
  Acquired(Acquired&& other) noexcept : engine_(std::exchange(other.engine_, nullptr)), lease_(other.lease_), data_(other.data_) {}
  Acquired& operator=(Acquired&&) = delete;
  ~Acquired() { release(); }

  /// The same view that a task's body gets: View<const T> for read(), ...
  decltype(auto) view() const {
    if constexpr (reads_only(Mode))
      return Kind::make_const(lease_.address, data_->shape);
    else
      return Kind::make(lease_.address, data_->shape);
  }
  /// Ends the loan early.
  void release() noexcept {
    if (engine_ != nullptr) std::exchange(engine_, nullptr)->end_lease(lease_);
  }

 private:
  Engine* engine_;
  detail::Lease lease_;
  detail::DataHeader* data_;
};

namespace detail {

/// Deletes the engine, unless it is another Runtime's.
struct EngineRelease {
  bool owns = true;
  void operator()(Engine* engine) const {
    if (owns) delete engine;
  }
};

}  // namespace detail

/// A task runtime on this machine. Several may live in one process; they share nothing.
/// The destructor waits for all tasks; errors that no wait() has reported are dropped then.
class Runtime {
 public:
  /// This machine, as MITRA_* variables say. @throws ConfigError
  Runtime();
  /// Exactly this configuration; the environment is not asked. @throws ConfigError
  explicit Runtime(const Config& config);
  /// On an engine of your own.
  explicit Runtime(std::unique_ptr<Engine> engine);
  ~Runtime();
  Runtime(Runtime&&) noexcept;
  Runtime& operator=(Runtime&&) = delete;

  // ------------------------------------------------------------------------------------------------ data

  /// Lends a vector to the Runtime; the application keeps owning it, and must not resize it while the handle lives.
  template <class T, class Allocator>
  Vector<T> data(std::vector<T, Allocator>& values, std::string name = {}) {
    return vector(values.data(), values.size(), std::move(name));
  }
  /// Lends `size` contiguous elements.
  template <class T>
  Vector<T> vector(T* values, std::size_t size, std::string name = {}) {
    check_element<T>();
    return Vector<T>(engine_->add_data({values, {size, 1, size, sizeof(T), nullptr}, std::move(name)}));
  }
  /// A vector that Mitra allocates, at the first task that uses it; its elements are not initialised.
  template <class T>
  Vector<T> vector(std::size_t size, std::string name = {}) {
    return vector(static_cast<T*>(nullptr), size, std::move(name));
  }
  /// Lends one object: of any trivially copyable type, or of a type with mitra::DataTraits.
  template <class T>
  auto data(T& object, std::string name = {}) {
    if constexpr (CustomData<T>) {
      const auto storage = DataTraits<T>::storage(object);
      return Data<CustomKind<T>>(
          engine_->add_data({storage.data(), {storage.size(), 1, storage.size(), 1, &object}, std::move(name)}));
    } else {
      check_element<T>();
      return Object<T>(engine_->add_data({&object, {1, 1, 1, sizeof(T), nullptr}, std::move(name)}));
    }
  }
  /// Lends a column-major matrix with leading dimension `ld` >= rows. @throws MisuseError if ld < rows.
  template <class T>
  Matrix<T> matrix(T* values, std::size_t rows, std::size_t cols, std::size_t ld, std::string name = {}) {
    check_element<T>();
    check_matrix(rows, ld);
    return Matrix<T>(engine_->add_data({values, {rows, cols, ld, sizeof(T), nullptr}, std::move(name)}));
  }
  /// A matrix that Mitra allocates at first use; `.tiled(mb, nb)` on the result cuts it into tiles, each contiguous.
  template <class T>
  class NewMatrix {
   public:
    NewMatrix(Engine* engine, std::size_t rows, std::size_t cols, std::string name)
        : engine_(engine), rows_(rows), cols_(cols), name_(std::move(name)) {}
    TiledMatrix<T> tiled(std::size_t tile_rows, std::size_t tile_cols) const {
      return make_tiles<T>(*engine_, nullptr, rows_, cols_, 0, tile_rows, tile_cols, name_);
    }
    operator Matrix<T>() const {  // NOLINT: an untiled matrix is one datum
      return Matrix<T>(engine_->add_data({nullptr, {rows_, cols_, rows_, sizeof(T), nullptr}, name_}));
    }

   private:
    Engine* engine_;
    std::size_t rows_, cols_;
    std::string name_;
  };
  template <class T>
  NewMatrix<T> matrix(std::size_t rows, std::size_t cols, std::string name = {}) {
    check_element<T>();
    return {engine_.get(), rows, cols, std::move(name)};
  }
  /// Lends a column-major matrix in tiles of (tile_rows x tile_cols); the last ones may be smaller.
  template <class T>
  TiledMatrix<T> tiled(T* values, std::size_t rows, std::size_t cols, std::size_t ld, std::size_t tile_rows,
                       std::size_t tile_cols, std::string name = {}) {
    check_element<T>();
    check_matrix(rows, ld);
    return make_tiles<T>(*engine_, values, rows, cols, ld, tile_rows, tile_cols, name);
  }
  /// Cuts a matrix that is one datum, or a tile, into tiles. @see DataRef::tiled
  template <class T>
  TiledMatrix<T> tiled(const TileRef<T>& matrix, std::size_t tile_rows, std::size_t tile_cols) const {
    return matrix.tiled(tile_rows, tile_cols);
  }
  /// A dependency without data.
  Token token(std::string name = {}) { return Token(engine_->add_data({nullptr, {}, std::move(name)})); }
  /// A private buffer of `size` elements for each running task that asks for it; not initialised.
  template <class T>
  Scratch<VectorKind<T>> scratch(std::size_t size, std::string name = {}) {
    check_element<T>();
    return Scratch<VectorKind<T>>(engine_->add_data({nullptr, {size, 1, size, sizeof(T), nullptr}, std::move(name)}));
  }
  /// Moves a lent vector to other memory of the same size: for replays with changed pointers.
  /// @throws MisuseError if a task uses it, or if Mitra allocated it.
  template <class T>
  void rebind(const Vector<T>& vector, T* values) { engine_->rebind(vector.header(), values); }

  // ------------------------------------------------------------------------------------------------ tasks

  /// Submits a one-shot body: submit("axpy", body, X.read(), Y.readwrite(), 3.0).
  /// It runs once every earlier conflicting access has finished. It receives the views of the accesses and the values,
  /// in the order of the arguments; tokens give none.
  /// @returns  The task; ids grow in submission order and break scheduling ties.
  /// @throws   MisuseError for a handle of another Runtime, or one that the submitting task has not declared itself.
  /// @thread   thread-safe. What the caller wrote before submit() is visible to the body.
  /// @cost     O(accesses); measured by `mitra bench overhead`.
  /// @source   Sequential task flow: Agullo et al., https://inria.hal.science/hal-01618526
  template <class F, class... Args>
    requires(!detail::is_codelet<std::remove_cvref_t<F>>)
  Task submit(TaskName name, F&& body, Args&&... args) {
    return submit_body(name.text(), name.where(), 0, {}, std::forward<F>(body), std::forward<Args>(args)...);
  }
  /// Submits a task of a codelet: submit(gemm, A(i, k).read(), B(k, j).read(), C(i, j).readwrite()).
  /// @throws SubmitError if no worker of this machine implements the codelet.
  template <class Cpu, class Hip, class Cost, class Split, class... Args>
  Task submit(const Codelet<Cpu, Hip, Cost, Split>& codelet, Args&&... args) {
    return submit_codelet({}, 0, {}, codelet, std::forward<Args>(args)...);
  }
  /// The same with options: submit({.priority = 3, .after = {first}}, gemm, ...).
  template <class F, class... Args>
  Task submit(const TaskOptions& options, F&& body, Args&&... args) {
    if constexpr (detail::is_codelet<std::remove_cvref_t<F>>)
      return submit_codelet(options.where, options.priority, options.after, body, std::forward<Args>(args)...);
    else
      return submit_body(options.name != nullptr ? options.name : "task", options.where, options.priority, options.after,
                         std::forward<F>(body), std::forward<Args>(args)...);
  }

  /// Helps to execute until every task has finished; inside a task: every task that it has submitted.
  /// @throws TaskError  The first failure; the others are dropped with it, and the Runtime is usable again.
  /// @throws MisuseError while this thread holds an acquired datum, for which tasks may wait.
  void wait() { engine_->wait_all(); }
  /// Waits until the datum is not in use by any earlier task. @throws TaskError if one of them failed.
  template <class Kind>
  void wait(const DataRef<Kind>& data, SourceLocation where = SourceLocation::current()) {
    engine_->end_lease(engine_->begin_lease(detail::AccessWord(data.header(), AccessMode::readwrite), where, "wait"));
  }

  /// Lends a datum to this thread: auto x = rt.acquire(X.read()); x.view()[0].
  /// @throws TaskError if a task that had to come before failed.
  template <class Kind, AccessMode Mode>
  Acquired<Kind, Mode> acquire(Access<Kind, Mode> access) {
    static_assert(Mode == AccessMode::read || Mode == AccessMode::write || Mode == AccessMode::readwrite,
                  "mitra: acquire() takes read(), write() or readwrite()");
    return {engine_.get(), engine_->begin_lease(detail::AccessWord(access.data, Mode), access.where, "acquire"), access.data};
  }

  // ------------------------------------------------------------------------------------------------ recorded graphs

  /// Runs `submissions`, which calls submit() on this Runtime and thread; nothing executes, the tasks become a graph.
  /// @throws what `submissions` throws; MisuseError for a wait, an acquire or a replay in it.
  template <std::invocable F>
  RecordedGraph record(F&& submissions) {
    engine_->begin_recording();
    try {
      std::forward<F>(submissions)();
    } catch (...) {
      engine_->discard_recording();
      throw;
    }
    return RecordedGraph(engine_->end_recording());
  }
  /// Runs the graph once, in order with other tasks on the same data, as one task that can be waited for.
  /// Values of Parameters and memory given to rebind() are those of the moment.
  Task replay(const RecordedGraph& graph, SourceLocation where = SourceLocation::current()) {
    return engine_->replay(graph.storage(), where);
  }

  const Machine& machine() const { return engine_->machine(); }
  const Config& config() const { return engine_->config(); }
  Statistics statistics() const { return engine_->statistics(); }
  /// False: bodies do not run, and data have no values: backend `sim` without `execute`. For control flow that would read
  /// results, and for checks of them.
  bool executes() const { return engine_->executes(); }
  /// @returns What the run has come to so far, in virtual time; nothing if it is live.
  std::optional<SimulationReport> simulation() const { return engine_->simulation(); }
  /// From now on the report holds the graph itself, for bounds that look for their own paths (SimulationReport::bounds).
  void keep_graph() { engine_->keep_graph(); }
  /// What has run so far was preparation: the report starts again, at the virtual time of now. Nothing happens live.
  void restart_simulation() { engine_->restart_simulation(); }
  Engine& engine() { return *engine_; }

 private:
  template <class F, class... Args>
  Task submit_body(const char* name, SourceLocation where, int priority, std::span<const Task> after, F&& body,
                   Args&&... args) {
    using Function = std::decay_t<F>;
    static_assert(detail::CheckBody<Function, typename detail::GivenList<std::decay_t<Args>...>::type>::run());
    using Submission =
        detail::Submission<detail::OneShotBody<Function>, std::index_sequence_for<Args...>, std::decay_t<Args>...>;
    return Submission::submit(*engine_, name, where, priority, after, detail::OneShotBody<Function>{std::forward<F>(body)},
                              std::forward<Args>(args)...);
  }
  template <class Cpu, class Hip, class Cost, class Split, class... Args>
  Task submit_codelet(SourceLocation where, int priority, std::span<const Task> after,
                      const Codelet<Cpu, Hip, Cost, Split>& codelet, Args&&... args) {
    using Given = typename detail::GivenList<std::decay_t<Args>...>::type;
    using State = detail::CodeletState<Cpu, Hip, Cost, Split>;
    using Body = detail::CodeletBody<State>;
    static_assert(Body::has_cpu || Body::has_hip, "mitra: the codelet has no implementation: add .cpu(body) or .hip(body)");
    if constexpr (Body::has_cpu) static_assert(detail::CheckBody<typename detail::CpuSlot<Cpu>::function, Given>::run());
    if constexpr (Body::has_hip)
      static_assert(
          detail::CheckBody<Hip, typename detail::Concat<detail::TypeList<detail::GivenStream>, Given>::type>::run());
    if constexpr (Body::has_split) {
      static_assert(!(std::is_same_v<std::decay_t<Args>, AnyAccesses> || ...) && !(detail::is_reduction<std::decay_t<Args>> || ...),
                    "mitra: a task that can be split accesses its data with read(), write(), readwrite() or commute(), not with "
                    "reduce(), and not through AnyAccesses");
      static_assert(detail::CheckSplit<Split, Runtime, typename detail::SplitGivenList<std::decay_t<Args>...>::type>::run());
    }
    detail::keep_codelet(*engine_, codelet);
    if (where.line == 0) where = detail::first_location(where, args...);
    using Submission = detail::Submission<Body, std::index_sequence_for<Args...>, std::decay_t<Args>...>;
    return Submission::submit(*engine_, codelet.state()->name.c_str(), where, priority, after,
                              Body{codelet.state().get()}, std::forward<Args>(args)...);
  }

  template <class T>
  static void check_element() {
    static_assert(std::is_trivially_copyable_v<T>,
                  "mitra: data move between memories byte by byte: the type must be trivially copyable, or have a "
                  "specialisation of mitra::DataTraits");
    static_assert(!std::is_const_v<T>, "mitra: register the object itself; read() gives tasks a const view of it");
  }
  static void check_matrix(std::size_t rows, std::size_t ld) {
    if (ld < rows)
      throw MisuseError(detail::message("matrix: the leading dimension ", ld, " is smaller than the ", rows, " rows"));
  }
  template <class T>
  static TiledMatrix<T> make_tiles(Engine& engine, T* values, std::size_t rows, std::size_t cols, std::size_t ld,
                                   std::size_t tile_rows, std::size_t tile_cols, const std::string& name) {
    if (tile_rows == 0 || tile_cols == 0) throw MisuseError("matrix: a tile has at least one row and one column");
    std::vector<std::shared_ptr<detail::DataHeader>> tiles;
    for (std::size_t j = 0; j < cols; j += tile_cols)
      for (std::size_t i = 0; i < rows; i += tile_rows) {
        const std::size_t r = std::min(tile_rows, rows - i), c = std::min(tile_cols, cols - j);
        T* tile = values == nullptr ? nullptr : values + i + j * ld;
        tiles.push_back(engine.add_data({tile, {r, c, values == nullptr ? r : ld, sizeof(T), nullptr},
                                         detail::message(name, '(', i / tile_rows, ',', j / tile_cols, ')')}));
      }
    return {rows, cols, tile_rows, tile_cols, std::move(tiles)};
  }

  template <class F>
  friend void detail::with_runtime(Engine& engine, F&& f);
  explicit Runtime(Engine& borrowed) : engine_(&borrowed, detail::EngineRelease{false}) {}

  std::unique_ptr<Engine, detail::EngineRelease> engine_;
};

template <class F>
void detail::with_runtime(Engine& engine, F&& f) {
  Runtime rt(engine);
  std::forward<F>(f)(rt);
}

}  // namespace mitra
