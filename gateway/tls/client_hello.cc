#include "gateway/tls/client_hello.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/base/address.h"

namespace tollgate::tls {
namespace {

using Peeked = std::variant<ClientHello, NeedMore>;

constexpr std::uint8_t handshake_record = 22;
constexpr std::uint8_t client_hello_message = 1;
constexpr std::size_t record_header_size = 5;
constexpr std::size_t message_header_size = 4;
constexpr std::size_t max_fragment = 16384;  // RFC 8446 §5.1

// Extension types, IANA "TLS ExtensionType Values".
constexpr std::uint16_t server_name_extension = 0;
constexpr std::uint16_t signature_algorithms_extension = 13;
constexpr std::uint16_t alpn_extension = 16;
constexpr std::uint16_t pre_shared_key_extension = 41;
constexpr std::uint16_t early_data_extension = 42;
constexpr std::uint16_t supported_versions_extension = 43;
constexpr std::uint16_t encrypted_client_hello_extension = 0xfe0d;

tl::unexpected<Error> malformed(std::string_view finding) {
  return fail(Error::Kind::malformed, fmt::format("ClientHello: {}", finding));
}

// As much of a record header as there is. Byte by byte, so that the first wrong one decides however few there are.
// RFC 8446 §5.1 has the minor version ignored.
Status check_record_header(ByteView header) {
  if (!header.empty() && header[0] != handshake_record) {
    return malformed(fmt::format("the record has type {}, a handshake has 22", header[0]));
  }
  if (header.size() > 1 && header[1] != 3) return malformed(fmt::format("record version {}.x is not TLS", header[1]));
  if (header.size() < record_header_size) return {};
  const std::size_t length = (std::size_t{header[3]} << 8U) | header[4];
  if (length == 0) return malformed("a handshake record is empty");  // RFC 8446 §5.1 forbids it
  if (length > max_fragment) return malformed(fmt::format("a record of {} bytes; 16384 is the most", length));
  return {};
}

// The records of a hello, walked from the front, and how far they got. Nothing is copied until the hello is whole.
class Records {
 public:
  explicit Records(ByteView bytes) : bytes_(bytes) {}

  // Walks until the message is whole, the bytes are used up or something is wrong. Each finding depends on nothing
  // behind the byte that shows it, which is what makes the answer independent of how the input was cut.
  Status walk(ByteCount limit) {
    while (true) {
      if (const auto fits = check_size(limit); !fits) return fail(fits);
      if (whole() || end_ > bytes_.size()) return {};
      const ByteView header = bytes_.subspan(end_, std::min(record_header_size, bytes_.size() - end_));
      if (const auto checked = check_record_header(header); !checked) return fail(checked);
      if (header.size() < record_header_size) return {};
      const std::size_t length = (std::size_t{header[3]} << 8U) | header[4];
      const std::size_t start = end_ + record_header_size;
      end_ = start + length;
      promised_ += length;
      if (const auto fits = check_size(limit); !fits) return fail(fits);
      if (const auto read = read_message_header(bytes_.subspan(start, std::min(length, bytes_.size() - start)));
          !read) {
        return fail(read);
      }
    }
  }

  // All records of the message are there to their end.
  bool whole() const { return message_size_ && promised_ == *message_size_ && end_ <= bytes_.size(); }

  // The end of the last record of a whole message. Before it is whole, the least that end can be.
  ByteCount wire_size() const {
    const std::size_t size = message_size_.value_or(std::max(promised_, message_header_size));
    const std::size_t missing = size > promised_ ? size - promised_ : 0;
    return ByteCount{end_} + missing + (missing + max_fragment - 1) / max_fragment * record_header_size;
  }

  // The body of a whole message: a view where one record holds it, else joined in `storage`.
  ByteView body(Bytes& storage) const {
    if (end_ == record_header_size + promised_)
      return bytes_.subspan(record_header_size + message_header_size, body_size());
    storage.reserve(promised_);
    for (ByteCursor cursor(bytes_.first(end_)); !cursor.empty();) {
      cursor.take(record_header_size - 2);  // type and version were checked
      const ByteView fragment = *cursor.vector16();
      storage.insert(storage.end(), fragment.begin(), fragment.end());
    }
    return ByteView(storage).subspan(message_header_size);
  }

 private:
  std::size_t body_size() const { return promised_ - message_header_size; }

  Status check_size(ByteCount limit) const {
    if (wire_size() <= limit) return {};
    return fail(Error::Kind::too_large, fmt::format("ClientHello: it takes more than {} bytes", limit));
  }

  // Collects type and length from the front of the message, which may be cut by records too.
  Status read_message_header(ByteView fragment) {
    for (const std::uint8_t byte : fragment) {
      if (header_read_ == message_header_size) break;
      if (header_read_ == 0 && byte != client_hello_message) {
        return malformed(fmt::format("handshake message {} instead of 1", byte));
      }
      header_[header_read_++] = byte;
    }
    if (header_read_ < message_header_size) return {};
    message_size_ = message_header_size + *ByteCursor(ByteView(header_).subspan(1)).u24();
    // Nothing may follow a ClientHello in its record: the client has to wait for an answer first.
    if (promised_ > *message_size_) return malformed("its record is longer than the message");
    return {};
  }

