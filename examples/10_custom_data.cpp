// A type of your own as data: an image, lent to tasks in its own shape, and reduced by an operation of its own.
//
//   disc 0   disc 1   disc 2   ...      image.reduce(Brightest): each worker draws on a copy that began as black
//      \       |       /
//          (fold)                       inserted by Mitra: the copies are put over the image
//             |
//          shadow                       image.readwrite
//
// Mitra moves data byte by byte. A type that is trivially copyable needs nothing; any other one says, in DataTraits,
// where its bytes are, and how bodies look at a block of them.
// Flow: DataTraits -> Runtime::data -> views of bodies.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include <mitra/mitra.hpp>

struct Image {
  std::size_t width, height;
  std::vector<std::uint8_t> pixels;  // row by row; neither its size nor its address changes while tasks use it
};

/// What bodies receive: the shape of the image, and pixels that lie anywhere: in the image, or in a private copy.
template <class Pixel>
struct Canvas {
  std::size_t width, height;
  Pixel* pixels;
  Pixel& at(std::size_t x, std::size_t y) const { return pixels[x + y * width]; }
};

template <>
struct mitra::DataTraits<Image> {
  using view = Canvas<std::uint8_t>;
  using const_view = Canvas<const std::uint8_t>;
  static std::span<std::byte> storage(Image& image) { return std::as_writable_bytes(std::span(image.pixels)); }
  static view make(std::byte* base, const Image& original) {
    return {original.width, original.height, reinterpret_cast<std::uint8_t*>(base)};
  }
  static const_view make(const std::byte* base, const Image& original) {
    return {original.width, original.height, reinterpret_cast<const std::uint8_t*>(base)};
  }
};

namespace {

/// An operation on whole views: how a private copy begins, and how one is folded into another. Sum, Product, Minimum
/// and Maximum are there for the elements of vectors, tiles and objects.
struct Brightest {
  static void initialise(Canvas<std::uint8_t> copy) {
    std::fill_n(copy.pixels, copy.width * copy.height, std::uint8_t{0});
  }
  static void fold(Canvas<std::uint8_t> into, Canvas<const std::uint8_t> from) {
    const std::size_t size = into.width * into.height;
    for (std::size_t i = 0; i < size; ++i) into.pixels[i] = std::max(into.pixels[i], from.pixels[i]);
  }
};

bool in_disc(std::size_t x, std::size_t y, std::size_t disc) {
  const double centre = 15.0 * static_cast<double>(disc), radius = 30.0;
  const double dx = static_cast<double>(x) - centre, dy = static_cast<double>(y) - centre;
  return dx * dx + dy * dy < radius * radius;
}

}  // namespace

int main() {
  const std::size_t side = 200, discs = 12;
  Image image{side, side, std::vector<std::uint8_t>(side * side, 10)};

  mitra::Runtime rt;
  auto picture = rt.data(image, "picture");
  for (std::size_t d = 0; d < discs; ++d)
    rt.submit("disc", [](Canvas<std::uint8_t> canvas, std::size_t number) {
      const auto brightness = static_cast<std::uint8_t>(20 * number);
      for (std::size_t y = 0; y < canvas.height; ++y)
        for (std::size_t x = 0; x < canvas.width; ++x)
          if (in_disc(x, y, number)) canvas.at(x, y) = std::max(canvas.at(x, y), brightness);
    }, picture.reduce(Brightest{}), d);
  rt.submit("shadow", [](Canvas<std::uint8_t> canvas) {
    for (std::size_t x = 0; x < canvas.width; ++x) canvas.at(x, 0) = 1;
  }, picture.readwrite());
  rt.wait();

  std::size_t wrong = 0;
  for (std::size_t y = 1; y < side; ++y)
    for (std::size_t x = 0; x < side; ++x) {
      std::size_t expected = 10;  // what the image held before the discs
      for (std::size_t d = 0; d < discs; ++d)
        if (in_disc(x, y, d)) expected = std::max(expected, 20 * d);
      wrong += image.pixels[x + y * side] != expected;
    }
  std::printf("%zu discs, %zu wrong pixels\n", discs, wrong);
  return wrong == 0 && image.pixels[0] == 1 && image.pixels[side - 1] == 1 ? 0 : 1;
}
