// JA4: what kind of TLS client this is, in a form that people can compare: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
// FoxIO's specification, https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md
#pragma once

#include <cstdint>
#include <string>

#include "gateway/tls/client_hello.h"

namespace tollgate::tls {

enum class Ja4Transport : std::uint8_t { tcp, quic };

// Pure: any thread.
std::string ja4(const ClientHello& hello, Ja4Transport transport = Ja4Transport::tcp);

}  // namespace tollgate::tls
