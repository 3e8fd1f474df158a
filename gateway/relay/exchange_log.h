// Exchanges under way on one worker, and how they become records. A record is appended when the response has ended,
// before its last byte leaves; an exchange that takes long is announced by a begin record, so that a crash shows it as
// interrupted.
// Threads: the worker's.
#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/counters.h"
#include "gateway/base/id.h"
#include "gateway/http/message.h"
#include "gateway/record/sink.h"
#include "proto/record.pb.h"

namespace tollgate::relay {

// How an exchange ended; a record's `state`.
enum class Outcome : std::uint8_t {
  complete,     // request and response, whole
  interrupted,  // the client went away, or the gateway stopped
  truncated,    // the origin ended before its response did
  reset,        // the origin reset the connection or the stream
  refused,      // the gateway answered instead: malformed, or not to be reached
};
std::string_view name(Outcome outcome);

struct OpenExchange : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  proto::Record record;
  MonoTime started;
  bool announced = false;
  bool recorded = false;
  proto::Exchange& facts() { return *record.mutable_exchange(); }
};
using OpenExchangeHandle = std::unique_ptr<OpenExchange>;

// Whose exchanges they are; outlives them.
struct ExchangeOrigin {
  std::string_view connection;  // id of the connection record
  std::string_view device;
};

class ExchangeLog {
 public:
  ExchangeLog(record::RecordSink& sink, IdSource& ids, Counters& counters)
      : sink_(sink), ids_(ids), counters_(counters) {}

  // A request head is complete. `version` is 1.0, 1.1 or 2; `scheme` and `host` say where it goes. `target` is split
  // here: nothing of the query but its keys is kept.
  OpenExchangeHandle begin(const ExchangeOrigin& origin, std::string_view version, const http::RequestHead& head,
                           std::string_view scheme, std::string_view host, std::string_view target);
  // The final response head.
  static void respond(OpenExchange& exchange, const http::ResponseHead& head);

  // The response has ended: writes the record. What the request side does after that is not recorded any more.
  void record(OpenExchange& exchange, Outcome outcome, std::string_view error);
  // Done with it. Records it as `outcome` if it was not recorded yet.
  void end(OpenExchangeHandle exchange, Outcome outcome, std::string_view error);

  // Writes begin records for those that have been open for a while; call it a few times a second.
  void announce_long_ones(MonoTime now);

 private:
  record::RecordSink& sink_;
  IdSource& ids_;
  Counters& counters_;
  // By start, oldest first; those announced are unlinked.
  boost::intrusive::list<OpenExchange, boost::intrusive::constant_time_size<false>> open_;
  std::vector<OpenExchangeHandle> spare_;  // records keep their allocations from use to use
};

}  // namespace tollgate::relay
