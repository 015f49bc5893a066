// Data handles: what the application registers, and where accesses come from.
// Flow: Runtime::data -> [handle] -> access -> Runtime::submit. Thread-safety: handles are values; reading one is thread-safe.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <mitra/source_location.hpp>
#include <type_traits>
#include <utility>
#include <vector>

#include <mitra/access.hpp>
#include <mitra/detail/data_header.hpp>
#include <mitra/detail/partition.hpp>
#include <mitra/error.hpp>
#include <mitra/reduction.hpp>
#include <mitra/view.hpp>

namespace mitra {

/// How a type of your own is lent to tasks: specialise it with
///   using view = ...; using const_view = ...;                        what a body receives
///   static std::span<std::byte> storage(T& object);                  its one contiguous block of memory
///   static view make(std::byte* base, const T& original);            a view of `base`, shaped like `original`
///   static const_view make(const std::byte* base, const T& original);
template <class T>
struct DataTraits;

template <class T>
concept CustomData = requires(T& object, std::byte* base) {
  typename DataTraits<T>::view;
  typename DataTraits<T>::const_view;
  { DataTraits<T>::storage(object).data() } -> std::convertible_to<std::byte*>;
  { DataTraits<T>::make(base, object) } -> std::same_as<typename DataTraits<T>::view>;
};

/// Kinds of data: which views they have, and how an address and a shape become one.
template <class T>
struct VectorKind {
  using view = View<T>;
  using const_view = View<const T>;
  static view make(void* p, const detail::Shape& s) { return {static_cast<T*>(p), s.rows}; }
  static const_view make_const(const void* p, const detail::Shape& s) { return {static_cast<const T*>(p), s.rows}; }
};

template <class T>
struct TileKind {
  using view = Tile<T>;
  using const_view = Tile<const T>;
  static view make(void* p, const detail::Shape& s) { return {static_cast<T*>(p), s.rows, s.cols, s.ld}; }
  static const_view make_const(const void* p, const detail::Shape& s) {
    return {static_cast<const T*>(p), s.rows, s.cols, s.ld};
  }
};

template <class T>
struct ObjectKind {
  using view = T&;
  using const_view = const T&;
  static view make(void* p, const detail::Shape&) { return *static_cast<T*>(p); }
  static const_view make_const(const void* p, const detail::Shape&) { return *static_cast<const T*>(p); }
};

template <CustomData T>
struct CustomKind {
  using view = typename DataTraits<T>::view;
  using const_view = typename DataTraits<T>::const_view;
  static view make(void* p, const detail::Shape& s) {
    return DataTraits<T>::make(static_cast<std::byte*>(p), *static_cast<const T*>(s.object));
  }
  static const_view make_const(const void* p, const detail::Shape& s) {
    return DataTraits<T>::make(static_cast<const std::byte*>(p), *static_cast<const T*>(s.object));
  }
};

/// A dependency without data: bodies receive no argument for it.
struct TokenKind {};

template <class T>
class TiledMatrix;
template <class T>
class BlockedVector;
template <class Kind>
class Windows;

namespace detail {
/// @throws MisuseError if the datum has none, or its Runtime has ended.
Parts partition(DataHeader* whole, const PartitionSpec& spec);

template <class Kind> struct ElementOf { using type = void; };
template <class T> struct ElementOf<VectorKind<T>> { using type = T; };
template <class T> struct ElementOf<TileKind<T>> { using type = T; };
template <class Kind> inline constexpr bool is_vector = false;
template <class T> inline constexpr bool is_vector<VectorKind<T>> = true;
template <class Kind> inline constexpr bool is_matrix = false;
template <class T> inline constexpr bool is_matrix<TileKind<T>> = true;
}  // namespace detail

/// A datum by reference: makes accesses, does not own. A tile `A(i, j)` is one.
template <class Kind>
class DataRef {
 public:
  using kind = Kind;
  using location = SourceLocation;
  DataRef() = default;
  explicit DataRef(detail::DataHeader* header) : header_(header) {}

