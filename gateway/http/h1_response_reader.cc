//   idle ──begin──▶ status_line ──▶ fields ──Head──▶ content ──End──▶ idle
//                        ▲            │
//                        └─Head: 1xx──┘
#include <cassert>
#include <optional>
#include <string>
#include <utility>

#include "gateway/base/unreachable.h"
#include "gateway/http/h1_content.h"
#include "gateway/http/h1_fields.h"
#include "gateway/http/h1_framing.h"
#include "gateway/http/h1_line.h"
#include "gateway/http/h1_reader.h"
#include "gateway/http/h1_start_line.h"

namespace tollgate::http {

struct H1ResponseReader::Machine {
  enum class State : std::uint8_t { idle, status_line, fields, content };

  explicit Machine(const H1Limits& reader_limits) : limits(reader_limits) {}

  Result<Step> read(ByteView bytes);
  Result<bool> read_status_line(ByteView bytes, std::size_t& at);
  Result<Step> read_fields(ByteView bytes, std::size_t at);
  Result<Step> read_content(ByteView bytes);
  Result<Event> close();

  const H1Limits limits;
  State state = State::idle;
  std::string method;
  LineScanner lines;
  ResponseHead head;
  FieldSection section;
  ContentReader content;
  std::optional<Error> failed;
};

Result<H1ResponseReader::Step> H1ResponseReader::Machine::read(ByteView bytes) {
  std::size_t at = 0;
  switch (state) {
    case State::idle:
      if (bytes.empty()) return Step{0, H1NeedMore{}};
      return fail(Error::Kind::malformed, "bytes came that answer no request");
    case State::status_line: {
      const auto found = read_status_line(bytes, at);
      if (!found) return fail(found);
      if (!*found) return Step{at, H1NeedMore{}};
      return read_fields(bytes, at);
    }
    case State::fields: return read_fields(bytes, at);
    case State::content: return read_content(bytes);
  }
  unreachable_state();
}

// False: more bytes are needed.
Result<bool> H1ResponseReader::Machine::read_status_line(ByteView bytes, std::size_t& at) {
  const auto line = lines.next(bytes, limits.head);
  if (!line) return fail(line);
  if (!*line) return false;
  auto parsed = parse_status_line(**line);
  if (!parsed) return fail(parsed);
  head = std::move(*parsed);
  at = (*line)->size() + LineScanner::line_end;
  section.begin(limits.head - at, limits.fields);
  state = State::fields;
  return true;
}

Result<H1ResponseReader::Step> H1ResponseReader::Machine::read_fields(ByteView bytes, std::size_t at) {
  const auto read = section.read(bytes.subspan(at));
  if (!read) return fail(read);
  at += read->consumed;
  if (!read->complete) return Step{at, H1NeedMore{}};
  head.fields = section.take();
  const auto framing = response_framing(method, head);
  if (!framing) return fail(framing);
  const bool another_follows = is_informational(head.status) && head.status != 101;
  state = another_follows ? State::status_line : State::content;
  if (!another_follows) content.begin(*framing, limits);
  return Step{at, H1ResponseHead{std::move(head), *framing}};
}

Result<H1ResponseReader::Step> H1ResponseReader::Machine::read_content(ByteView bytes) {
  auto step = content.read(bytes);
  if (!step) return fail(step);
  if (std::holds_alternative<H1End>(step->event)) state = State::idle;
  return Step{step->consumed, std::visit([](auto&& event) { return Event(std::forward<decltype(event)>(event)); },
                                         std::move(step->event))};
}

Result<H1ResponseReader::Event> H1ResponseReader::Machine::close() {
  switch (state) {
    case State::idle: return Event(H1NeedMore{});
    case State::status_line: return fail(Error::Kind::malformed, "truncated: the peer closed before a final response");
    case State::fields: return fail(Error::Kind::malformed, "truncated: the peer closed within a response head");
    case State::content:
      if (!content.ends_at_close()) {
        return fail(Error::Kind::malformed, "truncated: the peer closed before the content's end");
      }
      state = State::idle;
      return Event(H1End{});
  }
  unreachable_state();
}

H1ResponseReader::H1ResponseReader(const H1Limits& limits) : machine_(std::make_unique<Machine>(limits)) {}
H1ResponseReader::~H1ResponseReader() = default;
H1ResponseReader::H1ResponseReader(H1ResponseReader&&) noexcept = default;
H1ResponseReader& H1ResponseReader::operator=(H1ResponseReader&&) noexcept = default;

void H1ResponseReader::begin(std::string_view request_method) {
  assert(between_messages() || machine_->failed);
  machine_->method = request_method;
  machine_->state = Machine::State::status_line;
}

Result<H1ResponseReader::Step> H1ResponseReader::read(ByteView bytes) {
  if (machine_->failed) return tl::unexpected<Error>(*machine_->failed);
  auto step = machine_->read(bytes);
  if (!step) machine_->failed = step.error();
  return step;
}

Result<H1ResponseReader::Event> H1ResponseReader::close() {
  if (machine_->failed) return tl::unexpected<Error>(*machine_->failed);
  auto event = machine_->close();
  if (!event) machine_->failed = event.error();
  return event;
}

bool H1ResponseReader::between_messages() const { return !machine_->failed && machine_->state == Machine::State::idle; }

}  // namespace tollgate::http
