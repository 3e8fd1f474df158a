// tollgate_load: a load generator that speaks CONNECT, TLS, HTTP/1.1 and HTTP/2, checks every answer, and prints one
// line of JSON. One thread; tests/bench/compare.py pins it beside the origin.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "tests/bench/load_client.h"

namespace tollgate::bench {
namespace {

SslContext make_context(const LoadOptions& options) {
  SslContext context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(context.get(), options.ca_file.c_str(), nullptr) != 1) {
    throw CLI::ValidationError("--ca", options.ca_file + ": no certificate");
  }
  const std::string alpn = options.http2 ? std::string("\x02h2") : std::string("\x08http/1.1");
  SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
  return context;
}

double percentile(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return static_cast<double>(*at) / 1000.0;
}

// A thousand connections at once would measure the peers' listen queues.
constexpr std::size_t opening_at_once = 64;
constexpr Millis opening_interval{5};

bool all_answered(const LoadResult& result, const LoadOptions& options) {
  return result.responses + result.errors >= options.connections;
}

int run(const LoadOptions& options) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  auto loop = net::Loop::create();
  if (!loop) throw std::runtime_error(loop.error().what);
  const SslContext context = make_context(options);
  LoadResult result;
  std::vector<std::unique_ptr<LoadClient>> clients;
  net::Timer end(**loop, [&] {
    for (const auto& client : clients) client->stop();
    (*loop)->stop();
  });
  net::Timer opening(**loop, [&] {
    while (clients.size() < options.connections &&
           clients.size() < result.responses + result.errors + opening_at_once) {
      clients.push_back(std::make_unique<LoadClient>(**loop, options, context.get(), result));
      clients.back()->start();
    }
    if (clients.size() < options.connections || (options.mode == Mode::idle && !all_answered(result, options))) {
      opening.start(opening_interval);
      return;
    }
    if (options.mode != Mode::idle) return;
    std::cout << "open " << result.responses << std::endl;
    end.start(options.duration);
  });
  opening.start(Millis(0));
  if (options.mode != Mode::idle) end.start(options.duration);
  const MonoTime began = mono_now();
  (*loop)->run();
  const double seconds = std::chrono::duration<double>(mono_now() - began).count();
  std::replace(result.first_error.begin(), result.first_error.end(), '"', '\'');
  const double p50 = percentile(result.latencies_us, 0.5);
  const double p99 = percentile(result.latencies_us, 0.99);
  std::cout << fmt::format(
      "{{\"responses\":{},\"errors\":{},\"seconds\":{:.3f},\"per_second\":{:.1f},\"handshakes\":{},\"resumed\":{},"
      "\"megabytes_per_second\":{:.1f},\"p50_ms\":{:.3f},\"p99_ms\":{:.3f},\"first_error\":\"{}\"}}\n",
      result.responses, result.errors, seconds, static_cast<double>(result.responses) / seconds, result.handshakes,
      result.resumed, static_cast<double>(result.content) / seconds / 1e6, p50, p99, result.first_error);
  return result.errors == 0 && result.responses > 0 ? 0 : 1;
}

}  // namespace
}  // namespace tollgate::bench

int main(int argc, char** argv) {
  using namespace tollgate::bench;
  LoadOptions options;
  std::string to;
  std::string mode = "keepalive";
  double seconds = 5;
  CLI::App app{"HTTP load through a TLS gateway"};
  app.add_option("--to", to, "ADDR:PORT")->required();
  app.add_option("--connect", options.via_connect, "HOST:PORT to CONNECT to first; :PORT for the server name's");
  app.add_option("--name", options.name, "server name");
  app.add_option("--ca", options.ca_file, "trust anchors, PEM")->required();
  app.add_option("--path", options.path);
  app.add_option("--mode", mode, "keepalive, connections or idle");
  app.add_flag("--h2", options.http2);
  app.add_flag("--resume", options.resume);
  app.add_option("--names", options.names, "so many names: n0.NAME, n1.NAME, …");
  app.add_option("--connections", options.connections);
  app.add_option("--streams", options.streams);
  app.add_option("--expect", options.expected, "bytes of content of every response");
  app.add_option("--count", options.count, "end after so many responses");
  app.add_option("--seconds", seconds);
  try {
    app.parse(argc, argv);
    const auto address = tollgate::SocketAddress::parse(to);
    if (!address) throw CLI::ValidationError("--to", address.error().what);
    options.to = *address;
    options.mode = mode == "connections" ? Mode::connections : mode == "idle" ? Mode::idle : Mode::keepalive;
    options.duration = tollgate::Millis(static_cast<std::int64_t>(seconds * 1000));
    return run(options);
  } catch (const CLI::Error& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 3;
  }
}
