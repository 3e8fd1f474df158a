#include "gateway/base/result.h"

#include "gateway/base/unreachable.h"

namespace tollgate {

std::string_view name(Error::Kind kind) {
  switch (kind) {
    case Error::Kind::malformed: return "malformed";
    case Error::Kind::too_large: return "too_large";
    case Error::Kind::not_found: return "not_found";
    case Error::Kind::refused: return "refused";
    case Error::Kind::unreachable: return "unreachable";
    case Error::Kind::io: return "io";
  }
  unreachable_state();
}

tl::unexpected<Error> fail(Error::Kind kind, std::string what) {
  return tl::unexpected<Error>(Error{kind, std::move(what)});
}

}  // namespace tollgate
