#include "gateway/record/fields.h"

namespace tollgate::record {
namespace {

using google::protobuf::FieldDescriptor;

// The members of the oneof, by their index in it.
std::vector<Field> kinds() {
  std::vector<Field> kinds;
  const auto& oneof = *proto::Record::descriptor()->FindOneofByName("kind");
  kinds.reserve(static_cast<std::size_t>(oneof.field_count()));
  for (int i = 0; i < oneof.field_count(); ++i) {
    kinds.push_back(
        {oneof.field(i), proto::PLAIN, std::make_unique<const MessageFields>(*oneof.field(i)->message_type())});
  }
  return kinds;
}

}  // namespace

MessageFields::MessageFields(const google::protobuf::Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    std::unique_ptr<const MessageFields> message;
    if (field.message_type() != nullptr) message = std::make_unique<const MessageFields>(*field.message_type());
    fields.push_back({&field, field.options().GetExtension(proto::json), std::move(message)});
  }
}

Subject subject_of(const proto::Record& record) {
  static const std::vector<Field> known = kinds();
  for (const Field& kind : known) {
    if (kind.descriptor->number() != static_cast<int>(record.kind_case())) continue;
    return {kind.descriptor, kind.message.get(), &record.GetReflection()->GetMessage(record, kind.descriptor)};
  }
  return {};
}

}  // namespace tollgate::record
