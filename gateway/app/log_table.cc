#include "gateway/app/log_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "gateway/base/unreachable.h"

namespace tollgate::app {
namespace {

struct ColumnForm {
  Column column;
  std::string_view title;
  std::size_t width;  // `where` comes last and takes what is left
  bool to_the_right;  // numbers
  int dispensable;    // a narrow terminal loses the highest first; 0 stays
};
constexpr auto column_forms = std::to_array<ColumnForm>({
    {Column::time, "TIME", 14, false, 0},
    {Column::device, "DEVICE", 15, false, 3},
    {Column::app, "APP", 18, false, 1},
    {Column::method, "METHOD", 7, false, 0},
    {Column::result, "RESULT", 15, false, 0},
    {Column::klass, "CLASS", 9, false, 4},
    {Column::bytes, "BYTES", 10, true, 2},
    {Column::took, "TOOK", 8, true, 5},
    {Column::where, "WHERE", 24, false, 0},
});

const ColumnForm& form(Column column) { return column_forms.at(static_cast<std::size_t>(column)); }

// What a record says in each column, and in which colour (an SGR parameter, "" for none).
struct Cells {
  std::array<std::string, column_forms.size()> texts;
  std::string_view colour;
  std::string& operator[](Column column) { return texts.at(static_cast<std::size_t>(column)); }
};

constexpr std::string_view green = "32";
constexpr std::string_view yellow = "33";
constexpr std::string_view red = "31";
constexpr std::string_view cyan = "36";

std::string local_time(std::int64_t micros) {
  const std::time_t seconds = std::chrono::floor<Seconds>(from_micros(micros).time_since_epoch()).count();
  std::tm local{};
  std::array<char, 32> text{};
  if (localtime_r(&seconds, &local) == nullptr) return "?";
  const std::size_t size = std::strftime(text.data(), text.size(), "%m-%d %H:%M:%S", &local);
  return {text.data(), size};
}

std::string took(double milliseconds) {
  if (milliseconds < 1000) return fmt::format("{:.0f} ms", milliseconds);
  const double seconds = milliseconds / 1000;
  return seconds < 600 ? fmt::format("{:.1f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

const std::string& first_of(const std::string& a, const std::string& b) { return a.empty() ? b : a; }

std::string with_reason(std::string text, std::string_view reason) {
  return reason.empty() ? text : fmt::format("{} ({})", text, reason);
}

std::string_view colour_of_status(std::uint32_t status) {
  if (status >= 500 || status == 0) return red;
  if (status >= 400) return yellow;
  return status >= 300 ? cyan : green;
}

std::string url(const proto::Exchange& exchange) {
  std::string text = exchange.scheme().empty() || exchange.scheme() == "https" ? "" : exchange.scheme() + "://";
  text += exchange.host() + exchange.path();
  if (!exchange.query().empty()) text += "?" + fmt::format("{}", fmt::join(exchange.query(), "&"));
  return text;
}

void describe(const proto::Exchange& exchange, Cells& cells) {
  const bool whole = exchange.state().empty() || exchange.state() == "complete";
  cells[Column::method] = exchange.method();
  cells[Column::klass] = exchange.class_();
  cells[Column::bytes] = readable(exchange.request_bytes() + exchange.response_bytes());
  cells[Column::took] = exchange.state() == "open" ? "" : took(exchange.duration_ms());
  cells[Column::where] = with_reason(url(exchange), exchange.error());
  cells.colour = whole ? colour_of_status(exchange.status()) : red;
  std::string& result = cells[Column::result];
  if (exchange.status() != 0) result = fmt::format("{}", exchange.status());
  if (!whole) result += (result.empty() ? "" : " ") + exchange.state();
  if (exchange.action() == "blocked" || exchange.action() == "redacted") {
    result = exchange.action();
    cells.colour = exchange.action() == "blocked" ? red : yellow;
  }
}

std::string_view colour_of_treatment(std::string_view treatment) {
  if (treatment == "intercepted") return green;
  return treatment == "passthrough" ? yellow : red;
}

void describe(const proto::Connection& connection, Cells& cells) {
  const bool tls = !connection.sni().empty() || !connection.tls_client().empty() || !connection.ja4().empty();
  cells[Column::method] = tls ? "tls" : "tcp";
  cells[Column::result] = connection.treatment();
  cells[Column::bytes] = readable(connection.bytes_up() + connection.bytes_down());
  cells[Column::took] =
      connection.has_closed() ? took(static_cast<double>(connection.closed() - connection.opened()) / 1000) : "open";
  const std::string& named = first_of(connection.host(), connection.sni());
  cells[Column::where] =
      with_reason(first_of(named, connection.destination()), first_of(connection.error(), connection.reason()));
  cells.colour = colour_of_treatment(connection.treatment());
}

void describe(const proto::Dns& dns, Cells& cells) {
  cells[Column::method] = "dns";
  cells[Column::result] = dns.action() == "blocked" ? dns.action() : dns.rcode();
  cells[Column::where] = fmt::format("{} {}{}{}", dns.query(), dns.type(), dns.answers().empty() ? "" : " = ",
                                     fmt::join(dns.answers(), ", "));
  cells.colour = dns.action() == "blocked" ? red : cyan;
}

void describe(const proto::Hint& hint, Cells& cells) {
  cells[Column::method] = "hint";
  cells[Column::app] = hint.app();
  cells[Column::where] = fmt::format("{} {}", hint.event(), hint.on() ? "on" : "off");
}

// What the kinds have in common.
template <class Kind>
Cells cells_of(const Kind& kind) {
  Cells cells;
  cells[Column::time] = local_time(kind.time());
  cells[Column::device] = kind.device();
  if constexpr (!std::is_same_v<Kind, proto::Hint>) cells[Column::app] = first_of(kind.app().name(), kind.app().id());
  describe(kind, cells);
  return cells;
}

Cells cells_of(const proto::Record& record) {
  switch (record.kind_case()) {
    case proto::Record::kExchange: return cells_of(record.exchange());
    case proto::Record::kConnection: return cells_of(record.connection());
    case proto::Record::kDns: return cells_of(record.dns());
    case proto::Record::kHint: return cells_of(record.hint());
    case proto::Record::KIND_NOT_SET: return {};
  }
  unreachable_state();
}

struct Span {
  char32_t low, high;
};
// Combining marks and variation selectors; joiners are controls and never get here.
constexpr auto without_width = std::to_array<Span>({{0x300, 0x36f},
                                                    {0x483, 0x489},
                                                    {0x591, 0x5bd},
                                                    {0x610, 0x61a},
                                                    {0x64b, 0x65f},
                                                    {0x1ab0, 0x1aff},
                                                    {0x1dc0, 0x1dff},
                                                    {0x20d0, 0x20ff},
                                                    {0xfe00, 0xfe0f},
                                                    {0xfe20, 0xfe2f}});
// Unicode's East Asian Width W and F, and the pictures that terminals draw as wide.
constexpr auto double_width = std::to_array<Span>({{0x1100, 0x115f},
                                                   {0x2e80, 0xa4cf},
                                                   {0xac00, 0xd7a3},
                                                   {0xf900, 0xfaff},
                                                   {0xfe30, 0xfe6f},
                                                   {0xff00, 0xff60},
                                                   {0xffe0, 0xffe6},
                                                   {0x1f300, 0x1f64f},
                                                   {0x1f680, 0x1f6ff},
                                                   {0x1f900, 0x1f9ff},
                                                   {0x20000, 0x3fffd}});

template <std::size_t N>
bool in(const std::array<Span, N>& spans, char32_t code_point) {
  return std::any_of(spans.begin(), spans.end(),
                     [&](const Span& span) { return code_point >= span.low && code_point <= span.high; });
}

std::size_t width_of(char32_t code_point) {
  if (code_point < 0x300) return 1;
  if (in(without_width, code_point)) return 0;
  return in(double_width, code_point) ? 2 : 1;
}

std::string padded(const std::string& text, const ColumnForm& form) {
  const std::string space(form.width - std::min(form.width, display_width(text)), ' ');
  return form.to_the_right ? space + text : text + space;
}

}  // namespace

std::string_view name(Column column) { return form(column).title; }

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto code_point = take_code_point(text);
    if (!code_point) text.remove_prefix(1);
    width += code_point ? width_of(*code_point) : 1;
  }
  return width;
}

std::string fitted(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::size_t left = columns - 1;  // for `…`
  std::string_view rest = text;
  while (true) {
    std::string_view next = rest;
    const auto code_point = take_code_point(next);
    if (!code_point) next.remove_prefix(1);
    const std::size_t width = code_point ? width_of(*code_point) : 1;
    if (width > left) break;
    left -= width;
    rest = next;
  }
  return std::string(text.substr(0, text.size() - rest.size())) + "…";
}

LogTable::LogTable(const Terminal& terminal) : terminal_(terminal) {
  const auto needed = [](const std::vector<Column>& columns) {
    std::size_t width = columns.size() - 1;  // a space between two
    for (const Column column : columns) width += form(column).width;
    return width;
  };
  for (const ColumnForm& known : column_forms) columns_.push_back(known.column);
  while (terminal.columns > 0 && needed(columns_) > terminal.columns) {
    const auto least = std::max_element(columns_.begin(), columns_.end(),
                                        [](Column a, Column b) { return form(a).dispensable < form(b).dispensable; });
    if (form(*least).dispensable == 0) break;
    columns_.erase(least);
  }
}

std::string LogTable::header() const {
  std::vector<std::string> titles;
  for (const Column column : columns_) titles.emplace_back(name(column));
  return row(titles, "1");
}

std::string LogTable::line(const proto::Record& record) const {
  Cells cells = cells_of(record);
  std::vector<std::string> texts;
  for (const Column column : columns_) texts.push_back(std::move(cells[column]));
  return row(texts, cells.colour);
}

std::string LogTable::row(const std::vector<std::string>& cells, std::string_view colour) const {
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const ColumnForm& column = form(columns_[i]);
    const std::string safe = printable(cells[i]);
    const bool last = i + 1 == cells.size();
    text += last ? safe : padded(fitted(safe, column.width), column) + " ";
  }
  text.erase(text.find_last_not_of(' ') + 1);
  if (terminal_.columns > 0) text = fitted(text, terminal_.columns);
  return terminal_.colour && !colour.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : text;
}

}  // namespace tollgate::app
