#include "gateway/app/start_command.h"

#include <fmt/format.h>

#include <ostream>

#include "gateway/app/run.h"
#include "gateway/base/log.h"
#include "gateway/net/socket.h"

namespace tollgate::app {
namespace {

std::string type_in(const SocketAddress& proxy) {
  return fmt::format("On the phone: Settings, Wi-Fi, (i), Configure Proxy, Manual: server {}, port {}.\n",
                     proxy.ip.text(), proxy.port);
}

bool reachable_for_a_phone(const IpAddress& address) {
  return !address.is_loopback() && !address.is_link_local() && !address.is_unspecified();
}

}  // namespace

std::string where_to_point(const config::Config& config, std::span<const IpAddress> own) {
  if (!config.listen_proxy) return "listen.proxy is off: phones cannot use this gateway as a proxy.\n";
  const SocketAddress& proxy = *config.listen_proxy;
  if (proxy.ip.is_loopback()) {
    return fmt::format(
        "The proxy listens on {}, for this machine only. To let a phone in: --set listen.proxy=0.0.0.0:{}\n",
        proxy.text(), proxy.port);
  }
  // Port 0 is chosen by the kernel: the `ready` line says which it was.
  if (proxy.port == 0) return "The port to point the phone at is the one in the ready line.\n";
  if (!proxy.ip.is_unspecified()) return type_in(proxy);
  std::string lines;
  const bool any_family = !proxy.ip.is_v4();  // [::] takes IPv4 too
  for (const IpAddress& address : own) {
    if (reachable_for_a_phone(address) && (any_family || address.is_v4())) lines += type_in({address, proxy.port});
  }
  return lines.empty() ? "This machine has no address that a phone could reach: connect it to the phone's network.\n"
                       : lines;
}

Action declare_run(CLI::App&) {
  return [](const CommonOptions& options, Console& console) {
    const Loaded loaded = load_or_report(options, console);
    if (!loaded.config) return loaded.exit;
    if (const auto logging = start_logging(name(loaded.config->log_level)); !logging) {
      return report(logging.error(), console);
    }
    console.err << where_to_point(*loaded.config, net::interface_addresses()) << std::flush;
    return static_cast<Exit>(run_gateway(*loaded.config, [options] { return options.load(); }));
  };
}

}  // namespace tollgate::app
