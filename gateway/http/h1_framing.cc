#include "gateway/http/h1_framing.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "gateway/base/names.h"
#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

constexpr std::string_view content_length = "content-length";
constexpr std::string_view transfer_encoding = "transfer-encoding";
constexpr std::size_t most_digits = 19;  // 2^63-1 has as many

tl::unexpected<Error> malformed(const char* why) { return fail(Error::Kind::malformed, why); }

std::optional<ByteCount> parse_length(std::string_view value) {
  if (value.empty() || value.size() > most_digits || !std::all_of(value.begin(), value.end(), is_digit)) return {};
  ByteCount length = 0;  // 19 digits always fit 64 bits
  for (const char digit : value) length = length * 10 + static_cast<ByteCount>(digit - '0');
  if (length > static_cast<ByteCount>(std::numeric_limits<std::int64_t>::max())) return {};
  return length;
}

// `content_length` and the like.
bool imitates(std::string_view name, std::string_view framing) {
  if (name.size() != framing.size() || name.find('_') == std::string_view::npos) return false;
  std::string folded = ascii_lower(name);
  std::replace(folded.begin(), folded.end(), '_', '-');
  return folded == framing;
}

Status check_connection(std::string_view connection) {
  while (const auto option = take_list_member(connection)) {
    if (!is_token(*option)) return malformed("Connection is not a list of tokens");
    for (const std::string_view name : {content_length, transfer_encoding, std::string_view("host")}) {
      if (same_name(*option, name)) return malformed("Connection nominates a field that frames or routes the message");
    }
  }
  return {};
}

// What a head says of its content's length: at most one of the two.
struct Delimiters {
  std::optional<ByteCount> length;
  bool chunked = false;
};

Status add_length(std::string_view value, Delimiters& found) {
  if (found.length) return malformed("more than one Content-Length");
  found.length = parse_length(value);
  if (!found.length) return malformed("Content-Length is not one number below 2^63");
  return {};
}

Status add_coding(std::string_view value, std::uint8_t minor, Delimiters& found) {
  if (minor == 0) return malformed("Transfer-Encoding in an HTTP/1.0 message");
  if (found.chunked) return malformed("more than one Transfer-Encoding");
  if (!same_name(value, "chunked")) return malformed("Transfer-Encoding is not exactly chunked");
  found.chunked = true;
  return {};
}

// Looks at each line once; sizes tell most names from the three that matter.
Result<Delimiters> find_delimiters(const Fields& fields, std::uint8_t minor) {
  Delimiters found;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto [name, value] = fields.at(i);
    Status status;
    if (same_name(name, content_length)) {
      status = add_length(value, found);
    } else if (same_name(name, transfer_encoding)) {
      status = add_coding(value, minor, found);
    } else if (imitates(name, content_length) || imitates(name, transfer_encoding)) {
      status = malformed("a field imitates Content-Length or Transfer-Encoding with an underscore");
    } else if (same_name(name, "connection")) {
      status = check_connection(value);
    }
    if (!status) return fail(status);
  }
  if (found.length && found.chunked) return malformed("both Content-Length and Transfer-Encoding");
  return found;
}

}  // namespace

Result<Framing> request_framing(const RequestHead& head) {
  const auto found = find_delimiters(head.fields, head.minor);
  if (!found) return fail(found);
  if (head.method == "CONNECT") {
    if (found->chunked || found->length.value_or(0) > 0) return malformed("CONNECT has no content");
    return Framing(NoContent{});
  }
  if (found->chunked) return Framing(Chunked{});
  if (found->length) return Framing(ContentLength{*found->length});
  return Framing(NoContent{});
}

Result<Framing> response_framing(std::string_view request_method, const ResponseHead& head) {
  const auto found = find_delimiters(head.fields, head.minor);
  if (!found) return fail(found);
  const bool never_has_content = is_informational(head.status) || head.status == 204;
  if (never_has_content && (found->chunked || found->length.value_or(0) > 0)) {
    return malformed("a 1xx or 204 response announces content");
  }
  const bool tunnel = request_method == "CONNECT" && head.status >= 200 && head.status < 300;
  if (never_has_content || tunnel || head.status == 304 || request_method == "HEAD") return Framing(NoContent{});
  if (found->chunked) return Framing(Chunked{});
  if (found->length) return Framing(ContentLength{*found->length});
  return Framing(UntilClose{});
}

}  // namespace tollgate::http
