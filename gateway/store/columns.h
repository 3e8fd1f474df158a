// Records as rows. The one source of the columns' names and order is proto/record.proto: a field is a column of its
// name, `app` is app_id … app_evidence, a repeated field is JSON text, an absent `optional` is NULL.
#pragma once

#include <google/protobuf/message.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/store/filter.h"
#include "gateway/store/sqlite.h"

namespace tollgate::store {

inline constexpr std::array all_kinds = {Kind::exchange, Kind::connection, Kind::dns, Kind::hint};

struct Column {
  std::string name;
  const google::protobuf::FieldDescriptor* outer;  // the message field it is in (`app`), or null
  const google::protobuf::FieldDescriptor* field;
};

std::string_view table(Kind kind);
const std::vector<Column>& columns(Kind kind);
// Where a column is in columns(kind); -1 when there is none of that name.
int column_index(Kind kind, std::string_view name);
// All of them, quoted and separated by commas.
const std::string& column_list(Kind kind);

// The message of the record's kind, and the other way round.
const google::protobuf::Message& message_of(const proto::Record& record, Kind kind);
google::protobuf::Message& make_message(proto::Record& record, Kind kind);

// Binds a record's fields to consecutive parameters. The statement refers to `message` and `scratch` until its reset.
void bind_row(Statement& statement, int first_parameter, Kind kind, const google::protobuf::Message& message,
              std::vector<std::string>& scratch);
// The current row's columns, from `first_column` on, as a record. Errors: malformed (a JSON list somebody edited).
Status read_row(const Statement& statement, int first_column, Kind kind, proto::Record& record);

}  // namespace tollgate::store
