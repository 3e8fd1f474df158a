// What this room keeps with an SSL: OpenSSL's ex_data, with a type and an owner.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <utility>

namespace tollgate::tls {

// One object of type T with an SSL; it is freed with it.
template <class T>
class Attachment {
 public:
  // False when OpenSSL is out of memory.
  static bool attach(SSL* ssl, std::unique_ptr<T> object) {
    if (SSL_set_ex_data(ssl, index(), object.get()) != 1) return false;
    static_cast<void>(object.release());  // free_object() has it now
    return true;
  }
  // nullptr when none was attached.
  static T* of(const SSL* ssl) { return static_cast<T*>(SSL_get_ex_data(ssl, index())); }

 private:
  static int index() {
    static const int made = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_object);
    return made;
  }
  static void free_object(void* /*ssl*/, void* object, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*number*/,
                          void* /*argument*/) noexcept {
    const std::unique_ptr<T> owned(static_cast<T*>(object));
  }
};

}  // namespace tollgate::tls
