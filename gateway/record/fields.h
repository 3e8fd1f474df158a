// The fields of the record types, looked up in the descriptors once: names, order, JSON forms.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proto/record.pb.h"

namespace tollgate::record {

struct MessageFields;

struct Field {
  const google::protobuf::FieldDescriptor* descriptor = nullptr;
  proto::JsonForm form = proto::PLAIN;
  std::unique_ptr<const MessageFields> message;  // of a field that is a message
};

struct MessageFields {
  explicit MessageFields(const google::protobuf::Descriptor& type);
  std::vector<Field> fields;  // in the schema's order
};

// What a record is about, whichever kind it is. Nothing (a null message) for a record without a kind.
struct Subject {
  const google::protobuf::FieldDescriptor* kind = nullptr;  // its name is the record's `kind`
  const MessageFields* fields = nullptr;
  const google::protobuf::Message* message = nullptr;
};
Subject subject_of(const proto::Record& record);

}  // namespace tollgate::record
