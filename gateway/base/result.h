// Results: how a room says that something others sent, or the machine refused, did not work.
// What we are sure of is an assert; what a library throws is caught in the room that calls it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tollgate {

struct Error {
  enum class Kind : std::uint8_t { malformed, too_large, not_found, refused, unreachable, io };
  Kind kind = Kind::malformed;
  std::string what;  // place, finding, remedy: `weather.toml:12:8: class "adz": one of ads, analytics, …`
};

std::string_view name(Error::Kind kind);

// tl::expected, but a result that nobody looks at is a warning.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(tl::expected<T, Error> other) : tl::expected<T, Error>(std::move(other)) {}
};

using Status = Result<void>;

// return fail(Error::Kind::malformed, "…");
tl::unexpected<Error> fail(Error::Kind kind, std::string what);
// Passes another result's error on: if (!x) return fail(x);
template <class T>
tl::unexpected<Error> fail(const Result<T>& failed) {
  return tl::unexpected<Error>(failed.error());
}

}  // namespace tollgate