  Access<Kind, AccessMode::read> read(location at = location::current()) const { return {header_, nullptr, at}; }
  Access<Kind, AccessMode::write> write(location at = location::current()) const { return {header_, nullptr, at}; }
  Access<Kind, AccessMode::readwrite> readwrite(location at = location::current()) const { return {header_, nullptr, at}; }
  Access<Kind, AccessMode::commute> commute(location at = location::current()) const { return {header_, nullptr, at}; }
  /// The body adds to a private copy that starts as the operation's identity; the copies are folded into the datum
  /// before the next access of another mode. `Operation`: mitra::Sum, Product, Minimum, Maximum, or one like them.
  template <class Operation>
  Access<Kind, AccessMode::reduce> reduce(Operation, location at = location::current()) const {
    return {header_, &detail::reduce_operation<Kind, Operation>, at};
  }

  /// @returns Elements in a column, and columns; 1 x 1 for an object, 0 x 0 for a token.
  /// @throws MisuseError for an empty handle.
  std::size_t rows() const { return shape().rows; }
  std::size_t cols() const { return shape().cols; }
  /// @returns Number of elements.
  std::size_t size() const { return rows() * cols(); }
  Bytes bytes() const { return shape().bytes(); }

  detail::DataHeader* header() const { return header_; }

  // Partitions: parts that are data of their own, and lie where the whole lies. Accesses to a datum and to its parts are
  // ordered as accesses to one datum are; the runtime gathers and splits where that takes more than order. Parts can be cut
  // again, and one datum in several ways; the same cut again gives the same parts. They live as long as the whole does.

  /// Cuts a matrix, or a tile, into tiles of tile_rows x tile_cols; the last ones may be smaller.
  /// @throws MisuseError for tiles without rows or columns.
  template <class K = Kind>
    requires detail::is_matrix<K>
  TiledMatrix<typename detail::ElementOf<K>::type> tiled(std::size_t tile_rows, std::size_t tile_cols) const;
  /// Cuts a vector into blocks of `size` elements; the last one may be smaller.
  template <class K = Kind>
    requires detail::is_vector<K>
  BlockedVector<typename detail::ElementOf<K>::type> blocked(std::size_t size) const;
  /// Blocks with `halo` elements more on each side, where there are any: they overlap, and can only be read.
  template <class K = Kind>
    requires detail::is_vector<K>
  Windows<K> windows(std::size_t size, std::size_t halo) const;
  /// Tiles with `halo` rows and columns more on each side, where there are any: they overlap, and can only be read.
  template <class K = Kind>
    requires detail::is_matrix<K>
  Windows<K> windows(std::size_t tile_rows, std::size_t tile_cols, std::size_t halo) const;

 protected:
  const detail::Shape& shape() const {
    if (header_ == nullptr) throw MisuseError("the handle has no datum: it is empty or was moved from");
    return header_->shape;
  }
  detail::DataHeader* header_ = nullptr;
};

/// A datum that a Runtime manages, shared by the copies of this handle. The last copy's destructor waits for the tasks
/// that use the datum: memory lent to tasks never goes away under them. Errors of these tasks stay for Runtime::wait().
template <class Kind>
class Data : public DataRef<Kind> {
 public:
  Data() = default;
  explicit Data(std::shared_ptr<detail::DataHeader> owner) : DataRef<Kind>(owner.get()), owner_(std::move(owner)) {}
  Data(const Data&) = default;
  Data& operator=(const Data&) = default;
  /// The handle moved from is empty.
  Data(Data&& other) noexcept : DataRef<Kind>(std::exchange(other.header_, nullptr)), owner_(std::move(other.owner_)) {}
  Data& operator=(Data&& other) noexcept {
    this->header_ = std::exchange(other.header_, nullptr);
    owner_ = std::move(other.owner_);
    return *this;
  }
  ~Data() = default;
  const std::shared_ptr<detail::DataHeader>& owner() const { return owner_; }

 private:
  std::shared_ptr<detail::DataHeader> owner_;
};

/// A private buffer for each task that asks for it: only scratch() can be accessed.
template <class Kind>
class Scratch {
 public:
  using kind = Kind;
  explicit Scratch(std::shared_ptr<detail::DataHeader> owner) : owner_(std::move(owner)) {}
  Access<Kind, AccessMode::scratch> scratch(SourceLocation at = SourceLocation::current()) const {
    return {owner_.get(), nullptr, at};
  }

