// The HTTP message model that both versions share (RFC 9110): heads, field lines in their order and case.
// A value type: no I/O, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::http {

struct FieldLine {
  std::string_view name;   // as it was sent: HTTP/1.1 keeps case, HTTP/2 is lower-case
  std::string_view value;  // without the white space around it
};

// Field lines, in order; names compare ASCII case-insensitively. Views into a Fields are valid until it next changes,
// so what is given to add() and remove() must not come from the same Fields. Holds at most 4 GiB of text.
class Fields {
 public:
  void add(std::string_view name, std::string_view value);
  std::size_t remove(std::string_view name);  // every line of that name; how many there were
  // Room for so much, so that add() need not grow step by step. A hint.
  void reserve(std::size_t lines, std::size_t text);

  std::size_t size() const { return lines_.size(); }
  bool empty() const { return lines_.empty(); }
  FieldLine at(std::size_t index) const {
    const Line& line = lines_[index];
    return {piece(line.name_at, line.name_size), piece(line.value_at, line.value_size)};
  }

  // The first line of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  // Whether the comma-separated list field `name`, all its lines together, has `token` (case-insensitively) as a
  // member.
  bool list_contains(std::string_view name, std::string_view token) const;

  // The same lines in the same order, octet for octet.
  bool operator==(const Fields&) const = default;

  // Octets of names and values together: what a header-list limit counts, without per-line overhead.
  std::size_t text_size() const { return text_.size(); }

 private:
  struct Line {
    std::uint32_t name_at, name_size, value_at, value_size;
    bool operator==(const Line&) const = default;
  };
  std::string_view piece(std::uint32_t at, std::uint32_t size) const {
    return std::string_view(text_).substr(at, size);
  }
  bool is_named(const Line& line, std::string_view name) const;

  std::string text_;  // one allocation for all lines
  std::vector<Line> lines_;
};

// HTTP/1.1: `target` is the request target as sent (origin-, absolute-, authority- or asterisk-form), scheme, authority
// and protocol are empty. HTTP/2: `target` is :path, and the pseudo-header fields have their own members.
struct RequestHead {
  std::string method;
  std::string target;
  std::string scheme;      // :scheme
  std::string authority;   // :authority
  std::string protocol;    // :protocol of an extended CONNECT (RFC 8441)
  std::uint8_t minor = 1;  // HTTP/1.x
  Fields fields;
  bool operator==(const RequestHead&) const = default;
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string reason;      // HTTP/1.1 only
  std::uint8_t minor = 1;  // HTTP/1.x
  Fields fields;
  bool operator==(const ResponseHead&) const = default;
};

// Takes the next member of a comma-separated list field's value from the front of `list`, without the white space
// around it (RFC 9110 §5.6.1). Empty members are skipped and a comma inside a quoted string does not separate. Nothing:
// the end.
std::optional<std::string_view> take_list_member(std::string_view& list);

inline bool is_informational(std::uint16_t status) { return status >= 100 && status < 200; }

}  // namespace tollgate::http
