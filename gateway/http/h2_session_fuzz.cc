// HTTP/2 sessions against any bytes. The first octet chooses the role, how pieces are cut, and whether a connection
// preface is put in front; the rest is what the peer sends, played twice: a frame at a time, and in pieces. Both times
// the same must be seen, and what we send is bounded by what we got. Two things do depend on the cut, and are left out:
// content of a stream that did not end well (of a frame that turns out to be an error, the pieces before the error have
// been given out already), and, where the connection fails, streams that we reset (their RST_STREAM may be on its way).
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/http/h2_session.h"

namespace {

using namespace tollgate;
using namespace tollgate::http;

void require(bool holds) {
  if (!holds) std::abort();
}

// Notes what it is told, joins neighbouring content, and uses the session back as a mirror would.
class Mirror : public H2Visitor {
 public:
  H2Session* session = nullptr;
  std::vector<std::string> events;

  void on_request(StreamId stream, RequestHead head, EndStream end) override {
    require(!head.method.empty() && head.authority.find('@') == std::string::npos);
    note("{} request {} {} {} {} {} lines{}", stream, head.method, head.scheme, head.authority, head.target,
         head.fields.size(), end == EndStream::yes ? " end" : "");
    if (head.fields.count("x-reset") > 0) session->reset(stream, 8);
  }
  void on_response(StreamId stream, ResponseHead head, EndStream end) override {
    require(head.status >= 100 && head.status <= 999 && head.status != 101);
    note("{} response {} {} lines{}", stream, head.status, head.fields.size(), end == EndStream::yes ? " end" : "");
  }
  void on_data(StreamId stream, ByteView data) override {
    const std::string start = fmt::format("{} data ", stream);
    if (data.empty()) {
      note("{} empty data", stream);
    } else if (!events.empty() && events.back().starts_with(start)) {
      events.back() += as_text(data);
    } else {
      events.push_back(start + std::string(as_text(data)));
    }
    session->consume(stream, data.size());
  }
  void on_trailers(StreamId stream, Fields trailers) override { note("{} trailers {}", stream, trailers.size()); }
  void on_end(StreamId stream) override {
    note("{} end", stream);
    ended_.push_back(stream);
  }
  void on_close(StreamId stream, std::uint32_t code, bool by_peer) override {
    note("{} closed {} {}", stream, code, by_peer);
  }
  void on_drained(StreamId, std::size_t) override {}
  void on_goaway(StreamId last, std::uint32_t code, std::string_view debug) override {
    note("goaway {} {} {}", last, code, debug);
  }
  void on_settings() override { note("settings"); }

  // Later than the request, as an origin answers.
  void answer() {
    ResponseHead head;
    head.status = 200;
    for (const StreamId stream : ended_) {
      session->submit_response(stream, head, EndStream::no);
      session->send_data(stream, as_bytes("answer"), EndStream::yes);
    }
    ended_.clear();
  }

 private:
  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    events.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  std::vector<StreamId> ended_;
};

// What must not depend on how the input was cut.
std::vector<std::string> comparable(std::vector<std::string> events) {
  std::set<std::string> ended;
  const auto stream_of = [](const std::string& event) { return event.substr(0, event.find(' ')); };
  for (const std::string& event : events) {
    if (event == stream_of(event) + " end") ended.insert(stream_of(event));
  }
  const bool failed = !events.empty() && events.back().starts_with("HTTP/2 connection error");
  std::erase_if(events, [&](const std::string& event) {
    const std::string stream = stream_of(event);
    if (failed && event.starts_with(stream + " closed ") && event.ends_with(" false")) return true;
    return event.starts_with(stream + " data ") && ended.count(stream) == 0;
  });
  return events;
}

struct Play {
  H2Session::Role role;
  std::size_t piece;  // 0: whole frames
};

// The size of the frame, or of the preface, at the start of `bytes`; all of it when it is cut short.
std::size_t unit_at(ByteView bytes) {
  constexpr std::string_view magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  if (as_text(bytes).starts_with(magic)) return magic.size();
  ByteCursor cursor(bytes);
  const auto length = cursor.u24();
  constexpr std::size_t frame_header = 9;
  return length ? std::min(bytes.size(), frame_header + *length) : bytes.size();
}

std::vector<std::string> play(const Play& how, ByteView bytes) {
  H2Limits limits;
  limits.idle_frames_burst = 30;
  limits.max_header_list = 2000;
  limits.max_concurrent_streams = 5;
  limits.now = [] { return MonoTime{}; };
  Mirror mirror;
  H2Session session(how.role, mirror, limits);
  mirror.session = &session;
  ByteQueue out;
  if (how.role == H2Session::Role::client) {
    RequestHead head;
    head.method = "POST";
    head.scheme = "https";
    head.authority = "origin.test";
    head.target = "/";
    for (int i = 0; i < 3; ++i) {
      const auto stream = session.submit_request(head, EndStream::no);
      require(stream.has_value());
      session.send_data(*stream, as_bytes("question"), i == 1 ? EndStream::yes : EndStream::no);
    }
  }
  session.write_to(out, SIZE_MAX);
  const std::size_t most = out.size() + 2048 + 64 * bytes.size();
  Status status;
  while (!bytes.empty() && status) {
    ByteView unit = bytes.first(unit_at(bytes));
    bytes = bytes.subspan(unit.size());
    const std::size_t step = how.piece == 0 ? unit.size() : how.piece;
    while (!unit.empty() && status) {
      const ByteView piece = unit.first(std::min(step, unit.size()));
      status = session.receive(piece);
      unit = unit.subspan(piece.size());
    }
    if (status) mirror.answer();
    session.write_to(out, SIZE_MAX);
    require(out.size() <= most);
    require(session.streams() <= 64);
  }
  if (!status) {
    require(!session.alive());
    require(!session.receive(as_bytes("more")));
    mirror.events.push_back(status.error().what);
  }
  return comparable(std::move(mirror.events));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto role = (data[0] & 1U) != 0 ? H2Session::Role::client : H2Session::Role::server;
  const std::size_t piece = 1 + ((data[0] >> 2U) & 15U);
  Bytes bytes;
  if ((data[0] & 2U) != 0) {
    constexpr std::string_view magic = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    constexpr std::string_view settings("\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0", 18);  // and the acknowledgement of ours
    if (role == H2Session::Role::server) bytes.assign(magic.begin(), magic.end());
    bytes.insert(bytes.end(), settings.begin(), settings.end());
  }
  bytes.insert(bytes.end(), data + 1, data + size);
  require(play({role, 0}, bytes) == play({role, piece}, bytes));
  return 0;
}
