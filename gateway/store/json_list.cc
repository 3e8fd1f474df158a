#include "gateway/store/json_list.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>

#include "proto/record.pb.h"

namespace tollgate::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_array(const FieldDescriptor& field) { return field.options().GetExtension(proto::json) == proto::ARRAY; }

void append_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char character : text) {
    if (character == '"' || character == '\\') {
      out += '\\';
      out += character;
    } else if (static_cast<unsigned char>(character) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(character));
    } else {
      out += character;
    }
  }
  out += '"';
}

void append_scalar(const Message& message, const FieldDescriptor& field, std::string& out) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    std::string scratch;
    append_string(message.GetReflection()->GetStringReference(message, &field, &scratch), out);
  } else {
    fmt::format_to(std::back_inserter(out), "{}", message.GetReflection()->GetUInt64(message, &field));
  }
}

void append_element(const Message& element, bool as_array, std::string& out) {
  const auto& type = *element.GetDescriptor();
  out += as_array ? '[' : '{';
  for (int i = 0; i < type.field_count(); ++i) {
    if (i > 0) out += ',';
    if (!as_array) {
      append_string(type.field(i)->name(), out);
      out += ':';
    }
    append_scalar(element, *type.field(i), out);
  }
  out += as_array ? ']' : '}';
}

// A recursive-descent reader of exactly the shapes above; it cannot recurse deeper than they do.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool list(Message& message, const FieldDescriptor& field) {
    const bool read = elements('[', ']', [&](int) { return element(message, field); });
    skip_space();
    return read && rest_.empty();
  }

 private:
  // `open` each… `close`, with commas between. `each` gets the element's number.
  template <class Each>
  bool elements(char open, char close, Each each) {
    if (!take(open)) return false;
    if (take(close)) return true;
    for (int number = 0; each(number); ++number) {
      if (take(close)) return true;
      if (!take(',')) return false;
    }
    return false;
  }

  bool element(Message& message, const FieldDescriptor& field) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      auto text = string();
      if (text) message.GetReflection()->AddString(&message, &field, std::move(*text));
      return text.has_value();
    }
    Message& added = *message.GetReflection()->AddMessage(&message, &field);
    const auto& type = *added.GetDescriptor();
    if (is_array(field)) {
      return elements('[', ']',
                      [&](int number) { return number < type.field_count() && scalar(added, *type.field(number)); });
    }
    return elements('{', '}', [&](int) {
      const auto key = string();
      const auto* member = key ? type.FindFieldByName(*key) : nullptr;
      return member != nullptr && take(':') && scalar(added, *member);
    });
  }

  bool scalar(Message& message, const FieldDescriptor& field) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      auto text = string();
      if (text) message.GetReflection()->SetString(&message, &field, std::move(*text));
      return text.has_value();
    }
    skip_space();
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc()) return false;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    message.GetReflection()->SetUInt64(&message, &field, value);
    return true;
  }

  std::optional<std::string> string() {
    if (!take('"')) return std::nullopt;
    std::string text;
    while (!rest_.empty()) {
      const char character = rest_.front();
      rest_.remove_prefix(1);
      if (character == '"') return text;
      if (character != '\\') {
        text += character;
      } else if (!escape(text)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  // RFC 8259 §7, after the backslash.
  bool escape(std::string& text) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (rest_.empty()) return false;
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    if (const auto at = letters.find(letter); at != std::string_view::npos) {
      text += meanings[at];
      return true;
    }
    if (letter != 'u') return false;
    auto code = hex4();
    if (code && *code >= 0xd800 && *code < 0xdc00 && rest_.starts_with("\\u")) {
      rest_.remove_prefix(2);
      const auto low = hex4();
      if (!low || *low < 0xdc00 || *low > 0xdfff) return false;
      code = 0x10000U + ((*code - 0xd800U) << 10U) + (*low - 0xdc00U);
    }
    if (!code || (*code >= 0xd800 && *code <= 0xdfff)) return false;
    append_utf8(*code, text);
    return true;
  }

  std::optional<std::uint32_t> hex4() {
    if (rest_.size() < 4) return std::nullopt;
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + 4, value, 16);
    if (error != std::errc() || end != rest_.data() + 4) return std::nullopt;
    rest_.remove_prefix(4);
    return value;
  }

  static void append_utf8(std::uint32_t code, std::string& text) {
    const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80U | ((code >> shift) & 0x3fU)); };
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else if (code < 0x800) {
      text += static_cast<char>(0xc0U | (code >> 6U));
      tail(0);
    } else if (code < 0x10000) {
      text += static_cast<char>(0xe0U | (code >> 12U));
      tail(6);
      tail(0);
    } else {
      text += static_cast<char>(0xf0U | (code >> 18U));
      tail(12);
      tail(6);
      tail(0);
    }
  }

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }
  bool take(char character) {
    skip_space();
    if (!rest_.starts_with(character)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

void append_json_list(const Message& message, const FieldDescriptor& field, std::string& out) {
  const auto& reflection = *message.GetReflection();
  const int count = reflection.FieldSize(message, &field);
  out += '[';
  for (int i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      append_element(reflection.GetRepeatedMessage(message, &field, i), is_array(field), out);
    } else {
      std::string scratch;
      append_string(reflection.GetRepeatedStringReference(message, &field, i, &scratch), out);
    }
  }
  out += ']';
}

Status read_json_list(std::string_view json, Message& message, const FieldDescriptor& field) {
  if (json == "[]") return {};
  if (Reader(json).list(message, field)) return {};
  return fail(Error::Kind::malformed, fmt::format("{}: not the JSON list it should be", field.name()));
}

}  // namespace tollgate::store
