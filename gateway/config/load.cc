// load() and parse(): files and --set become a Config.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <numeric>
#include <system_error>

#include "gateway/base/text.h"
#include "gateway/config/assign.h"
#include "gateway/config/config.h"
#include "gateway/config/settings.h"
#include "gateway/config/value.h"

namespace tollgate::config {
namespace {

constexpr std::size_t largest_file = mebibyte;

const Setting* find_setting(std::string_view key) {
  const auto* const found =
      std::find_if(settings.begin(), settings.end(), [&](const Setting& setting) { return setting.key == key; });
  return found == settings.end() ? nullptr : &*found;
}

bool is_section(std::string_view key) {
  const std::string prefix = std::string(key) + ".";
  return std::any_of(settings.begin(), settings.end(),
                     [&](const Setting& setting) { return setting.key.starts_with(prefix); });
}

// Levenshtein's distance: letters to insert, remove or replace.
std::size_t edits(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

// The known key that `key` most likely means: few edits away, or the same last part in another section.
std::string_view nearest_key(std::string_view key) {
  const std::string folded = ascii_lower(key.substr(0, 64));
  const auto distance = [&](const Setting& setting) {
    return std::min(edits(folded, setting.key), edits(last_part(folded), last_part(setting.key)) + 2);
  };
  return std::min_element(settings.begin(), settings.end(),
                          [&](const Setting& a, const Setting& b) { return distance(a) < distance(b); })
      ->key;
}

std::string unknown_key(std::string_view place, std::string_view key) {
  return fmt::format("{}: {}: not a key; the nearest is {}", place, printable(key.substr(0, 100)), nearest_key(key));
}

void apply_file(const std::vector<Assignment>& assignments, Config& config, std::vector<std::string>& findings) {
  for (const Assignment& assignment : assignments) {
    if (const Setting* setting = find_setting(assignment.key)) {
      const auto wrong = assign(config, *setting, assignment.value);
      findings.insert(findings.end(), wrong.begin(), wrong.end());
      continue;
    }
    const bool empty_section = std::holds_alternative<Value::Other>(assignment.value.is) && is_section(assignment.key);
    if (!empty_section) findings.push_back(unknown_key(assignment.place, assignment.key));
  }
}

// One value of a repeated list key: the values so far with `next` behind them. A whole list begins anew.
Value gathered(Value::List so_far, Value next) {
  if (std::holds_alternative<Value::List>(next.is)) return next;
  Value list{next.place, next.shown, Value::Other{}};
  so_far.push_back(std::move(next));
  list.is = std::move(so_far);
  return list;
}

void apply_sets(const std::vector<std::string>& sets, Config& config, std::vector<std::string>& findings) {
  std::map<const Setting*, Value> last;
  for (const std::string& set : sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos) {
      findings.push_back(fmt::format("--set: {}: key=value", shown(set)));
      continue;
    }
    const std::string_view key = std::string_view(set).substr(0, equals);
    const Setting* setting = find_setting(key);
    if (setting == nullptr) {
      findings.push_back(unknown_key("--set", key));
      continue;
    }
    Value value = read_set_value(std::string_view(set).substr(equals + 1));
    if (is_list(*setting)) {
      const auto before = last.find(setting);
      const auto* list = before == last.end() ? nullptr : std::get_if<Value::List>(&before->second.is);
      value = gathered(list != nullptr ? *list : Value::List(), std::move(value));
    }
    last.insert_or_assign(setting, std::move(value));
  }
  for (const auto& [setting, value] : last) {
    const auto wrong = assign(config, *setting, value);
    findings.insert(findings.end(), wrong.begin(), wrong.end());
  }
}

Result<std::string> read_file(const std::filesystem::path& file) {
  const auto refused = [&](Error::Kind kind, std::string_view why) {
    return fail(kind, fmt::format("{}: {}", printable(file.string()), why));
  };
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    const int error = errno;
    return refused(error == ENOENT ? Error::Kind::not_found : Error::Kind::io, std::generic_category().message(error));
  }
  std::string text(largest_file + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (in.fail() && !in.eof())) return refused(Error::Kind::io, "it cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > largest_file) return refused(Error::Kind::too_large, "a settings file has at most 1 MiB");
  return text;
}

}  // namespace

Result<Config> parse(std::string_view toml, std::string_view file_name, const std::vector<std::string>& sets) {
  Config config = defaults();
  std::vector<std::string> findings;
  if (const auto assignments = read_toml(toml, printable(file_name))) {
    apply_file(*assignments, config, findings);
  } else {
    findings.push_back(assignments.error().what);
  }
  apply_sets(sets, config, findings);
  if (!findings.empty()) return fail(Error::Kind::malformed, fmt::format("{}", fmt::join(findings, "\n")));
  return config;
}

Result<Config> load(const std::optional<std::filesystem::path>& file, const std::vector<std::string>& sets) {
  const std::filesystem::path path = file.value_or(std::filesystem::path(default_file));
  const auto text = read_file(path);
  if (!text) {
    if (!file && text.error().kind == Error::Kind::not_found) return parse("", "", sets);
    return fail(text);
  }
  return parse(*text, path.string(), sets);
}

std::string to_toml(const Config& config) {
  std::string out;
  std::string_view section;
  // Keys without a section come first: after a [section] they would belong to it.
  for (const bool sectioned : {false, true}) {
    for (const Setting& setting : settings) {
      const auto dot = setting.key.find('.');
      if ((dot != std::string_view::npos) != sectioned) continue;
      if (sectioned && setting.key.substr(0, dot) != section) {
        section = setting.key.substr(0, dot);
        out += fmt::format("\n[{}]\n", section);
      }
      out += fmt::format("# {}: {}.\n{} = {}\n", setting.meaning, allowed(setting), last_part(setting.key),
                         toml_value(setting, config));
    }
  }
  return out;
}

}  // namespace tollgate::config
