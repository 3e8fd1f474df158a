#include "gateway/base/byte_queue.h"

#include <cassert>
#include <utility>

namespace tollgate {

void ByteQueue::consume(std::size_t count) {
  assert(count <= size());
  head_ += count;
  if (head_ == storage_.size()) {
    head_ = 0;
    if (storage_.capacity() > keep_when_empty) {
      Bytes().swap(storage_);
    } else {
      storage_.clear();
    }
    return;
  }
  // Moving the rest down costs its length; done only when at least as much has left, so each byte moves at most once.
  if (head_ >= storage_.size() - head_) {
    storage_.erase(storage_.begin(), storage_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void ByteQueue::append(ByteQueue&& other) {
  if (empty()) {
    std::swap(storage_, other.storage_);
    std::swap(head_, other.head_);
  } else {
    append(other.view());
  }
  other.clear();
}

Bytes ByteQueue::take() {
  if (head_ > 0) storage_.erase(storage_.begin(), storage_.begin() + static_cast<std::ptrdiff_t>(head_));
  head_ = 0;
  return std::exchange(storage_, {});
}

}  // namespace tollgate
