#include "gateway/app/log_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "gateway/app/log_table.h"
#include "gateway/app/moment.h"
#include "gateway/base/text.h"
#include "gateway/record/ndjson.h"
#include "gateway/store/filter.h"
#include "gateway/store/log_reader.h"

namespace tollgate::app {
namespace {

constexpr std::size_t shown_on_a_terminal = 100;
constexpr std::size_t largest_limit = 1'000'000'000;
constexpr Millis between_polls{200};

struct LogOptions {
  bool json = false;
  bool follow = false;
  std::optional<std::string> since, until, app, device, klass, host, action, kind;
  std::optional<std::size_t> limit;
};

// The texts of the command line as conditions. Errors: malformed, naming the option.
Result<store::Filter> to_filter(const LogOptions& options, const Terminal& terminal, WallTime now) {
  store::Filter filter;
  filter.app = options.app;
  filter.device = options.device;
  filter.klass = options.klass;
  filter.host = options.host;
  filter.action = options.action;
  filter.limit = options.limit;
  if (!filter.limit && !options.json && terminal.interactive) filter.limit = shown_on_a_terminal;
  const auto wrong = [](std::string_view option, const Error& error) {
    return fail(Error::Kind::malformed, fmt::format("log: {}: {}", option, error.what));
  };
  if (options.since) {
    const auto since = parse_moment(*options.since, now);
    if (!since) return wrong("--since", since.error());
    filter.since = *since;
  }
  if (options.until) {
    const auto until = parse_moment(*options.until, now);
    if (!until) return wrong("--until", until.error());
    filter.until = *until;
  }
  if (options.kind) {
    const auto kind = store::parse_kind(*options.kind);
    if (!kind) return wrong("--kind", kind.error());
    filter.kind = *kind;
  }
  return filter;
}

// Prints records one by one in the form that was asked for.
class Printer {
 public:
  Printer(bool json, Console& console) : json_(json), console_(console), table_(console.terminal) {
    if (!json_) console_.out << table_.header() << '\n';
  }

  // False when nobody reads any more.
  bool operator()(const proto::Record& record) {
    if (json_) {
      text_.clear();
      record::append_ndjson(record, text_);
      console_.out << text_;
    } else {
      console_.out << table_.line(record) << '\n';
    }
    return console_.out.good();
  }

 private:
  bool json_;
  Console& console_;
  LogTable table_;
  std::string text_;
};

// Until the reader of the output goes away.
Exit follow(store::Follow source, Printer& print, Console& console) {
  while (true) {
    const auto polled = source.poll(std::ref(print));
    if (!polled) return report(polled.error(), console);
    console.out.flush();
    if (!console.out.good() || !console.pause(between_polls)) return Exit::done;
  }
}

Exit print_log(const LogOptions& options, const config::Config& config, const store::Filter& filter, Console& console) {
  const auto reader = store::LogReader::open(config.state_dir);
  if (!reader && reader.error().kind == Error::Kind::not_found && !options.follow) {
    // Nothing has been recorded yet: an empty log is no failure.
    console.err << fmt::format("tollgate: {}: no gateway has run here yet\n", printable(config.state_dir.string()));
    return Exit::done;
  }
  if (!reader) return report(reader.error(), console);
  Printer print(options.json, console);
  const auto visited = reader->visit(filter, std::ref(print));
  if (!visited) return report(visited.error(), console);
  if (reader->damaged() > 0) {
    console.err << fmt::format("tollgate: {} damaged journal entries were left out\n", reader->damaged());
  }
  return options.follow ? follow(reader->follow(filter), print, console) : Exit::done;
}

}  // namespace

Action declare_log(CLI::App& command) {
  const auto options = std::make_shared<LogOptions>();
  command.add_flag("--json", options->json, "NDJSON: one object a line");
  command.add_flag("--follow", options->follow, "go on with what is recorded from now on");
  command.add_option("--since", options->since, "from this time (RFC 3339) or age (24h) on")->type_name("TIME");
  command.add_option("--until", options->until, "before this time or age")->type_name("TIME");
  command.add_option("--app", options->app, "bundle id or name, a part of it, or a glob")->type_name("APP");
  command.add_option("--device", options->device, "device, or a glob")->type_name("DEVICE");
  command.add_option("--class", options->klass, "what the request is for: analytics, ads, …")->type_name("CLASS");
  command.add_option("--host", options->host, "this name and those below it, or a glob")->type_name("HOST");
  command.add_option("--action", options->action, "allowed, blocked, redacted; intercepted, passthrough, failed")
      ->type_name("ACTION");
  command.add_option("--kind", options->kind, "exchange, connection, dns or hint")->type_name("KIND");
  command.add_option("--limit", options->limit, "only the last so many")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{0}, largest_limit));  // the conversion alone would take -1 for a large number

  return [options](const CommonOptions& common, Console& console) {
    const auto filter = to_filter(*options, console.terminal, wall_now());
    if (!filter) {
      report(filter.error(), console);
      return Exit::usage;
    }
    const Loaded loaded = load_or_report(common, console);
    return loaded.config ? print_log(*options, *loaded.config, *filter, console) : loaded.exit;
  };
}

}  // namespace tollgate::app
