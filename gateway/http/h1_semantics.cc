#include "gateway/http/h1_semantics.h"

#include <algorithm>
#include <vector>

#include "gateway/base/names.h"
#include "gateway/http/h1_chars.h"

namespace tollgate::http {
namespace {

template <class Head>
bool persists(const Head& head) {
  if (head.fields.list_contains("connection", "close")) return false;
  return head.minor >= 1 || head.fields.list_contains("connection", "keep-alive");
}

template <class Head>
std::optional<std::string_view> upgrades_to(const Head& head) {
  if (head.minor == 0 || head.fields.count("upgrade") != 1) return std::nullopt;
  if (!head.fields.list_contains("connection", "upgrade")) return std::nullopt;
  std::string_view offered = *head.fields.find("upgrade");
  const auto protocol = take_list_member(offered);
  return take_list_member(offered) ? std::nullopt : protocol;
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(), [&](std::string_view other) { return same_name(name, other); });
}

// What of a section survives its hop.
class HopFilter {
 public:
  HopFilter(const Fields& fields, UpgradeFields upgrade)
      : keeps_upgrade_(upgrade == UpgradeFields::relay), keeps_te_(fields.list_contains("te", "trailers")) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (!same_name(fields.at(i).name, "connection")) continue;
      std::string_view rest = fields.at(i).value;
      while (const auto option = take_list_member(rest)) nominated_.push_back(*option);
    }
  }

  bool drops(std::string_view name) const {
    if (same_name(name, "upgrade")) return !keeps_upgrade_;
    if (same_name(name, "te")) return !keeps_te_;
    if (is_one_of(name, {"connection", "content-length", "transfer-encoding", "host"})) return false;
    if (is_one_of(name, {"keep-alive", "proxy-connection", "proxy-authorization"})) return true;
    return std::any_of(nominated_.begin(), nominated_.end(),
                       [&](std::string_view option) { return same_name(name, option); });
  }

  // The options of one Connection line that still hold, as they were spelt; empty: the line goes.
  std::string options(std::string_view connection) const {
    std::string kept;
    while (const auto option = take_list_member(connection)) {
      const bool holds = is_one_of(*option, {"close", "keep-alive"}) ||
                         (keeps_upgrade_ && same_name(*option, "upgrade")) || (keeps_te_ && same_name(*option, "te"));
      if (holds) kept.append(kept.empty() ? "" : ", ").append(*option);
    }
    return kept;
  }

 private:
  bool keeps_upgrade_;
  bool keeps_te_;
  std::vector<std::string_view> nominated_;  // into the section
};

}  // namespace

bool keeps_alive(const RequestHead& head) { return persists(head); }
bool keeps_alive(const ResponseHead& head) { return persists(head); }

bool expects_continue(const RequestHead& head) {
  return head.minor >= 1 && head.fields.list_contains("expect", "100-continue");
}

std::optional<std::string_view> upgrade_protocol(const RequestHead& head) { return upgrades_to(head); }
std::optional<std::string_view> upgrade_protocol(const ResponseHead& head) { return upgrades_to(head); }

std::string media_type(std::string_view content_type) {
  const std::string_view type = trim_blanks(content_type.substr(0, content_type.find(';')));
  const std::size_t slash = type.find('/');
  if (slash == std::string_view::npos || !is_token(type.substr(0, slash)) || !is_token(type.substr(slash + 1)))
    return {};
  return ascii_lower(type);
}

void strip_hop_by_hop(Fields& fields, UpgradeFields upgrade) {
  const HopFilter filter(fields, upgrade);
  Fields kept;
  kept.reserve(fields.size(), fields.text_size());
  bool te_written = false;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const FieldLine line = fields.at(i);
    if (filter.drops(line.name)) continue;
    if (same_name(line.name, "connection")) {
      const std::string options = filter.options(line.value);
      if (!options.empty()) kept.add(line.name, options);
    } else if (same_name(line.name, "te")) {
      if (!te_written) kept.add(line.name, "trailers");
      te_written = true;
    } else {
      kept.add(line.name, line.value);
    }
  }
  fields = std::move(kept);
}

}  // namespace tollgate::http
