#include "gateway/store/columns.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <array>
#include <cassert>

#include "gateway/base/unreachable.h"
#include "gateway/store/json_list.h"

namespace tollgate::store {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor& field_of(Kind kind) {
  const auto* oneof = proto::Record::descriptor()->FindOneofByName("kind");
  return *oneof->field(static_cast<int>(kind));
}

std::vector<Column> flatten(const Descriptor& type) {
  std::vector<Column> flat;
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated()) {
      flat.push_back({field->name(), nullptr, field});
      continue;
    }
    const auto& inner = *field->message_type();
    for (int k = 0; k < inner.field_count(); ++k) {
      flat.push_back({field->name() + "_" + inner.field(k)->name(), field, inner.field(k)});
    }
  }
  return flat;
}

struct Table {
  std::vector<Column> columns;
  std::string list;
};

const Table& layout(Kind kind) {
  static const auto tables = [] {
    std::array<Table, all_kinds.size()> made;
    for (const Kind each : all_kinds) {
      auto& one = made[static_cast<std::size_t>(each)];
      one.columns = flatten(*field_of(each).message_type());
      for (const auto& column : one.columns) {
        one.list += fmt::format("{}\"{}\"", one.list.empty() ? "" : ", ", column.name);
      }
    }
    return made;
  }();
  return tables[static_cast<std::size_t>(kind)];
}

void bind_field(Statement& statement, int parameter, const Message& message, const FieldDescriptor& field,
                std::string& scratch) {
  const auto& reflection = *message.GetReflection();
  if (field.is_repeated()) {
    if (reflection.FieldSize(message, &field) == 0) return statement.bind(parameter, std::string_view("[]"));
    append_json_list(message, field, scratch);
    return statement.bind(parameter, std::string_view(scratch));
  }
  if (field.has_presence() && !reflection.HasField(message, &field)) return statement.bind_null(parameter);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return statement.bind(parameter, std::string_view(reflection.GetStringReference(message, &field, &scratch)));
    case FieldDescriptor::CPPTYPE_INT64: return statement.bind(parameter, reflection.GetInt64(message, &field));
    // SQLite has no unsigned numbers; counts do not come near 2^63, and the bits would survive if they did.
    case FieldDescriptor::CPPTYPE_UINT64:
      return statement.bind(parameter, static_cast<std::int64_t>(reflection.GetUInt64(message, &field)));
    case FieldDescriptor::CPPTYPE_UINT32:
      return statement.bind(parameter, std::int64_t{reflection.GetUInt32(message, &field)});
    case FieldDescriptor::CPPTYPE_BOOL:
      return statement.bind(parameter, std::int64_t{reflection.GetBool(message, &field)});
    case FieldDescriptor::CPPTYPE_DOUBLE: return statement.bind(parameter, reflection.GetDouble(message, &field));
    default: assert(false && "a field type that the store has no column type for yet");
  }
}

// Whether there is anything to set: reading leaves out what is the default anyway.
bool is_default(const Statement& statement, int column, const FieldDescriptor& field) {
  if (field.has_presence()) return statement.is_null(column);
  if (field.is_repeated()) return statement.text(column) == "[]";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: return statement.text(column).empty();
    case FieldDescriptor::CPPTYPE_DOUBLE: return statement.real(column) == 0;
    default: return statement.integer(column) == 0;
  }
}

Status read_field(const Statement& statement, int column, Message& message, const FieldDescriptor& field) {
  if (field.is_repeated()) return read_json_list(statement.text(column), message, field);
  const auto& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      reflection.SetString(&message, &field, std::string(statement.text(column)));
      break;
    case FieldDescriptor::CPPTYPE_INT64: reflection.SetInt64(&message, &field, statement.integer(column)); break;
    case FieldDescriptor::CPPTYPE_UINT64:
      reflection.SetUInt64(&message, &field, static_cast<std::uint64_t>(statement.integer(column)));
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      reflection.SetUInt32(&message, &field, static_cast<std::uint32_t>(statement.integer(column)));
      break;
    case FieldDescriptor::CPPTYPE_BOOL: reflection.SetBool(&message, &field, statement.integer(column) != 0); break;
    case FieldDescriptor::CPPTYPE_DOUBLE: reflection.SetDouble(&message, &field, statement.real(column)); break;
    default: assert(false && "a field type that the store has no column type for yet");
  }
  return {};
}

}  // namespace

std::string_view table(Kind kind) {
  using enum Kind;
  switch (kind) {
    case exchange: return "exchanges";
    case connection: return "connections";
    case dns: return "dns";
    case hint: return "hints";
  }
  unreachable_state();
}

const std::vector<Column>& columns(Kind kind) { return layout(kind).columns; }

int column_index(Kind kind, std::string_view name) {
  const auto& all = columns(kind);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

const std::string& column_list(Kind kind) { return layout(kind).list; }

const Message& message_of(const proto::Record& record, Kind kind) {
  return record.GetReflection()->GetMessage(record, &field_of(kind));
}

Message& make_message(proto::Record& record, Kind kind) {
  return *record.GetReflection()->MutableMessage(&record, &field_of(kind));
}

void bind_row(Statement& statement, int first_parameter, Kind kind, const Message& message,
              std::vector<std::string>& scratch) {
  const auto& all = columns(kind);
  scratch.resize(std::max(scratch.size(), all.size()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Message& holder =
        all[i].outer == nullptr ? message : message.GetReflection()->GetMessage(message, all[i].outer);
    scratch[i].clear();
    bind_field(statement, first_parameter + static_cast<int>(i), holder, *all[i].field, scratch[i]);
  }
}

Status read_row(const Statement& statement, int first_column, Kind kind, proto::Record& record) {
  Message& message = make_message(record, kind);
  const auto& all = columns(kind);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const int column = first_column + static_cast<int>(i);
    if (is_default(statement, column, *all[i].field)) continue;
    Message& holder =
        all[i].outer == nullptr ? message : *message.GetReflection()->MutableMessage(&message, all[i].outer);
    if (auto read = read_field(statement, column, holder, *all[i].field); !read) {
      const auto id = statement.text(first_column + column_index(kind, "id"));
      return fail(read.error().kind, fmt::format("tollgate.db: {}, id {}: {}", table(kind), id, read.error().what));
    }
  }
  return {};
}

}  // namespace tollgate::store
