#include "gateway/record/ndjson.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string_view>

#include "gateway/base/clock.h"
#include "gateway/base/unreachable.h"
#include "gateway/record/fields.h"
#include "gateway/record/redact.h"

namespace tollgate::record {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

void write_string(Json& json, std::string_view text) {
  json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void write_text(Json& json, std::string_view text) {
  if (is_recordable(text)) {
    write_string(json, text);
  } else {
    write_string(json, recorded_text(text, std::numeric_limits<std::size_t>::max()));
  }
}

void write_time(Json& json, std::int64_t micros) {
  using std::chrono::year;
  constexpr WallTime first = std::chrono::sys_days(year(1) / 1 / 1);
  constexpr WallTime last = WallTime(std::chrono::sys_days(year(10000) / 1 / 1)) - Micros(1);
  write_string(json, rfc3339(std::clamp(from_micros(micros), first, last)));
}

void write_object(Json& json, const Message& message, const MessageFields& fields);

void write_message(Json& json, const Message& message, const Field& field);

// One value of a field: the field's own, or its `index`th where it is repeated.
struct Value {
  const Message& message;
  const Field& field;
  int index;

  template <class Own, class Repeated>
  auto get(Own own, Repeated repeated) const {
    const Reflection& reflection = *message.GetReflection();
    return field.descriptor->is_repeated() ? (reflection.*repeated)(message, field.descriptor, index)
                                           : (reflection.*own)(message, field.descriptor);
  }
};

const std::string& text_of(const Value& value, std::string& scratch) {
  const Reflection& reflection = *value.message.GetReflection();
  const FieldDescriptor* descriptor = value.field.descriptor;
  return descriptor->is_repeated()
             ? reflection.GetRepeatedStringReference(value.message, descriptor, value.index, &scratch)
             : reflection.GetStringReference(value.message, descriptor, &scratch);
}

const Message& message_of(const Value& value) {
  const Reflection& reflection = *value.message.GetReflection();
  const FieldDescriptor* descriptor = value.field.descriptor;
  return descriptor->is_repeated() ? reflection.GetRepeatedMessage(value.message, descriptor, value.index)
                                   : reflection.GetMessage(value.message, descriptor);
}

void write_double(Json& json, double value) { json.Double(std::isfinite(value) ? value : 0); }

void write_value(Json& json, const Value& value) {
  std::string scratch;
  switch (value.field.descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: write_text(json, text_of(value, scratch)); return;
    case FieldDescriptor::CPPTYPE_MESSAGE: write_message(json, message_of(value), value.field); return;
    case FieldDescriptor::CPPTYPE_BOOL:
      json.Bool(value.get(&Reflection::GetBool, &Reflection::GetRepeatedBool));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      json.Uint(value.get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      json.Uint64(value.get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      json.Int(value.get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32));
      return;
    case FieldDescriptor::CPPTYPE_INT64: {
      const auto number = value.get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64);
      if (value.field.form == proto::TIME) {
        write_time(json, number);
      } else {
        json.Int64(number);
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      write_double(json, value.get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble));
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
      write_double(json, static_cast<double>(value.get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat)));
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      write_string(json, value.get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name());
      return;
  }
  unreachable_state();
}

void write_field(Json& json, const Message& message, const Field& field) {
  const Reflection& reflection = *message.GetReflection();
  if (field.descriptor->is_repeated()) {
    json.StartArray();
    const int count = reflection.FieldSize(message, field.descriptor);
    for (int i = 0; i < count; ++i) write_value(json, {message, field, i});
    json.EndArray();
  } else if (field.descriptor->has_optional_keyword() && !reflection.HasField(message, field.descriptor)) {
    json.Null();
  } else {
    write_value(json, {message, field, 0});
  }
}

void write_message(Json& json, const Message& message, const Field& field) {
  if (field.form != proto::ARRAY) {
    write_object(json, message, *field.message);
    return;
  }
  json.StartArray();
  for (const Field& element : field.message->fields) write_field(json, message, element);
  json.EndArray();
}

void write_key(Json& json, const FieldDescriptor& field) {
  json.Key(field.name().data(), static_cast<rapidjson::SizeType>(field.name().size()));
}

void write_fields(Json& json, const Message& message, const MessageFields& fields) {
  for (const Field& field : fields.fields) {
    write_key(json, *field.descriptor);
    write_field(json, message, field);
  }
}

void write_object(Json& json, const Message& message, const MessageFields& fields) {
  json.StartObject();
  write_fields(json, message, fields);
  json.EndObject();
}

}  // namespace

void append_ndjson(const proto::Record& record, std::string& out) {
  if (record.begin() && record.has_exchange() && record.exchange().state().empty()) {
    proto::Record open = record;
    open.set_begin(false);
    open.mutable_exchange()->set_state("open");
    append_ndjson(open, out);
    return;
  }
  const Subject subject = subject_of(record);
  if (subject.message == nullptr) return;
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.StartObject();
  json.Key("kind");
  write_string(json, subject.kind->name());
  write_fields(json, *subject.message, *subject.fields);
  json.EndObject();
  out.append(buffer.GetString(), buffer.GetSize());
  out.push_back('\n');
}

}  // namespace tollgate::record
