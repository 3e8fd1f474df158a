// is_recordable() and make_recordable(): redact.h's rule for text, applied to every text of a record.
#include <limits>

#include "gateway/record/fields.h"
#include "gateway/record/redact.h"

namespace tollgate::record {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_clean(const Message& message, const MessageFields& fields);

bool is_clean(const Message& message, const Field& field) {
  const auto& reflection = *message.GetReflection();
  std::string scratch;  // stays empty: GetStringReference uses it for representations that we do not have
  if (field.descriptor->is_repeated()) {
    const int count = reflection.FieldSize(message, field.descriptor);
    for (int i = 0; i < count; ++i) {
      const bool clean =
          field.message ? is_clean(reflection.GetRepeatedMessage(message, field.descriptor, i), *field.message)
                        : is_recordable(reflection.GetRepeatedStringReference(message, field.descriptor, i, &scratch));
      if (!clean) return false;
    }
    return true;
  }
  if (!field.message) return is_recordable(reflection.GetStringReference(message, field.descriptor, &scratch));
  return !reflection.HasField(message, field.descriptor) ||
         is_clean(reflection.GetMessage(message, field.descriptor), *field.message);
}

bool has_text(const Field& field) { return field.message || field.descriptor->type() == FieldDescriptor::TYPE_STRING; }

bool is_clean(const Message& message, const MessageFields& fields) {
  for (const Field& field : fields.fields) {
    if (has_text(field) && !is_clean(message, field)) return false;
  }
  return true;
}

void clean(Message& message, const MessageFields& fields);

void clean(Message& message, const Field& field) {
  constexpr auto any_length = std::numeric_limits<std::size_t>::max();
  const auto& reflection = *message.GetReflection();
  if (field.descriptor->is_repeated()) {
    const int count = reflection.FieldSize(message, field.descriptor);
    for (int i = 0; i < count; ++i) {
      if (field.message) {
        clean(*reflection.MutableRepeatedMessage(&message, field.descriptor, i), *field.message);
      } else {
        reflection.SetRepeatedString(
            &message, field.descriptor, i,
            recorded_text(reflection.GetRepeatedString(message, field.descriptor, i), any_length));
      }
    }
  } else if (!field.message) {
    reflection.SetString(&message, field.descriptor,
                         recorded_text(reflection.GetString(message, field.descriptor), any_length));
  } else if (reflection.HasField(message, field.descriptor)) {
    clean(*reflection.MutableMessage(&message, field.descriptor), *field.message);
  }
}

void clean(Message& message, const MessageFields& fields) {
  for (const Field& field : fields.fields) {
    if (has_text(field)) clean(message, field);
  }
}

}  // namespace

bool is_recordable(const proto::Record& record) {
  const Subject subject = subject_of(record);
  return subject.message == nullptr || is_clean(*subject.message, *subject.fields);
}

void make_recordable(proto::Record& record) {
  const Subject subject = subject_of(record);
  if (subject.message == nullptr) return;
  clean(*record.GetReflection()->MutableMessage(&record, subject.kind), *subject.fields);
}

}  // namespace tollgate::record
