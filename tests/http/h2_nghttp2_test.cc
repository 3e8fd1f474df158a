// Our sessions against nghttp2 as others use it: with padding, priorities, Huffman coding and a dynamic table.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <memory>

#include "gateway/base/free_with.h"
#include "tests/http/h2_recorder.h"

namespace tollgate::http::test {

namespace {

using Events = std::vector<std::string>;

nghttp2_nv nv(std::string_view name, std::string_view value) {
  return {const_cast<std::uint8_t*>(as_bytes(name).data()), const_cast<std::uint8_t*>(as_bytes(value).data()),
          name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// A peer that pads every frame, and notes what it gets.
class RawPeer {
 public:
  Events events;
  std::string content;  // what it sends, in frames of 100 octets, trailers after it

  explicit RawPeer(bool server) {
    nghttp2_session_callbacks* made = nullptr;
    REQUIRE(nghttp2_session_callbacks_new(&made) == 0);
    const std::unique_ptr<nghttp2_session_callbacks, FreeWith<nghttp2_session_callbacks_del>> callbacks(made);
    nghttp2_session_callbacks_set_select_padding_callback(
        made, [](nghttp2_session*, const nghttp2_frame* frame, std::size_t most, void*) -> ssize_t {
          return static_cast<ssize_t>(std::min(most, frame->hd.length + 7));
        });
    nghttp2_session_callbacks_set_on_header_callback(
        made, [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                 const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* self) {
          static_cast<RawPeer*>(self)->events.push_back(std::string(as_text({name, name_size})) + "=" +
                                                        std::string(as_text({value, value_size})));
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        made, [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t size, void* self) {
          static_cast<RawPeer*>(self)->events.push_back("data " + std::string(as_text({data, size})));
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        made, [](nghttp2_session*, std::int32_t, std::uint32_t code, void* self) {
          static_cast<RawPeer*>(self)->events.push_back("closed " + h2_error_name(code));
          return 0;
        });
    nghttp2_session* session = nullptr;
    const int failed =
        server ? nghttp2_session_server_new(&session, made, this) : nghttp2_session_client_new(&session, made, this);
    REQUIRE(failed == 0);
    session_.reset(session);
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  }

  nghttp2_session* get() { return session_.get(); }

  nghttp2_data_provider provider() {
    nghttp2_data_provider made{};
    made.source.ptr = this;
    made.read_callback = [](nghttp2_session* session, std::int32_t stream, std::uint8_t* buffer, std::size_t length,
                            std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
      std::string& rest = static_cast<RawPeer*>(source->ptr)->content;
      const std::size_t size = std::min({length, rest.size(), std::size_t{100}});
      std::copy_n(rest.begin(), size, buffer);
      rest.erase(0, size);
      if (rest.empty()) {
        *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const nghttp2_nv trailer = nv("x-sum", "7");
        nghttp2_submit_trailer(session, stream, &trailer, 1);
      }
      return static_cast<ssize_t>(size);
    };
    return made;
  }

  void converse(H2Session& ours) {
    for (int turn = 0; turn < 100; ++turn) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(get(), &data);
      REQUIRE(size >= 0);
      REQUIRE(ours.receive({data, static_cast<std::size_t>(size)}));
      const Bytes back = written(ours);
      REQUIRE(nghttp2_session_mem_recv(get(), back.data(), back.size()) == static_cast<ssize_t>(back.size()));
      if (size == 0 && back.empty()) return;
    }
    FAIL("they never stop");
  }

 private:
  std::unique_ptr<nghttp2_session, FreeWith<nghttp2_session_del>> session_;
};

}  // namespace

TEST_CASE("a client that is nghttp2 is understood, padding and all", "[h2]") {
  Recorder recorder;
  H2Session ours(H2Session::Role::server, recorder, {});
  RawPeer peer(false);
  peer.content.assign(250, 'q');
  const std::array<nghttp2_nv, 5> head{nv(":method", "POST"), nv(":scheme", "https"), nv(":authority", "origin.test"),
                                       nv(":path", "/x"), nv("user-agent", "raw")};
  nghttp2_priority_spec priority;
  nghttp2_priority_spec_init(&priority, 0, 99, 1);
  const auto provider = peer.provider();
  REQUIRE(nghttp2_submit_request(peer.get(), &priority, head.data(), head.size(), &provider, nullptr) == 1);
  peer.converse(ours);
  CHECK(recorder.of(1) == Events{"request POST https|origin.test|/x user-agent=raw",
                                 "data \"" + std::string(250, 'q') + "\"", "trailers x-sum=7", "end"});
  ours.submit_informational(1, response_head(103));
  ours.submit_response(1, response_head(), EndStream::no);
  ours.send_data(1, as_bytes("answer"), EndStream::no);
  ours.send_trailers(1, fields({{"grpc-status", "0"}}));
  peer.converse(ours);
  CHECK(peer.events == Events{":status=103", ":status=200", "data answer", "grpc-status=0", "closed NO_ERROR"});
  CHECK(recorder.of(1).back() == "closed NO_ERROR");
}

TEST_CASE("an origin that is nghttp2 is understood, padding and all", "[h2]") {
  Recorder recorder;
  H2Session ours(H2Session::Role::client, recorder, {});
  RawPeer peer(true);
  peer.content.assign(250, 'r');
  const auto stream = ours.submit_request(request_head("POST"), EndStream::no);
  ours.send_data(*stream, as_bytes("question"), EndStream::yes);
  peer.converse(ours);
  CHECK(peer.events == Events{":method=POST", ":scheme=https", ":authority=origin.test", ":path=/", "data question"});
  const nghttp2_nv head = nv(":status", "200");
  const auto provider = peer.provider();
  REQUIRE(nghttp2_submit_response(peer.get(), *stream, &head, 1, &provider) == 0);
  peer.converse(ours);
  CHECK(recorder.of(*stream) ==
        Events{"response 200", "data \"" + std::string(250, 'r') + "\"", "trailers x-sum=7", "end", "closed NO_ERROR"});
}

}  // namespace tollgate::http::test
