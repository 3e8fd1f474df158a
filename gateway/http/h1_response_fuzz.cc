// The first byte says what the response answers: H for HEAD, C for CONNECT, anything else for GET. Properties: the same
// responses however the bytes are cut and whatever the limits; what is accepted whole, written by the writer and read
// again is the same.
#include <cstdlib>

#include "gateway/http/h1_transcript.h"

namespace {

using namespace tollgate;
using namespace tollgate::http;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_in_pieces(ByteView bytes, std::string_view method, const H1Limits& limits) {
  const std::string_view text = as_text(bytes);
  const auto whole = read_response(text, method, in_one_piece(), limits);
  require(read_response(text, method, in_pieces_of(1), limits) == whole);
  require(read_response(text, method, in_pieces_by(bytes), limits) == whole);
}

void write_and_read_again(ByteView bytes, std::string_view method) {
  const auto transcript = read_response(as_text(bytes), method);
  if (transcript.error) return;
  ByteQueue written;
  for (const auto& message : transcript.messages) write_message(written, message);
  require(read_response(as_text(written.view()), method) == transcript);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view method = data[0] == 'H' ? "HEAD" : data[0] == 'C' ? "CONNECT" : "GET";
  const ByteView bytes(data + 1, size - 1);
  read_in_pieces(bytes, method, H1Limits{});
  read_in_pieces(bytes, method, H1Limits{.head = 96, .trailers = 24, .chunk_line = 12, .fields = 3});
  write_and_read_again(bytes, method);
  return 0;
}
