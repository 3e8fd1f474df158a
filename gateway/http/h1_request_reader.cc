//   request_line ──▶ fields ──Head──▶ content ──End──▶ request_line
#include <optional>
#include <utility>

#include "gateway/base/unreachable.h"
#include "gateway/http/h1_content.h"
#include "gateway/http/h1_fields.h"
#include "gateway/http/h1_framing.h"
#include "gateway/http/h1_line.h"
#include "gateway/http/h1_reader.h"
#include "gateway/http/h1_start_line.h"
#include "gateway/http/h1_target.h"

namespace tollgate::http {

struct H1RequestReader::Machine {
  enum class State : std::uint8_t { request_line, fields, content };

  explicit Machine(const H1Limits& reader_limits) : limits(reader_limits) {}

  Result<Step> read(ByteView bytes);
  Result<bool> read_request_line(ByteView bytes, std::size_t& at);
  Result<Step> read_fields(ByteView bytes, std::size_t at);
  Result<Step> read_content(ByteView bytes);

  const H1Limits limits;
  State state = State::request_line;
  bool skipped_empty_line = false;
  LineScanner lines;
  RequestHead head;
  FieldSection section;
  ContentReader content;
  std::optional<Error> failed;
};

Result<H1RequestReader::Step> H1RequestReader::Machine::read(ByteView bytes) {
  std::size_t at = 0;
  switch (state) {
    case State::request_line: {
      const auto found = read_request_line(bytes, at);
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
Result<bool> H1RequestReader::Machine::read_request_line(ByteView bytes, std::size_t& at) {
  while (true) {
    const auto line = lines.next(bytes.subspan(at), limits.head);
    if (!line) return fail(line);
    if (!*line) return false;
    const std::size_t size = (*line)->size() + LineScanner::line_end;
    at += size;
    if ((*line)->empty() && !skipped_empty_line) {
      skipped_empty_line = true;  // some old clients end content with a CR LF that they do not count
      continue;
    }
    auto parsed = parse_request_line(**line);
    if (!parsed) return fail(parsed);
    head = std::move(*parsed);
    section.begin(limits.head - size, limits.fields);
    state = State::fields;
    return true;
  }
}

Result<H1RequestReader::Step> H1RequestReader::Machine::read_fields(ByteView bytes, std::size_t at) {
  const auto read = section.read(bytes.subspan(at));
  if (!read) return fail(read);
  at += read->consumed;
  if (!read->complete) return Step{at, H1NeedMore{}};
  head.fields = section.take();
  const auto target = check_target(head);
  if (!target) return fail(target);
  const auto framing = request_framing(head);
  if (!framing) return fail(framing);
  content.begin(*framing, limits);
  state = State::content;
  return Step{at, H1RequestHead{std::move(head), *framing}};
}

Result<H1RequestReader::Step> H1RequestReader::Machine::read_content(ByteView bytes) {
  auto step = content.read(bytes);
  if (!step) return fail(step);
  if (std::holds_alternative<H1End>(step->event)) {
    state = State::request_line;
    skipped_empty_line = false;
  }
  return Step{step->consumed, std::visit([](auto&& event) { return Event(std::forward<decltype(event)>(event)); },
                                         std::move(step->event))};
}

H1RequestReader::H1RequestReader(const H1Limits& limits) : machine_(std::make_unique<Machine>(limits)) {}
H1RequestReader::~H1RequestReader() = default;
H1RequestReader::H1RequestReader(H1RequestReader&&) noexcept = default;
H1RequestReader& H1RequestReader::operator=(H1RequestReader&&) noexcept = default;

Result<H1RequestReader::Step> H1RequestReader::read(ByteView bytes) {
  if (machine_->failed) return tl::unexpected<Error>(*machine_->failed);
  auto step = machine_->read(bytes);
  if (!step) machine_->failed = step.error();
  return step;
}

bool H1RequestReader::between_messages() const {
  return !machine_->failed && machine_->state == Machine::State::request_line && !machine_->lines.inside();
}

}  // namespace tollgate::http
