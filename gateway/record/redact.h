// What of a message may be recorded. The one place where what a client sent becomes text in a record: query values,
// cookies and credentials end here, and so do bytes that a terminal would obey.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/units.h"
#include "proto/record.pb.h"

namespace tollgate::record {

inline constexpr std::size_t max_path = 4 * kibibyte;
inline constexpr std::size_t max_query_keys = 64;
inline constexpr std::size_t max_query_key = 128;
inline constexpr std::size_t max_user_agent = 256;
inline constexpr std::string_view withheld = "…";  // stands where something was that is not recorded

// `text` as it may be recorded: valid UTF-8 of at most `limit` bytes in which nothing is left that a terminal obeys or
// that reorders what is shown. Each byte that is no UTF-8, each control character (C0, DEL, C1), line and paragraph
// separator, bidirectional control and zero-width character becomes U+FFFD. What is too long is cut between characters
// and ends in `…`.
std::string recorded_text(std::string_view text, std::size_t limit);
// Whether `text` is as recorded_text() leaves it, lengths aside.
bool is_recordable(std::string_view text);

struct RecordedTarget {
  std::string path;                // as sent (not decoded) but for what follows; `*` for asterisk-form
  std::vector<std::string> query;  // keys in their order, as sent, repeats included; never a value
};

// Splits a request target (RFC 9112 §3.2: origin-form, absolute-form or asterisk-form) into what may be recorded.
// Userinfo, fragment and all values are dropped. When in doubt whether something is a key or a value, it is a value:
//  - only `&` separates parameters, as in WHATWG URL §5.1: what follows an `=` up to the next `&` is value, whatever it
//    looks like (`a=1;b=2`, `a=1?b=2` have the key `a` only)
//  - a key also ends at `;`, `?` or a percent-encoded `=` `&` `;` `?` `#` `%`, so that `a%3Dsecret` and `a%253Dsecret`
//    are the key `a`
//  - a parameter without `=` may be a value itself (`?eyJhbGciOi…`, `?alice@example.test`): it is recorded only when it
//    reads like a word, else as `…`
//  - the query begins at the first `?` or percent-encoded `?`
//  - the value of a path parameter (RFC 3986 §3.3) is `…`: `/a;jsessionid=…/b`
//  - a key that does not read like a name, because it is longer than max_query_key or looks random, is recorded as `…`
// Only the first max_query_keys parameters are recorded; where there are more, the last recorded is `…`.
// Pure, O(target).
RecordedTarget split_target(std::string_view target);

// The User-Agent field value as it may be recorded.
std::string recorded_user_agent(std::string_view field_value);

// Whether every text of the record is recordable. The journal asks this of every record.
bool is_recordable(const proto::Record& record);
// Makes it so; lengths are not limited. For records made from what others wrote (imports), and the journal's last
// resort.
void make_recordable(proto::Record& record);

}  // namespace tollgate::record
