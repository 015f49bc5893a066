// Flow: call -> [json] -> output. Thread-safety: a value.

#include "json.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace mitra::tool {

struct Json::Value {
  nlohmann::ordered_json json;
};

Json::Json() : value_(new Value{nullptr}) {}
Json::Json(bool value) : value_(new Value{value}) {}
Json::Json(double value) : value_(new Value{nullptr}) {
  if (std::isfinite(value)) value_->json = value;
}
Json::Json(std::int64_t value) : value_(new Value{value}) {}
Json::Json(std::uint64_t value) : value_(new Value{value}) {}
Json::Json(std::string_view text) : value_(new Value{text}) {}

Json::Json(const Json& other) : value_(new Value(*other.value_)) {}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json other) noexcept {
  value_ = std::move(other.value_);
  return *this;
}
Json::~Json() = default;

Json Json::object(std::initializer_list<std::pair<const char*, Json>> members) {
  Json result;
  result.value_->json = nlohmann::ordered_json::object();
  for (const auto& [key, value] : members) result.set(key, value);
  return result;
}

Json Json::array() {
  Json result;
  result.value_->json = nlohmann::ordered_json::array();
  return result;
}

Json& Json::set(std::string_view key, Json value) {
  value_->json[std::string(key)] = std::move(value.value_->json);
  return *this;
}

Json& Json::push(Json value) {
  value_->json.push_back(std::move(value.value_->json));
  return *this;
}

std::string Json::text() const {
  // Names of files and machines need not be UTF-8; the output always is.
  return value_->json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace mitra::tool
