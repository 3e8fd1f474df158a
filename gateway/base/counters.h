// Everything that is counted, once: name, meaning and help text of each counter come from this table, and so do
// /metrics and `doctor`.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tollgate {

enum class Counter : std::uint8_t {
  connections_accepted,
  connections_turned_away,
  connections_evicted,
  connections_intercepted,
  connections_passed_through,
  connections_failed,
  connections_blocked,
  client_handshakes_failed,
  client_sessions_resumed,
  upstream_handshakes_failed,
  upstream_sessions_resumed,
  upstream_certificates_bad,
  upstream_unreachable,
  destinations_refused,
  deadlines_missed,
  exchanges,
  exchanges_unfinished,
  requests_malformed,
  responses_malformed,
  http2_floods,
  inbox_full,
  how_many  // not one: the table's size
};

struct CounterEntry {
  Counter counter;
  std::string_view name;  // Prometheus: tollgate_NAME_total
  std::string_view help;
};

inline constexpr auto counter_table = std::to_array<CounterEntry>({
    {Counter::connections_accepted, "connections_accepted", "client connections taken"},
    {Counter::connections_turned_away, "connections_turned_away", "closed at once: connection cap or no descriptors"},
    {Counter::connections_evicted, "connections_evicted", "half-open connections closed to make room for new ones"},
    {Counter::connections_intercepted, "connections_intercepted", "TLS opened, or plain HTTP"},
    {Counter::connections_passed_through, "connections_passed_through", "relayed untouched"},
    {Counter::connections_failed, "connections_failed", "ended before anything could be relayed"},
    {Counter::connections_blocked, "connections_blocked", "refused by a rule"},
    {Counter::client_handshakes_failed, "client_handshakes_failed", "TLS handshakes that clients did not finish"},
    {Counter::client_sessions_resumed, "client_sessions_resumed", "TLS sessions that clients resumed"},
    {Counter::upstream_handshakes_failed, "upstream_handshakes_failed", "TLS handshakes that origins did not finish"},
    {Counter::upstream_sessions_resumed, "upstream_sessions_resumed", "TLS sessions resumed with origins"},
    {Counter::upstream_certificates_bad, "upstream_certificates_bad", "origins whose certificate did not verify"},
    {Counter::upstream_unreachable, "upstream_unreachable", "origins without an address or an answer"},
    {Counter::destinations_refused, "destinations_refused", "loopback, link-local or own addresses asked for"},
    {Counter::deadlines_missed, "deadlines_missed", "connections closed because a peer took too long"},
    {Counter::exchanges, "exchanges", "HTTP exchanges recorded"},
    {Counter::exchanges_unfinished, "exchanges_unfinished", "of these, those that did not end as they should"},
    {Counter::requests_malformed, "requests_malformed", "requests refused because they are ambiguous or malformed"},
    {Counter::responses_malformed, "responses_malformed", "responses thrown away because they are malformed"},
    {Counter::http2_floods, "http2_floods", "HTTP/2 connections closed for flooding"},
    {Counter::inbox_full, "inbox_full", "times that reading stopped because a peer sent far ahead"},
});
static_assert(counter_table.size() == static_cast<std::size_t>(Counter::how_many), "each counter has its entry");

// One thread adds, any thread reads. A worker has its own, so that nothing is contended.
class Counters {
 public:
  void add(Counter counter, std::uint64_t count = 1) {
    auto& value = values_.at(static_cast<std::size_t>(counter));
    value.store(value.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t get(Counter counter) const {
    return values_.at(static_cast<std::size_t>(counter)).load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(Counter::how_many)> values_{};
};

}  // namespace tollgate
