// Properties: the same requests however the bytes are cut and whatever the limits; what is accepted, written by the
// writer and read again is the same.
#include <cstdlib>

#include "gateway/http/h1_transcript.h"

namespace {

using namespace tollgate;
using namespace tollgate::http;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_in_pieces(ByteView bytes, const H1Limits& limits) {
  const std::string_view text = as_text(bytes);
  const auto whole = read_requests(text, in_one_piece(), limits);
  require(read_requests(text, in_pieces_of(1), limits) == whole);
  require(read_requests(text, in_pieces_by(bytes), limits) == whole);
}

void write_and_read_again(ByteView bytes) {
  auto transcript = read_requests(as_text(bytes));
  transcript.error.reset();
  transcript.unread.clear();
  if (!transcript.messages.empty() && !transcript.messages.back().complete) transcript.messages.pop_back();
  ByteQueue written;
  for (const auto& message : transcript.messages) write_message(written, message);
  require(read_requests(as_text(written.view())) == transcript);
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView bytes(data, size);
  if (bytes.empty()) return 0;
  read_in_pieces(bytes, H1Limits{});
  read_in_pieces(bytes, H1Limits{.head = 96, .trailers = 24, .chunk_line = 12, .fields = 3});
  write_and_read_again(bytes);
  return 0;
}
