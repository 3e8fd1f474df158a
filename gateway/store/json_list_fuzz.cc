// The JSON lists of the store: what is read is written and read again as the same, and written text is a fixed point.
#include <cstdlib>

#include "gateway/base/bytes.h"
#include "gateway/store/json_list.h"
#include "proto/record.pb.h"

namespace {

using namespace tollgate;

void check(std::string_view text, google::protobuf::Message& first, google::protobuf::Message& second,
           const char* field_name) {
  const auto* field = first.GetDescriptor()->FindFieldByName(field_name);
  if (!store::read_json_list(text, first, *field)) return;
  std::string written;
  store::append_json_list(first, *field, written);
  if (!store::read_json_list(written, second, *field)) std::abort();
  std::string again;
  store::append_json_list(second, *field, again);
  if (written != again) std::abort();
  if (first.GetReflection()->FieldSize(first, field) != second.GetReflection()->FieldSize(second, field)) std::abort();
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text({data, size});
  proto::Exchange exchanges[4];
  check(text, exchanges[0], exchanges[1], "query");
  check(text, exchanges[2], exchanges[3], "identifiers");
  proto::Connection connections[2];
  check(text, connections[0], connections[1], "activity");
  return 0;
}
