// Repeated fields as the JSON text that is in the store: ["a","b"], [{"kind":"idfa","where":"query:idfa"}],
// [[10,200,0]]. Sans-I/O, any thread.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace tollgate::store {

// Appends the list in `message`'s repeated `field`: of texts, or of messages whose fields are texts and unsigned
// numbers, each an object, or an array where its JsonForm says so.
void append_json_list(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
                      std::string& out);

// Appends the elements of such a list to `message`'s field. White space between tokens, all escapes, and objects with
// fields missing or in another order are read as well: people edit their databases. Errors: malformed.
Status read_json_list(std::string_view json, google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field);

}  // namespace tollgate::store
