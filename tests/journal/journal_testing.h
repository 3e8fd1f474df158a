// What the journal's tests share: a folder that goes away, records, and reading everything back.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "gateway/journal/reader.h"
#include "gateway/journal/writer.h"

namespace tollgate::journal {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate-journal-XXXXXX").native();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path journal() const { return path_ / "journal"; }

 private:
  std::filesystem::path path_;
};

inline proto::Record exchange(const std::string& id) {
  proto::Record record;
  record.mutable_exchange()->set_id(id);
  record.mutable_exchange()->set_host("api.example.test");
  record.mutable_exchange()->set_path("/v1/" + id);
  return record;
}

inline WriterOptions options_for(const TemporaryFolder& folder, const std::string& run = "RUN") {
  WriterOptions options;
  options.dir = folder.journal();
  options.run = run;
  options.retry_after = Millis(0);
  return options;
}

inline std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::filesystem::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

// What a reader says until it says that there is no more (for now).
struct Reading {
  std::vector<std::string> ids;
  std::vector<Damaged> damage;
  bool finished = false;  // the segment, not only for now
};

inline void read_on(SegmentReader& reader, Reading& reading) {
  while (true) {
    auto step = reader.next().value();
    if (auto* entry = std::get_if<Entry>(&step)) {
      reading.ids.push_back(entry->record.exchange().id());
    } else if (auto* damaged = std::get_if<Damaged>(&step)) {
      reading.damage.push_back(std::move(*damaged));
    } else {
      reading.finished = std::holds_alternative<EndOfSegment>(step);
      return;
    }
  }
}

inline Reading read_segment(const std::filesystem::path& file) {
  Reading reading;
  auto reader = SegmentReader::open(file).value();
  read_on(reader, reading);
  return reading;
}

// All segments of a folder, in their order.
inline Reading read_journal(const std::filesystem::path& dir) {
  Reading all;
  all.finished = true;
  const auto segments = list_segments(dir).value();
  for (const SegmentFile& segment : segments) {
    const Reading one = read_segment(segment.path);
    all.ids.insert(all.ids.end(), one.ids.begin(), one.ids.end());
    all.damage.insert(all.damage.end(), one.damage.begin(), one.damage.end());
    all.finished = all.finished && one.finished;
  }
  return all;
}

}  // namespace tollgate::journal
