#include "gateway/store/columns.h"

#include <google/protobuf/descriptor.h>

#include "gateway/store/json_list.h"
#include "gateway/store/row_writer.h"
#include "gateway/store/schema.h"
#include "tests/store/records.h"

namespace tollgate::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Every field set to something that is its own, lists to two elements.
void fill(Message& message, int& counter) {
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const auto* field = message.GetDescriptor()->field(i);
    ++counter;
    const std::string text = "text \"" + std::to_string(counter) + "\" \\ ü";
    if (field->is_repeated()) {
      for (int k = 0; k < 2; ++k) {
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING)
          reflection.AddString(&message, field, text);
        else
          fill(*reflection.AddMessage(&message, field), counter);
      }
      continue;
    }
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: reflection.SetString(&message, field, text); break;
      case FieldDescriptor::CPPTYPE_INT64: reflection.SetInt64(&message, field, monday + counter); break;
      case FieldDescriptor::CPPTYPE_UINT64:
        reflection.SetUInt64(&message, field, 10'000'000'000U + static_cast<unsigned>(counter));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection.SetUInt32(&message, field, static_cast<unsigned>(counter));
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE: reflection.SetDouble(&message, field, counter + 0.25); break;
      case FieldDescriptor::CPPTYPE_BOOL: reflection.SetBool(&message, field, true); break;
      case FieldDescriptor::CPPTYPE_MESSAGE: fill(*reflection.MutableMessage(&message, field), counter); break;
      default: FAIL("a field type that this test does not know: " << field->full_name());
    }
  }
}

Database with_tables() {
  auto database = Database::temporary();
  REQUIRE(database);
  REQUIRE(migrate(*database));
  return std::move(*database);
}

proto::Record through_the_table(const proto::Record& record, Kind kind) {
  const Database database = with_tables();
  auto rows = RowWriter::prepare(database);
  REQUIRE(rows);
  REQUIRE(rows->put(record, {1, from_micros(monday)}));
  auto statement = database.prepare("SELECT " + column_list(kind) + " FROM " + std::string(table(kind)));
  REQUIRE(statement);
  REQUIRE(statement->step().value());
  proto::Record back;
  REQUIRE(read_row(*statement, 0, kind, back));
  return back;
}

}  // namespace

TEST_CASE("a record of every kind, all fields set, comes back from its table as it was", "[store]") {
  const auto kind = GENERATE(from_range(all_kinds));
  proto::Record record;
  int counter = 0;
  fill(make_message(record, kind), counter);
  CAPTURE(name(kind), record.DebugString());
  CHECK(through_the_table(record, kind).SerializeAsString() == record.SerializeAsString());
}

TEST_CASE("a record of every kind, no field but its id set, comes back from its table as it was", "[store]") {
  const auto kind = GENERATE(from_range(all_kinds));
  proto::Record record;
  Message& message = make_message(record, kind);
  message.GetReflection()->SetString(&message, message.GetDescriptor()->FindFieldByName("id"), "ID1");
  CAPTURE(name(kind));
  CHECK(through_the_table(record, kind).SerializeAsString() == record.SerializeAsString());
}

TEST_CASE("false and absent are different in a column", "[store]") {
  const auto with_active = [](proto::Exchange& exchange) { exchange.set_active(false); };
  CHECK(through_the_table(exchange(1, with_active), Kind::exchange).exchange().has_active());
  CHECK_FALSE(through_the_table(exchange(1), Kind::exchange).exchange().has_active());
}

TEST_CASE("the tables have the schema's fields as columns, in its order", "[store]") {
  const Database database = with_tables();
  for (const Kind kind : all_kinds) {
    auto info = database.prepare("SELECT name FROM pragma_table_info('" + std::string(table(kind)) + "')");
    REQUIRE(info);
    std::vector<std::string> there;
    while (info->step().value()) there.emplace_back(info->text(0));
    std::vector<std::string> wanted = {"seq"};
    for (const auto& column : columns(kind)) wanted.push_back(column.name);
    wanted.insert(wanted.end(), {"arrived", "run"});
    CHECK(there == wanted);
  }
}

TEST_CASE("a list that somebody has edited beyond reading is named, not taken for empty", "[store]") {
  const Database database = with_tables();
  auto rows = RowWriter::prepare(database);
  REQUIRE(rows);
  REQUIRE(rows->put(exchange(7), {1, from_micros(monday)}));
  REQUIRE(database.execute("UPDATE exchanges SET identifiers = '[{\"kind\":'"));
  auto statement = database.prepare("SELECT " + column_list(Kind::exchange) + " FROM exchanges");
  REQUIRE(statement);
  REQUIRE(statement->step().value());
  proto::Record record;
  const auto read = read_row(*statement, 0, Kind::exchange, record);
  REQUIRE_FALSE(read);
  CHECK(read.error().kind == Error::Kind::malformed);
  CHECK(read.error().what ==
        "tollgate.db: exchanges, id " + id_of(7) + ": identifiers: not the JSON list it should be");
}

TEST_CASE("lists are JSON that others can read", "[store]") {
  auto record = exchange(1, [](proto::Exchange& exchange) {
    exchange.add_query("a\"b\\c\n");
    exchange.add_query("ü");
    auto& identifier = *exchange.add_identifiers();
    identifier.set_kind("idfa");
    identifier.set_where("body:device.ifa");
  });
  std::string text;
  append_json_list(record.exchange(), *proto::Exchange::descriptor()->FindFieldByName("query"), text);
  CHECK(text == R"(["a\"b\\c\u000a","ü"])");
  text.clear();
  append_json_list(record.exchange(), *proto::Exchange::descriptor()->FindFieldByName("identifiers"), text);
  CHECK(text == R"([{"kind":"idfa","where":"body:device.ifa"}])");
  auto bursts = connection(1, [](proto::Connection& connection) {
    auto& burst = *connection.add_activity();
    burst.set_ms(10);
    burst.set_up(200);
  });
  text.clear();
  append_json_list(bursts.connection(), *proto::Connection::descriptor()->FindFieldByName("activity"), text);
  CHECK(text == "[[10,200,0]]");
}

TEST_CASE("JSON lists are read strictly", "[store]") {
  const auto reads = [](const char* field, const char* text) {
    proto::Exchange exchange;
    return read_json_list(text, exchange, *proto::Exchange::descriptor()->FindFieldByName(field)).has_value();
  };
  CHECK(reads("query", " [ \"a\" , \"\\u00fc\\ud83d\\ude00\" ] "));
  CHECK(reads("query", "[]"));
  CHECK(reads("identifiers", R"([{"where":"x"},{}])"));
  for (const char* text : {"", "[", "[\"a\"", "[\"a\",]", "[,]", "[1]", "{}", "[\"a\"]x", "[\"\\ud83d\"]", "[\"\\x\"]",
                           "[\"\\u12\"]", "[\"a\" \"b\"]"}) {
    CAPTURE(text);
    CHECK_FALSE(reads("query", text));
  }
  for (const char* text : {R"([{"no":"x"}])", R"([{"kind":1}])", R"([{"kind"}])", R"(["a"])", R"([["a","b"]])"}) {
    CAPTURE(text);
    CHECK_FALSE(reads("identifiers", text));
  }
}

}  // namespace tollgate::store
