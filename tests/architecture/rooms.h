// The rooms' table as gateway/rooms.cmake says it, and the includes that point the wrong way.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::architecture {

struct Room {
  std::string folder;          // `gateway/net`, `certs`
  std::set<std::string> uses;  // the whole of what it may include, besides itself
};
using Rooms = std::map<std::string, Room>;

struct Table {
  Rooms rooms;
  std::vector<std::string> findings;  // a room that uses one which does not stand above it
};

// Reads every tollgate_room(…) line. `proto`, which has no line of its own, is there from the start.
Table read_table(std::string_view rooms_cmake);

// What is wrong with the includes of one file, whose path is relative to the tree: `FILE:LINE: …`.
std::vector<std::string> look_at(const Rooms& rooms, const std::string& file, std::string_view text);

struct Report {
  std::size_t files = 0;
  std::size_t includes = 0;
  std::vector<std::string> findings;
};

// The table of a tree, and all its files below gateway/, certs/ and proto/.
Report look_at_tree(const std::filesystem::path& tree);

}  // namespace tollgate::architecture
