// HTTP/2 header blocks: lines as they arrive, made into heads, and heads made into the lines nghttp2 sends.
// Private to the room.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/http/message.h"

namespace tollgate::http {

// The header block that is being received. There is one a connection at most: blocks never interleave (RFC 9113 §4.3).
class H2Block {
 public:
  // Starts a new block. `octets` is what earlier blocks count towards the limit.
  void begin(std::size_t octets);
  // False when the list has grown past `limit`; the line is then dropped. nghttp2 has checked that a pseudo-header
  // field is one that may be here, once.
  bool add(std::string_view name, std::string_view value, std::size_t limit);

  std::optional<std::uint16_t> status() const { return status_; }  // of a response head: three digits, perhaps 000
  std::size_t octets() const { return octets_; }                   // RFC 9113 §6.5.2
  RequestHead take_request();
  ResponseHead take_response();
  Fields take_trailers();

 private:
  void add_pseudo(std::string_view name, std::string_view value);

  RequestHead request_;
  std::optional<std::uint16_t> status_;
  std::size_t octets_ = 0;
};

// What nghttp2 lets pass and we do not forward. An empty text means that the request is fine, else it says what is not.
std::string_view request_fault(const RequestHead& head);

// The lines of a header block for nghttp2, which copies them. Points into the head: valid as long as that is unchanged.
class H2Lines {
 public:
  explicit H2Lines(const RequestHead& head);
  explicit H2Lines(const ResponseHead& head);
  explicit H2Lines(const Fields& trailers);
  H2Lines(const H2Lines&) = delete;
  H2Lines& operator=(const H2Lines&) = delete;

  const nghttp2_nv* data() const { return many_.empty() ? few_.data() : many_.data(); }
  std::size_t size() const { return size_; }

 private:
  void reserve(std::size_t lines);
  void add(std::string_view name, std::string_view value);
  void add(const Fields& fields);

  std::array<nghttp2_nv, 40> few_;  // what nearly every head fits into, on the stack; not initialised, add() does it
  std::vector<nghttp2_nv> many_;
  std::size_t size_ = 0;
  std::array<char, 3> status_{};
};

}  // namespace tollgate::http
