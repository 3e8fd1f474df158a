// Builders for the store's tests: a state.dir of one's own, journal writers, records.
#pragma once

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/journal/writer.h"
#include "gateway/record/ndjson.h"
#include "gateway/store/ingestion.h"
#include "gateway/store/log_reader.h"
#include "gateway/store/store.h"

namespace tollgate::store {

// A state.dir that goes with the test.
class StateDir {
 public:
  StateDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tollgate-store-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~StateDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline constexpr std::int64_t monday = 1'790'000'000'000'000;  // microseconds

// One worker of a run; the run is alive as long as it is.
inline std::unique_ptr<journal::Writer> writer(const StateDir& state, const std::string& run = "RUN1",
                                               ByteCount rotate_size = 16 * mebibyte, std::uint16_t worker = 0) {
  journal::WriterOptions options;
  options.dir = journal_dir(state.path());
  options.run = run;
  options.worker = worker;
  options.rotate_size = rotate_size;
  auto opened = journal::Writer::open(options);
  REQUIRE(opened);
  return std::move(*opened);
}

inline void write(journal::Writer& writer, const std::vector<proto::Record>& records) {
  for (const auto& record : records) writer.append(record);
  writer.commit();
}

// `number` gives the id and the time.
inline std::string id_of(std::int64_t number) {
  std::string digits = std::to_string(number);
  return "ID" + std::string(digits.size() < 12 ? 12 - digits.size() : 0, '0') + digits;
}

inline proto::Record exchange(std::int64_t number, const std::function<void(proto::Exchange&)>& with = {}) {
  proto::Record record;
  auto& exchange = *record.mutable_exchange();
  exchange.set_id(id_of(number));
  exchange.set_time(monday + number);
  exchange.set_device("phone");
  exchange.set_http("2");
  exchange.set_method("GET");
  exchange.set_scheme("https");
  exchange.set_host("api.example.test");
  exchange.set_path("/v1/things");
  exchange.set_status(200);
  exchange.set_action("allowed");
  exchange.set_state("complete");
  if (with) with(exchange);
  return record;
}

inline proto::Record begin(std::int64_t number) {
  auto record = exchange(number, [](proto::Exchange& exchange) {
    exchange.set_status(0);
    exchange.set_state("");
  });
  record.set_begin(true);
  return record;
}

inline proto::Record connection(std::int64_t number, const std::function<void(proto::Connection&)>& with = {}) {
  proto::Record record;
  auto& connection = *record.mutable_connection();
  connection.set_id(id_of(number));
  connection.set_time(monday + number);
  connection.set_opened(monday + number);
  connection.set_closed(monday + number + 1000);
  connection.set_device("phone");
  connection.set_host("api.example.test:443");
  connection.set_treatment("intercepted");
  if (with) with(connection);
  return record;
}

// Everything that the journal holds, into the store.
inline Ingestion::Batch ingest(const StateDir& state, WallTime now = wall_now()) {
  DamageLog damage;
  auto ingestion = Ingestion::open(state.path(), damage);
  REQUIRE(ingestion);
  Ingestion::Batch all;
  for (bool more = true; more;) {
    const auto batch = (*ingestion)->step(now);
    REQUIRE(batch);
    all.records += batch->records;
    all.damaged += batch->damaged;
    all.interrupted += batch->interrupted;
    more = batch->more;
  }
  return all;
}

inline LogReader open_log(const StateDir& state) {
  auto reader = LogReader::open(state.path());
  if (!reader) FAIL(reader.error().what);
  return std::move(*reader);
}

inline std::vector<proto::Record> all_of(const LogReader& reader, const Filter& filter = {}) {
  std::vector<proto::Record> records;
  const auto visited = reader.visit(filter, [&](const proto::Record& record) {
    records.push_back(record);
    return true;
  });
  if (!visited) FAIL(visited.error().what);
  return records;
}

inline std::string id(const proto::Record& record) {
  if (record.has_exchange()) return record.exchange().id();
  if (record.has_connection()) return record.connection().id();
  return record.has_dns() ? record.dns().id() : record.hint().id();
}

inline std::vector<std::string> ids(const std::vector<proto::Record>& records) {
  std::vector<std::string> all;
  for (const auto& record : records) all.push_back(id(record));
  return all;
}

inline std::vector<std::string> ids_of(const std::vector<std::int64_t>& numbers) {
  std::vector<std::string> all;
  for (const auto number : numbers) all.push_back(id_of(number));
  return all;
}

inline std::string ndjson(const proto::Record& record) {
  std::string line;
  record::append_ndjson(record, line);
  return line;
}

inline std::int64_t count(const StateDir& state, const std::string& sql) {
  auto database = Database::open(database_path(state.path()));
  REQUIRE(database);
  const auto value = database->integer(sql);
  if (!value) FAIL(value.error().what);
  return *value;
}

}  // namespace tollgate::store
