// A visitor that writes down what it is told, and things to do with sessions in memory.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gateway/http/h2_session.h"
#include "tests/http/h2_frames.h"

namespace tollgate::http::test {

inline std::string text_of(const RequestHead& head) {
  std::string text = head.method + " " + head.scheme + "|" + head.authority + "|" + head.target;
  if (!head.protocol.empty()) text += "|" + head.protocol;
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    text += " " + std::string(head.fields.at(i).name) + "=" + std::string(head.fields.at(i).value);
  }
  return text;
}
inline std::string text_of(const Fields& fields) {
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    text += " " + std::string(fields.at(i).name) + "=" + std::string(fields.at(i).value);
  }
  return text;
}

// Events as sentences, neighbouring content of one stream joined, so that they do not depend on how it was cut.
class Recorder : public H2Visitor {
 public:
  std::vector<std::string> events;
  std::size_t received = 0;                          // octets of content
  std::map<StreamId, std::size_t> drained;           // octets
  std::function<void(StreamId, EndStream)> request;  // called after it was noted
  std::function<void(StreamId, std::uint16_t)> response;
  std::function<void(StreamId, ByteView)> data;
  std::function<void(StreamId)> end;
  std::function<void(StreamId)> closed;

  void on_request(StreamId stream, RequestHead head, EndStream ends) override {
    note(stream, "request " + text_of(head) + (ends == EndStream::yes ? " end" : ""));
    if (request) request(stream, ends);
  }
  void on_response(StreamId stream, ResponseHead head, EndStream ends) override {
    note(stream,
         "response " + std::to_string(head.status) + text_of(head.fields) + (ends == EndStream::yes ? " end" : ""));
    if (response) response(stream, head.status);
  }
  void on_data(StreamId stream, ByteView bytes) override {
    received += bytes.size();
    const std::string start = std::to_string(stream) + ": data \"";
    if (bytes.empty()) {
      note(stream, "empty data");
    } else if (!events.empty() && events.back().starts_with(start)) {
      events.back().insert(events.back().size() - 1, as_text(bytes));
    } else {
      note(stream, "data \"" + std::string(as_text(bytes)) + "\"");
    }
    if (data) data(stream, bytes);
  }
  void on_trailers(StreamId stream, Fields trailers) override { note(stream, "trailers" + text_of(trailers)); }
  void on_end(StreamId stream) override {
    note(stream, "end");
    if (end) end(stream);
  }
  void on_close(StreamId stream, std::uint32_t code, bool by_peer) override {
    note(stream, "closed " + h2_error_name(code) + (by_peer ? " by peer" : ""));
    if (closed) closed(stream);
  }
  void on_drained(StreamId stream, std::size_t count) override { drained[stream] += count; }
  void on_goaway(StreamId last, std::uint32_t code, std::string_view debug) override {
    note(0, "goaway " + std::to_string(last) + " " + h2_error_name(code) + (debug.empty() ? "" : " ") +
                std::string(debug));
  }
  void on_settings() override { note(0, "settings"); }

  // The events of one stream, without their number.
  std::vector<std::string> of(StreamId stream) const {
    const std::string start = std::to_string(stream) + ": ";
    std::vector<std::string> some;
    for (const std::string& event : events) {
      if (event.starts_with(start)) some.push_back(event.substr(start.size()));
    }
    return some;
  }

 private:
  void note(StreamId stream, const std::string& what) { events.push_back(std::to_string(stream) + ": " + what); }
};

inline RequestHead request_head(std::string method = "GET", std::string target = "/") {
  RequestHead head;
  head.method = std::move(method);
  head.scheme = "https";
  head.authority = "origin.test";
  head.target = std::move(target);
  return head;
}
inline ResponseHead response_head(std::uint16_t status = 200) {
  ResponseHead head;
  head.status = status;
  return head;
}
inline Fields fields(const Lines& lines) {
  Fields made;
  for (const auto& [name, value] : lines) made.add(name, value);
  return made;
}

inline constexpr std::size_t no_mark = std::size_t{1} << 30U;

// Everything the session has to send.
inline Bytes written(H2Session& session, std::size_t high_mark = no_mark) {
  ByteQueue out;
  session.write_to(out, high_mark);
  return out.take();
}
inline std::vector<Frame> frames_of(H2Session& session) { return frames_in(written(session)); }

// Carries bytes between two sessions until both are silent. False when one of them reports an error.
inline bool converse(H2Session& a, H2Session& b) {
  for (int turn = 0; turn < 10000; ++turn) {
    const Bytes to_b = written(a);
    const Bytes to_a = written(b);
    if (to_a.empty() && to_b.empty()) return true;
    if (!to_b.empty() && !b.receive(to_b)) return false;
    if (!to_a.empty() && !a.receive(to_a)) return false;
  }
  return false;
}

// A client session and a server session that have met.
struct Pair {
  Recorder at_client, at_server;
  H2Session client;
  H2Session server;

  explicit Pair(const H2Limits& client_limits = {}, const H2Limits& server_limits = {})
      : client(H2Session::Role::client, at_client, client_limits),
        server(H2Session::Role::server, at_server, server_limits) {
    converse();
    at_client.events.clear();
    at_server.events.clear();
  }
  bool converse() { return test::converse(client, server); }
};

}  // namespace tollgate::http::test
