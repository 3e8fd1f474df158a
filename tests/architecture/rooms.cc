#include "tests/architecture/rooms.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

namespace tollgate::architecture {
namespace {

// Libraries that one room hides from all others.
struct Hidden {
  std::string_view header;  // how its headers begin
  std::string_view room;
};
constexpr auto hidden = std::to_array<Hidden>({
    {"event2/", "net"},
    {"event.h", "net"},
    {"ares", "net"},
    {"nghttp2/", "http"},
    {"sqlite3", "store"},
    {"toml++/", "config"},
    {"CLI/", "app"},
});

constexpr std::array<std::string_view, 3> folders{"gateway", "certs", "proto"};

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string without_comments(std::string_view cmake) {
  std::istringstream lines{std::string(cmake)};
  std::string out;
  for (std::string line; std::getline(lines, line);) out += line.substr(0, line.find('#')) + "\n";
  return out;
}

// The arguments of one tollgate_room(…): a name, then words behind FOLDER, USES and LIBS.
void add_room(const std::string& arguments, Table& table) {
  std::istringstream words(arguments);
  std::string name;
  words >> name;
  Room room{"gateway/" + name, {}};
  std::string option;
  for (std::string word; words >> word;) {
    if (word == "FOLDER" || word == "USES" || word == "LIBS") {
      option = word;
    } else if (option == "FOLDER") {
      room.folder = word;
    } else if (option == "USES") {
      room.uses.insert(word);
      if (!table.rooms.contains(word)) {
        table.findings.push_back(
            fmt::format("gateway/rooms.cmake: {} uses {}, which does not stand above it", name, word));
      }
    }
  }
  table.rooms[name] = std::move(room);
}

// The room that `path` (relative to the tree) lies in.
std::optional<std::string> owner(const Rooms& rooms, const std::string& path) {
  for (const auto& [name, room] : rooms) {
    if (path.starts_with(room.folder + "/")) return name;
  }
  return std::nullopt;
}

struct Include {
  bool quoted;
  std::string path;
};

std::optional<Include> read_include(std::string_view line) {
  const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size())); };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  static constexpr std::string_view directive = "include";
  if (!line.starts_with(directive)) return std::nullopt;
  line.remove_prefix(directive.size());
  skip_blanks();
  if (!line.starts_with('"') && !line.starts_with('<')) return std::nullopt;
  const bool quoted = line.front() == '"';
  line.remove_prefix(1);
  return Include{quoted, std::string(line.substr(0, line.find(quoted ? '"' : '>')))};
}

// What is wrong with `include` in a file of `from`; "" when nothing is.
std::string judge(const Rooms& rooms, const std::string& from, const Include& include) {
  if (!include.quoted) {
    for (const Hidden& library : hidden) {
      if (include.path.starts_with(library.header) && from != library.room) {
        return fmt::format("{} includes <{}>, which only {} knows", from, include.path, library.room);
      }
    }
    return "";
  }
  const auto to = owner(rooms, include.path);
  if (!to) return fmt::format("{} includes \"{}\", which is in no room", from, include.path);
  const std::set<std::string>& uses = rooms.at(from).uses;
  if (*to == from || uses.contains(*to)) return "";
  return fmt::format("{} may not include {} (\"{}\"): it is granted {}", from, *to, include.path, fmt::join(uses, " "));
}

std::size_t count_includes(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += read_include(line) ? 1 : 0;
  return count;
}

}  // namespace

Table read_table(std::string_view rooms_cmake) {
  Table table;
  table.rooms["proto"] = {"proto", {}};
  const std::string text = without_comments(rooms_cmake);
  static constexpr std::string_view call = "tollgate_room(";
  for (auto at = text.find(call); at != std::string::npos; at = text.find(call, at + 1)) {
    const auto begin = at + call.size();
    add_room(text.substr(begin, text.find(')', begin) - begin), table);
  }
  return table;
}

std::vector<std::string> look_at(const Rooms& rooms, const std::string& file, std::string_view text) {
  const auto from = owner(rooms, file);
  if (!from) return {fmt::format("{}: in no room of gateway/rooms.cmake", file)};
  std::vector<std::string> findings;
  std::istringstream lines{std::string(text)};
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto include = read_include(line);
    const std::string wrong = include ? judge(rooms, *from, *include) : "";
    if (!wrong.empty()) findings.push_back(fmt::format("{}:{}: {}", file, number, wrong));
  }
  return findings;
}

Report look_at_tree(const std::filesystem::path& tree) {
  const Table table = read_table(read(tree / "gateway/rooms.cmake"));
  Report report;
  report.findings = table.findings;
  for (const std::string_view folder : folders) {
    if (!std::filesystem::exists(tree / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(tree / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      const std::string text = read(entry.path());
      const auto wrong = look_at(table.rooms, entry.path().lexically_relative(tree).string(), text);
      report.findings.insert(report.findings.end(), wrong.begin(), wrong.end());
      report.includes += count_includes(text);
      ++report.files;
    }
  }
  return report;
}

}  // namespace tollgate::architecture
