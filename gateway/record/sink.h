// Where records go. Relay hands them to a sink; the journal is one, a test's vector another.
#pragma once

#include "proto/record.pb.h"

namespace tollgate::record {

// One a worker: not thread-safe.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Takes the record; it is not durable until commit().
  virtual void append(const proto::Record& record) = 0;
  // Everything appended so far is with the kernel when this returns. Called once a turn of the event loop, before what
  // the turn has to send leaves to clients: a client that has seen the end of a response can rely on its record.
  virtual void commit() = 0;
};

}  // namespace tollgate::record
