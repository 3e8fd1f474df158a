#include "gateway/relay/exchange_log.h"

#include <utility>

#include "gateway/base/unreachable.h"
#include "gateway/http/h1_semantics.h"
#include "gateway/record/redact.h"

namespace tollgate::relay {
namespace {

// A crash within this time of a request loses sight of it, unless its response had ended.
constexpr Millis announce_after{1000};
constexpr std::size_t spare_limit = 256;
constexpr std::size_t method_limit = 64;
constexpr std::size_t host_limit = 320;

}  // namespace

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::complete: return "complete";
    case Outcome::interrupted: return "interrupted";
    case Outcome::truncated: return "truncated";
    case Outcome::reset: return "reset";
    case Outcome::refused: return "refused";
  }
  unreachable_state();
}

OpenExchangeHandle ExchangeLog::begin(const ExchangeOrigin& origin, std::string_view version,
                                      const http::RequestHead& head, std::string_view scheme, std::string_view host,
                                      std::string_view target) {
  OpenExchangeHandle exchange;
  if (spare_.empty()) {
    exchange = std::make_unique<OpenExchange>();
  } else {
    exchange = std::move(spare_.back());
    spare_.pop_back();
    exchange->announced = exchange->recorded = false;
  }
  const WallTime now = wall_now();
  exchange->started = mono_now();
  proto::Exchange& facts = exchange->facts();
  facts.Clear();
  facts.set_id(ids_.next(now));
  facts.set_time(to_micros(now));
  facts.set_device(origin.device.data(), origin.device.size());
  facts.set_connection(origin.connection.data(), origin.connection.size());
  facts.set_http(version.data(), version.size());
  facts.set_method(record::recorded_text(head.method, method_limit));
  facts.set_scheme(scheme.data(), scheme.size());
  facts.set_host(record::recorded_text(host, host_limit));
  record::RecordedTarget split = record::split_target(target);
  facts.set_path(std::move(split.path));
  for (std::string& key : split.query) facts.add_query(std::move(key));
  if (const auto type = head.fields.find("content-type")) {
    facts.set_request_type(record::recorded_text(http::media_type(*type), record::max_query_key));
  }
  if (const auto agent = head.fields.find("user-agent")) facts.set_user_agent(record::recorded_user_agent(*agent));
  facts.set_action("allowed");
  open_.push_back(*exchange);
  return exchange;
}

void ExchangeLog::respond(OpenExchange& exchange, const http::ResponseHead& head) {
  proto::Exchange& facts = exchange.facts();
  facts.set_status(head.status);
  if (const auto type = head.fields.find("content-type")) {
    facts.set_response_type(record::recorded_text(http::media_type(*type), record::max_query_key));
  }
}

void ExchangeLog::record(OpenExchange& exchange, Outcome outcome, std::string_view error) {
  proto::Exchange& facts = exchange.facts();
  facts.set_duration_ms(static_cast<double>(std::chrono::duration_cast<Micros>(mono_now() - exchange.started).count()) /
                        1000.0);
  const std::string_view state = name(outcome);
  facts.set_state(state.data(), state.size());
  facts.set_error(error.data(), error.size());
  if (outcome == Outcome::refused) facts.set_action("blocked");
  exchange.record.set_begin(false);
  exchange.recorded = true;
  exchange.unlink();
  sink_.append(exchange.record);
  counters_.add(Counter::exchanges);
  if (outcome != Outcome::complete) counters_.add(Counter::exchanges_unfinished);
}

void ExchangeLog::end(OpenExchangeHandle exchange, Outcome outcome, std::string_view error) {
  if (!exchange->recorded) record(*exchange, outcome, error);
  if (spare_.size() < spare_limit) spare_.push_back(std::move(exchange));
}

void ExchangeLog::announce_long_ones(MonoTime now) {
  while (!open_.empty() && now - open_.front().started >= announce_after) {
    OpenExchange& exchange = open_.front();
    open_.pop_front();
    exchange.announced = true;
    exchange.facts().set_state("open");
    exchange.record.set_begin(true);
    sink_.append(exchange.record);
  }
}

}  // namespace tollgate::relay
