// A JSON value, of which only json.cpp knows the library. Objects keep the order in which they were written.
// Flow: call -> [json] -> output. Thread-safety: a value.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mitra::tool {

class Json {
 public:
  Json();  ///< null
  Json(std::nullptr_t) : Json() {}
  Json(bool value);
  Json(double value);  ///< null if it is not finite: JSON has no other word for it.
  Json(std::int64_t value);
  Json(std::uint64_t value);
  template <std::unsigned_integral T>
  Json(T value) : Json(std::uint64_t{value}) {}
  template <std::signed_integral T>
  Json(T value) : Json(std::int64_t{value}) {}
  Json(std::string_view text);
  Json(const std::string& text) : Json(std::string_view(text)) {}
  Json(const char* text) : Json(std::string_view(text)) {}
  template <class T>
  Json(const std::optional<T>& value) : Json(value ? Json(*value) : Json()) {}

  static Json object(std::initializer_list<std::pair<const char*, Json>> members);
  static Json array();

  /// Adds a member. @pre This is an object.
  Json& set(std::string_view key, Json value);
  /// Adds an element. @pre This is an array.
  Json& push(Json value);

  std::string text() const;  ///< Indented, with a newline at its end.

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();

 private:
  struct Value;
  std::unique_ptr<Value> value_;
};

}  // namespace mitra::tool