  ByteView bytes_;
  std::size_t end_ = 0;       // of the records walked; behind bytes_ when the last one is not all there
  std::size_t promised_ = 0;  // message bytes in the records walked, by their headers
  std::size_t header_read_ = 0;
  std::array<std::uint8_t, message_header_size> header_{};
  std::optional<std::size_t> message_size_;  // its header included
};

Result<std::vector<std::uint16_t>> read_u16_list(std::optional<ByteView> vector, std::string_view what) {
  if (!vector || vector->empty() || vector->size() % 2 != 0) {
    return malformed(fmt::format("{}: its length is wrong", what));
  }
  std::vector<std::uint16_t> list;
  list.reserve(vector->size() / 2);
  ByteCursor cursor(*vector);
  while (const auto value = cursor.u16()) list.push_back(*value);
  return list;
}

// A list that is all there is in its extension.
Result<std::vector<std::uint16_t>> read_only_list(std::optional<ByteView> vector, const ByteCursor& after,
                                                  std::string_view what) {
  if (!after.empty()) return malformed(fmt::format("{}: its length is wrong", what));
  return read_u16_list(vector, what);
}

Result<std::optional<HostName>> read_host_name(std::string_view text) {
  auto name = HostName::parse(text);
  if (name) return std::optional(std::move(*name));
  if (IpAddress::parse(text)) return std::nullopt;
  return malformed("server_name: " + name.error().what);
}

// RFC 6066 §3: names of several types, one of each. Only host_name (0) was ever defined; others begin with a length
// too.
Result<std::optional<HostName>> read_server_name(ByteView data) {
  ByteCursor extension(data);
  const auto list = extension.vector16();
  if (!list || list->empty() || !extension.empty()) return malformed("server_name: its length is wrong");
  std::optional<std::string_view> host;
  ByteCursor names(*list);
  while (!names.empty()) {
    const auto type = names.u8();
    const auto name = names.vector16();
    if (!name || name->empty()) return malformed("server_name: its length is wrong");
    if (*type != 0) continue;
    if (host) return malformed("server_name: two host names");
    host = as_text(*name);
  }
  if (!host) return std::nullopt;
  return read_host_name(*host);
}

Result<std::vector<std::string>> read_alpn(ByteView data) {
  ByteCursor extension(data);
  const auto list = extension.vector16();
  if (!list || list->empty() || !extension.empty()) return malformed("ALPN: its length is wrong");
  std::vector<std::string> protocols;
  ByteCursor names(*list);
  while (!names.empty()) {
    const auto protocol = names.vector8();
    if (!protocol || protocol->empty()) return malformed("ALPN: its length is wrong");
    protocols.emplace_back(as_text(*protocol));
  }
  return protocols;
}

// Moves a part that was read into its field, or passes its error on.
template <class T>
Status keep(T& field, Result<T> read) {
  if (!read) return fail(read);
  field = std::move(*read);
  return {};
}

Status read_extension(std::uint16_t type, ByteView data, ClientHello& hello) {
  ByteCursor cursor(data);
  switch (type) {
    case server_name_extension: return keep(hello.server_name, read_server_name(data));
    case alpn_extension: return keep(hello.alpn, read_alpn(data));
    case supported_versions_extension: {
      const auto list = cursor.vector8();
      return keep(hello.supported_versions, read_only_list(list, cursor, "supported_versions"));
    }
    case signature_algorithms_extension: {
      const auto list = cursor.vector16();
      return keep(hello.signature_algorithms, read_only_list(list, cursor, "signature_algorithms"));
    }
    case encrypted_client_hello_extension: hello.has_encrypted_client_hello = true; return {};
    case pre_shared_key_extension: hello.has_pre_shared_key = true; return {};
    case early_data_extension: hello.has_early_data = true; return {};
    default: return {};
  }
}

Status read_extensions(ByteView block, ClientHello& hello) {
  ByteCursor cursor(block);
  while (!cursor.empty()) {
    const auto type = cursor.u16();
    const auto data = cursor.vector16();
    if (!type || !data) return malformed("an extension is longer than their block");
    if (const auto read = read_extension(*type, *data, hello); !read) return fail(read);
    hello.extensions.push_back(*type);
  }
  auto sorted = hello.extensions;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) return malformed(fmt::format("extension {} is there twice", *twice));
  return {};
}

Result<ClientHello> read_client_hello(ByteView body) {
  ClientHello hello;
  ByteCursor cursor(body);
  const auto version = cursor.u16();
  const auto random = cursor.take(32);
  const auto session_id = cursor.vector8();
  if (!version || !random || !session_id || session_id->size() > 32) {
    return malformed("version, random and session id do not fit");
  }
  if (*version >> 8U != 3) return malformed(fmt::format("version 0x{:04x} is not TLS", *version));
  hello.legacy_version = *version;
  if (const auto kept = keep(hello.cipher_suites, read_u16_list(cursor.vector16(), "cipher_suites")); !kept) {
    return fail(kept);
  }
  const auto compression_methods = cursor.vector8();
  if (!compression_methods || compression_methods->empty())
    return malformed("compression_methods: its length is wrong");
  if (cursor.empty()) return hello;  // from before extensions (RFC 5246 §7.4.1.2)
  const auto extensions = cursor.vector16();
  if (!extensions || !cursor.empty()) return malformed("the extensions' length contradicts the message's");
  if (const auto read = read_extensions(*extensions, hello); !read) return fail(read);
  return hello;
}

}  // namespace

Result<Peeked> peek_client_hello(ByteView bytes, ByteCount limit) {
  Records records(bytes);
  if (const auto walked = records.walk(limit); !walked) return fail(walked);
  if (!records.whole()) return Peeked(NeedMore{records.wire_size()});
  Bytes storage;
  auto hello = read_client_hello(records.body(storage));
  if (!hello) return fail(hello);
  hello->wire_size = records.wire_size();
  return Peeked(std::move(*hello));
}

bool looks_like_tls(ByteView first_bytes) {
  const ByteView header = first_bytes.first(std::min(first_bytes.size(), record_header_size));
  if (header.empty() || !check_record_header(header)) return false;
  return first_bytes.size() == header.size() || first_bytes[record_header_size] == client_hello_message;
}

}  // namespace tollgate::tls
