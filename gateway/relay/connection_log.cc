#include "gateway/relay/connection_log.h"

#include "gateway/base/unreachable.h"
#include "gateway/record/redact.h"
#include "gateway/tls/ja4.h"

namespace tollgate::relay {
namespace {
constexpr Millis merge_within{200};
constexpr int bursts_limit = 4096;  // a record; what comes later is added to the last burst
constexpr Seconds part_length{600};
constexpr std::size_t error_limit = 500;
constexpr std::size_t alpn_limit = 64;
constexpr int alpn_names_limit = 16;
}  // namespace

std::string_view name(Treatment treatment) {
  switch (treatment) {
    case Treatment::undecided: return "";
    case Treatment::intercepted: return "intercepted";
    case Treatment::passthrough: return "passthrough";
    case Treatment::blocked: return "blocked";
    case Treatment::failed: return "failed";
  }
  unreachable_state();
}

ConnectionLog::ConnectionLog(record::RecordSink& sink, IdSource& ids, Counters& counters, std::string_view device,
                             std::string_view transport)
    : sink_(sink), counters_(counters), opened_(mono_now()), part_began_(opened_), last_moved_(opened_) {
  const WallTime now = wall_now();
  facts().set_id(ids.next(now));
  facts().set_time(to_micros(now));
  facts().set_opened(to_micros(now));
  facts().set_device(device.data(), device.size());
  facts().set_transport(transport.data(), transport.size());
}

void ConnectionLog::hello(const tls::ClientHello& hello) {
  if (hello.server_name) facts().set_sni(hello.server_name->text());
  for (const std::string& protocol : hello.alpn) {
    if (facts().alpn_size() == alpn_names_limit) break;
    facts().add_alpn(record::recorded_text(protocol, alpn_limit));
  }
  facts().set_ja4(tls::ja4(hello));
}

void ConnectionLog::decide(Treatment treatment, std::string_view why) {
  if (decided()) return;
  treatment_ = treatment;
  const std::string_view word = name(treatment);
  facts().set_treatment(word.data(), word.size());
  facts().set_reason(why.data(), why.size());
  switch (treatment) {
    case Treatment::undecided: break;
    case Treatment::intercepted: counters_.add(Counter::connections_intercepted); break;
    case Treatment::passthrough: counters_.add(Counter::connections_passed_through); break;
    case Treatment::blocked: counters_.add(Counter::connections_blocked); break;
    case Treatment::failed: counters_.add(Counter::connections_failed); break;
  }
}

void ConnectionLog::error(std::string_view sentence) {
  if (facts().error().empty()) facts().set_error(record::recorded_text(sentence, error_limit));
}

void ConnectionLog::moved(ByteCount up, ByteCount down, MonoTime now) {
  const bool same = facts().activity_size() > 0 && now - last_moved_ <= merge_within;
  last_moved_ = now;
  proto::Burst* burst = nullptr;
  if (same || facts().activity_size() == bursts_limit) {
    burst = facts().mutable_activity(facts().activity_size() - 1);
  } else {
    burst = facts().add_activity();
    burst->set_ms(static_cast<std::uint64_t>(std::chrono::duration_cast<Millis>(now - opened_).count()));
  }
  burst->set_up(burst->up() + up);
  burst->set_down(burst->down() + down);
}

void ConnectionLog::part_if_due(ByteCount up, ByteCount down, MonoTime now) {
  if (now - part_began_ < part_length) return;
  part_began_ = now;
  if (facts().activity_size() == 0) return;
  write_part(up, down);
  facts().set_part(facts().part() + 1);
  facts().clear_activity();
}

void ConnectionLog::close(ByteCount up, ByteCount down) {
  facts().set_closed(to_micros(wall_now()));
  write_part(up, down);
}

void ConnectionLog::write_part(ByteCount up, ByteCount down) {
  facts().set_bytes_up(up);
  facts().set_bytes_down(down);
  sink_.append(record_);
}

}  // namespace tollgate::relay
