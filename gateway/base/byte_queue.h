// ByteQueue: bytes on their way, first in first out, contiguous. What flows between rooms without I/O and sockets.
// An empty queue holds no memory worth speaking of, so that an idle connection costs little: storage above
// `keep_when_empty` is given back when the last byte leaves.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gateway/base/bytes.h"

namespace tollgate {

class ByteQueue {
 public:
  ByteView view() const { return ByteView(storage_).subspan(head_); }
  std::size_t size() const { return storage_.size() - head_; }
  bool empty() const { return size() == 0; }

  void append(ByteView bytes) { storage_.insert(storage_.end(), bytes.begin(), bytes.end()); }
  void append(std::string_view text) { append(as_bytes(text)); }
  // Everything that `other` has, which is empty then. Costs nothing when this is empty.
  void append(ByteQueue&& other);

  // Drops `count` bytes (at most size()) from the front.
  void consume(std::size_t count);
  void clear() { consume(size()); }
  // Moves everything out.
  Bytes take();

 private:
  static constexpr std::size_t keep_when_empty = 0;
  Bytes storage_;
  std::size_t head_ = 0;
};

}  // namespace tollgate
