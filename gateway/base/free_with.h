// Ownership of C objects: using EventHandle = std::unique_ptr<event, FreeWith<event_free>>;
#pragma once

namespace tollgate {
template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
}  // namespace tollgate