 private:
  std::shared_ptr<detail::DataHeader> owner_;
};

using Token = Data<TokenKind>;
template <class T>
using Vector = Data<VectorKind<T>>;
template <class T>
using Object = Data<ObjectKind<T>>;
template <class T>
using Matrix = Data<TileKind<T>>;
template <class T>
using TileRef = DataRef<TileKind<T>>;
template <class T>
using VectorRef = DataRef<VectorKind<T>>;

/// A matrix cut into tiles: each tile is a datum of its own, a part of a matrix or, where Mitra allocates tiles, alone. Tile (i, j) covers rows i*tile_rows .. and columns j*tile_cols ..
template <class T>
class TiledMatrix {
 public:
  TiledMatrix() = default;
  TiledMatrix(std::size_t rows, std::size_t cols, std::size_t tile_rows, std::size_t tile_cols,
              const std::vector<std::shared_ptr<detail::DataHeader>>& tiles)
      : TiledMatrix(rows, cols, tile_rows, tile_cols, owned(tiles)) {}
  TiledMatrix(std::size_t rows, std::size_t cols, std::size_t tile_rows, std::size_t tile_cols, detail::Parts tiles)
      : rows_(rows), cols_(cols), tile_rows_(tile_rows), tile_cols_(tile_cols),
        grid_rows_((rows + tile_rows - 1) / tile_rows), tiles_(std::move(tiles)) {}

  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  std::size_t tile_rows() const { return tile_rows_; }
  std::size_t tile_cols() const { return tile_cols_; }
  /// @returns The number of tiles in a column, and in a row.
  std::size_t grid_rows() const { return grid_rows_; }
  std::size_t grid_cols() const { return grid_rows_ == 0 ? 0 : tiles_.count / grid_rows_; }

  /// @throws MisuseError outside of the grid.
  template <std::integral I, std::integral J>
  TileRef<T> operator()(I i, J j) const {
    // Negative numbers become large ones.
    if (static_cast<std::size_t>(i) >= grid_rows() || static_cast<std::size_t>(j) >= grid_cols()) [[unlikely]]
      throw MisuseError(detail::message("tile (", i, ", ", j, ") is outside of the grid of ", grid_rows(), " x ", grid_cols(), " tiles"));
    return TileRef<T>(tiles_.data[static_cast<std::size_t>(j) * grid_rows_ + static_cast<std::size_t>(i)]);
  }

 private:
  static detail::Parts owned(const std::vector<std::shared_ptr<detail::DataHeader>>& tiles) {
    struct Owner {
      std::vector<std::shared_ptr<detail::DataHeader>> shares;
      std::vector<detail::DataHeader*> headers;
    };
    auto owner = std::make_shared<Owner>(Owner{tiles, {}});
    for (const auto& tile : tiles) owner->headers.push_back(tile.get());
    detail::DataHeader* const* const headers = owner->headers.data();
    return {std::move(owner), headers, tiles.size()};
  }

  std::size_t rows_ = 0, cols_ = 0, tile_rows_ = 1, tile_cols_ = 1, grid_rows_ = 0;
  detail::Parts tiles_;  // column-major
};

/// A vector cut into blocks: each is a datum of its own, a part of the vector.
template <class T>
class BlockedVector {
 public:
  BlockedVector() = default;
  BlockedVector(std::size_t block, detail::Parts blocks) : block_(block), blocks_(std::move(blocks)) {}

  /// @returns The number of blocks.
  std::size_t size() const { return blocks_.count; }
  /// @returns Elements in a block, but for the last one.
  std::size_t block() const { return block_; }
  /// @throws MisuseError if there are not so many.
  template <std::integral I>
  VectorRef<T> operator()(I i) const {
    if (static_cast<std::size_t>(i) >= size()) [[unlikely]]
      throw MisuseError(detail::message("block ", i, " is outside of the ", size(), " blocks"));
    return VectorRef<T>(blocks_.data[static_cast<std::size_t>(i)]);
  }

 private:
  std::size_t block_ = 1;
  detail::Parts blocks_;
};

/// One of several parts that overlap: it can be read, and not be written.
template <class Kind>
class WindowRef : private DataRef<Kind> {
 public:
  using kind = Kind;
  using DataRef<Kind>::DataRef;
  using DataRef<Kind>::read;
  using DataRef<Kind>::rows;
  using DataRef<Kind>::cols;
  using DataRef<Kind>::size;
  using DataRef<Kind>::bytes;
  using DataRef<Kind>::header;

  template <class K = Kind> auto write() const { return refuse<K>(); }
  template <class K = Kind> auto readwrite() const { return refuse<K>(); }
  template <class K = Kind> auto commute() const { return refuse<K>(); }
  template <class Operation> auto reduce(Operation) const { return refuse<Operation>(); }

