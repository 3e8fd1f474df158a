// The ambiguous messages of tests/e2e/data/smuggling_cases.txt, which says what its columns are.
#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::http {

struct AmbiguousCase {
  std::string side, expect, name, section, raw;
  bool malformed() const { return expect == "malformed"; }
};

// Undoes \r \n \t \xNN and \\ .
inline std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    switch (const char escape = text.at(++i)) {
      case 'r': out.push_back('\r'); break;
      case 'n': out.push_back('\n'); break;
      case 't': out.push_back('\t'); break;
      case '\\': out.push_back('\\'); break;
      case 'x':
        out.push_back(static_cast<char>(std::stoul(std::string(text.substr(i + 1, 2)), nullptr, 16)));
        i += 2;
        break;
      default: throw std::runtime_error(std::string("unknown escape \\") + escape);
    }
  }
  return out;
}

inline std::vector<AmbiguousCase> ambiguous_cases() {
  const auto file = std::filesystem::path(__FILE__).parent_path().parent_path() / "e2e/data/smuggling_cases.txt";
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::vector<AmbiguousCase> cases;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    std::vector<std::string> columns;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t end = std::min(line.find('\t', at), line.size());
      columns.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    if (columns.size() != 5) throw std::runtime_error(file.string() + ": not five columns: " + line);
    cases.push_back({columns[0], columns[1], columns[2], columns[3], unescape(columns[4])});
  }
  return cases;
}

}  // namespace tollgate::http
