#include "gateway/app/log_command.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "gateway/base/clock.h"
#include "gateway/base/id.h"
#include "gateway/journal/writer.h"
#include "gateway/store/store.h"
#include "tests/app/program.h"

using namespace tollgate;
using namespace tollgate::app;

namespace {

// A journal of a gateway that is still running, and how records get into it.
class Journal {
 public:
  explicit Journal(const std::filesystem::path& state) {
    journal::WriterOptions options;
    options.dir = store::journal_dir(state);
    std::filesystem::create_directories(state);
    options.run = ids_.next(wall_now());
    writer_ = journal::Writer::open(std::move(options)).value();
  }
  void add(const std::string& host, const std::string& app = "", std::int64_t age_s = 0) {
    proto::Record record;
    auto& exchange = *record.mutable_exchange();
    exchange.set_id(ids_.next(wall_now()));
    exchange.set_time(to_micros(wall_now() - Seconds(age_s)));
    exchange.set_device("phone");
    exchange.set_method("GET");
    exchange.set_scheme("https");
    exchange.set_host(host);
    exchange.set_path("/");
    exchange.set_status(200);
    exchange.set_state("complete");
    exchange.set_action("allowed");
    exchange.mutable_app()->set_id(app);
    writer_->append(record);
    writer_->commit();
  }

 private:
  IdSource ids_;
  std::unique_ptr<journal::Writer> writer_;
};

auto lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("before anything was recorded the log is empty, which is no failure", "[app]") {
  const TemporaryFolder folder;
  const Ran ran = run({"log", "--json", "--set", folder.set_state()});
  CHECK(ran.exit == Exit::done);
  CHECK(ran.out.empty());
  CHECK(has(ran.err, "no gateway has run here yet"));
  CHECK_FALSE(std::filesystem::exists(folder.state()));
}

TEST_CASE("what the journal holds is in the log, as NDJSON and as a table", "[app]") {
  const TemporaryFolder folder;
  Journal journal(folder.state());
  journal.add("one.example.test");
  journal.add("two.example.test");

  const Ran json = run({"log", "--json", "--set", folder.set_state()});
  CHECK(json.exit == Exit::done);
  CHECK(lines(json.out) == 2);
  CHECK(json.out.starts_with("{\"kind\":\"exchange\","));
  CHECK(json.out.find("one.example.test") < json.out.find("two.example.test"));

  const Ran table = run({"log", "--set", folder.set_state()});
  CHECK(lines(table.out) == 3);
  CHECK(table.out.starts_with("TIME"));
  CHECK(has(table.out, "two.example.test/"));
  CHECK(table.out.find('\x1b') == std::string::npos);
}

TEST_CASE("each filter leaves out what it should", "[app]") {
  const TemporaryFolder folder;
  Journal journal(folder.state());
  journal.add("old.example.test", "com.example.weather", 7200);
  journal.add("new.example.test", "com.example.news");
  const auto hosts = [&](const std::vector<std::string>& filter) {
    std::vector<std::string> arguments{"log", "--json", "--set", folder.set_state()};
    arguments.insert(arguments.end(), filter.begin(), filter.end());
    const Ran ran = run(arguments);
    CHECK(ran.exit == Exit::done);
    return std::string(has(ran.out, "old.example") ? "old " : "") + (has(ran.out, "new.example") ? "new" : "");
  };
  CHECK(hosts({}) == "old new");
  CHECK(hosts({"--since", "1h"}) == "new");
  CHECK(hosts({"--until", "1h"}) == "old ");
  CHECK(hosts({"--app", "com.example.news"}) == "new");
  CHECK(hosts({"--host", "old.example.test"}) == "old ");
  CHECK(hosts({"--device", "phone"}) == "old new");
  CHECK(hosts({"--device", "tablet"}).empty());
  CHECK(hosts({"--action", "blocked"}).empty());
  CHECK(hosts({"--class", "ads"}).empty());
  CHECK(hosts({"--kind", "connection"}).empty());
  CHECK(hosts({"--limit", "1"}) == "new");
}

TEST_CASE("a terminal shows the last hundred, unless it is told otherwise; a pipe shows all", "[app]") {
  const TemporaryFolder folder;
  Journal journal(folder.state());
  for (int i = 0; i < 105; ++i) journal.add("host" + std::to_string(i) + ".test");
  const Terminal terminal{true, false, 120};
  const Ran shown = run({"log", "--set", folder.set_state()}, terminal);
  CHECK(lines(shown.out) == 101);
  CHECK_FALSE(has(shown.out, " host4.test"));
  CHECK(has(shown.out, " host104.test"));
  CHECK(lines(run({"log", "--limit", "103", "--set", folder.set_state()}, terminal).out) == 104);
  CHECK(lines(run({"log", "--json", "--set", folder.set_state()}, terminal).out) == 105);
  CHECK(lines(run({"log", "--set", folder.set_state()}).out) == 106);
}

TEST_CASE("log --follow goes on with what is recorded, each record once, until its reader is gone", "[app]") {
  const TemporaryFolder folder;
  Journal journal(folder.state());
  journal.add("before.test");
  int pauses = 0;
  const auto pause = [&](Millis) {
    ++pauses;
    if (pauses == 1) journal.add("during.test");
    if (pauses == 2) journal.add("filtered.example");
    return pauses < 4;
  };
  const Ran ran = run({"log", "--json", "--follow", "--host", "*.test", "--set", folder.set_state()}, {}, pause);
  CHECK(ran.exit == Exit::done);
  CHECK(pauses == 4);
  CHECK(lines(ran.out) == 2);
  CHECK(ran.out.find("before.test") < ran.out.find("during.test"));
}

TEST_CASE("log --follow without a log is told so", "[app]") {
  const TemporaryFolder folder;
  const Ran ran = run({"log", "--follow", "--set", folder.set_state()});
  CHECK(ran.exit == Exit::no);
  CHECK(ran.err.size() > 10);
}