 private:
  template <class X>
  auto refuse() const {
    static_assert(!std::is_same_v<X, X>,
                  "mitra: windows overlap, and can only be accessed with read(); write to blocked() or tiled() parts, or to the whole");
    return DataRef<Kind>::read();
  }
};

/// Overlapping parts of a vector or a matrix. Window (i, j) is tile (i, j) with its halo.
template <class Kind>
class Windows {
 public:
  Windows() = default;
  Windows(std::size_t rows, const detail::PartitionSpec& spec, detail::Parts windows)
      : spec_(spec), grid_rows_((rows + spec.rows - 1) / spec.rows), windows_(std::move(windows)) {}

  std::size_t size() const { return windows_.count; }
  std::size_t grid_rows() const { return grid_rows_; }
  std::size_t grid_cols() const { return grid_rows_ == 0 ? 0 : size() / grid_rows_; }
  /// @throws MisuseError outside of the grid.
  template <std::integral I, std::integral J = int>
  WindowRef<Kind> operator()(I i, J j = 0) const {
    if (static_cast<std::size_t>(i) >= grid_rows() || static_cast<std::size_t>(j) >= grid_cols()) [[unlikely]]
      throw MisuseError(detail::message("window (", i, ", ", j, ") is outside of the ", grid_rows(), " x ", grid_cols(), " windows"));
    return WindowRef<Kind>(windows_.data[static_cast<std::size_t>(j) * grid_rows_ + static_cast<std::size_t>(i)]);
  }
  /// @returns Rows of the halo above tile i, and columns before tile j: where in window (i, j) the tile begins.
  std::size_t rows_before(std::size_t i) const { return i * spec_.rows < spec_.halo_rows ? i * spec_.rows : spec_.halo_rows; }
  std::size_t cols_before(std::size_t j) const { return j * spec_.cols < spec_.halo_cols ? j * spec_.cols : spec_.halo_cols; }

 private:
  detail::PartitionSpec spec_;
  std::size_t grid_rows_ = 0;
  detail::Parts windows_;
};

template <class Kind>
template <class K>
  requires detail::is_matrix<K>
TiledMatrix<typename detail::ElementOf<K>::type> DataRef<Kind>::tiled(std::size_t tile_rows, std::size_t tile_cols) const {
  auto parts = detail::partition(header_, {.rows = tile_rows, .cols = tile_cols});
  return {rows(), cols(), tile_rows, tile_cols, std::move(parts)};
}
template <class Kind>
template <class K>
  requires detail::is_vector<K>
BlockedVector<typename detail::ElementOf<K>::type> DataRef<Kind>::blocked(std::size_t size) const {
  return {size, detail::partition(header_, {.rows = size})};
}
template <class Kind>
template <class K>
  requires detail::is_vector<K>
Windows<K> DataRef<Kind>::windows(std::size_t size, std::size_t halo) const {
  const detail::PartitionSpec spec{.rows = size, .halo_rows = halo, .windows = true};
  auto parts = detail::partition(header_, spec);
  return {rows(), spec, std::move(parts)};
}
template <class Kind>
template <class K>
  requires detail::is_matrix<K>
Windows<K> DataRef<Kind>::windows(std::size_t tile_rows, std::size_t tile_cols, std::size_t halo) const {
  const detail::PartitionSpec spec{.rows = tile_rows, .cols = tile_cols, .halo_rows = halo, .halo_cols = halo, .windows = true};
  auto parts = detail::partition(header_, spec);
  return {rows(), spec, std::move(parts)};
}

/// Many accesses of one mode, for a task whose number of inputs is known only at run time.
/// The body receives `Views<const T>` (or `Views<T>`): size(), and operator[] giving each view.
template <class Kind, AccessMode Mode>
struct AccessList {
  static constexpr AccessMode mode = Mode;
  using kind = Kind;
  std::vector<detail::DataHeader*> data;
  SourceLocation where;
};

/// @param handles  Any range of handles or tile references of one kind.
template <class Range>
auto read_all(const Range& handles, SourceLocation at = SourceLocation::current()) {
  using Handle = std::remove_cvref_t<decltype(*std::begin(handles))>;
  AccessList<typename Handle::kind, AccessMode::read> list{{}, at};
  for (const auto& handle : handles) list.data.push_back(handle.header());
  return list;
}

}  // namespace mitra
