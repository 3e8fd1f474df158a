// The record of one client connection, from accept to close: what it was, what was done with it, and when payload
// moved. Threads: the worker's.
#pragma once

#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/counters.h"
#include "gateway/base/id.h"
#include "gateway/base/units.h"
#include "gateway/record/sink.h"
#include "gateway/tls/client_hello.h"
#include "proto/record.pb.h"

namespace tollgate::relay {

// A connection record's `treatment` and `reason` (the contract's words).
enum class Treatment : std::uint8_t { undecided, intercepted, passthrough, blocked, failed };
std::string_view name(Treatment treatment);

namespace reason {
inline constexpr std::string_view none;
inline constexpr std::string_view not_tls = "not_tls";
inline constexpr std::string_view not_http = "not_http";
inline constexpr std::string_view upstream_certificate = "upstream_certificate";
inline constexpr std::string_view upstream_unreachable = "upstream_unreachable";
inline constexpr std::string_view upstream_tls = "upstream_tls";
inline constexpr std::string_view client_certificate = "client_certificate";
inline constexpr std::string_view client_tls = "client_tls";
inline constexpr std::string_view untrusted_ca = "untrusted_ca";
inline constexpr std::string_view destination_refused = "destination_refused";
inline constexpr std::string_view malformed = "malformed";
inline constexpr std::string_view timeout = "timeout";
inline constexpr std::string_view evicted = "evicted";
inline constexpr std::string_view client_closed = "client_closed";
}  // namespace reason

class ConnectionLog {
 public:
  ConnectionLog(record::RecordSink& sink, IdSource& ids, Counters& counters, std::string_view device,
                std::string_view transport);

  const std::string& id() const { return facts().id(); }
  const std::string& device() const { return facts().device(); }
  proto::Connection& facts() { return *record_.mutable_connection(); }
  const proto::Connection& facts() const { return record_.connection(); }

  void hello(const tls::ClientHello& hello);
  // The first decision stays; later trouble is told by error().
  void decide(Treatment treatment, std::string_view why);
  bool decided() const { return treatment_ != Treatment::undecided; }
  // The first error stays.
  void error(std::string_view sentence);
  void exchange_recorded() { facts().set_exchanges(facts().exchanges() + 1); }

  // Payload has moved; merged into bursts.
  void moved(ByteCount up, ByteCount down, MonoTime now);
  MonoTime last_moved() const { return last_moved_; }  // or when it was opened
  // Writes a part if the last is ten minutes old and something moved since; call it now and then.
  void part_if_due(ByteCount up, ByteCount down, MonoTime now);
  // Writes the last part. `up` and `down` are bytes on the wire.
  void close(ByteCount up, ByteCount down);

 private:
  void write_part(ByteCount up, ByteCount down);

  record::RecordSink& sink_;
  Counters& counters_;
  proto::Record record_;
  Treatment treatment_ = Treatment::undecided;
  MonoTime opened_;
  MonoTime part_began_;
  MonoTime last_moved_;
};

}  // namespace tollgate::relay
