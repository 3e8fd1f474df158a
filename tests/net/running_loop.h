// A loop that runs on a thread of its own, and peers that talk to it in blocking calls from the test's thread, so that
// a test reads from top to bottom. Every wait ends: a peer that hears nothing for ten seconds throws.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

#include "gateway/net/loop.h"
#include "gateway/net/socket.h"

namespace tollgate::net::test {

class RunningLoop {
 public:
  RunningLoop() : loop_(std::move(Loop::create().value())), thread_([this] { loop_->run(); }) {}
  ~RunningLoop() { stop(); }
  RunningLoop(const RunningLoop&) = delete;
  RunningLoop& operator=(const RunningLoop&) = delete;

  Loop& loop() { return *loop_; }

  // Does `task` on the loop's thread and waits for what it returns.
  template <class Task>
  auto run(Task task) {
    using Answer = std::invoke_result_t<Task>;
    auto work = std::make_shared<std::packaged_task<Answer()>>(std::move(task));
    auto answer = work->get_future();
    loop_->post([work] { (*work)(); });
    return answer.get();
  }

  // Lets whole turns pass: what had reached the kernel has been read, relayed and flushed after it. Each run() takes a
  // turn of its own, and nothing here needs more than a few to go from one side to the other.
  void settle() {
    for (int turn = 0; turn < 8; ++turn) run([] {});
  }

  // Before what lives on the loop is destroyed.
  void stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
  }

 private:
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

enum class End { fin, reset };

// The far end of a connection.
class Peer {
 public:
  explicit Peer(Descriptor socket) : socket_(std::move(socket)) {
    const timeval patience{10, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (count < 0) throw std::runtime_error(std::string("a peer cannot send: ") + std::strerror(errno));
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // How much the kernel takes now; 0 when it is full.
  std::size_t send_what_fits(std::string_view text) {
    const ssize_t count = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) throw std::runtime_error(std::strerror(errno));
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }

  // Everything up to and with `marker`; what comes after it stays.
  std::string read_until(std::string_view marker) {
    while (true) {
      const auto at = received_.find(marker);
      if (at != std::string::npos) return take(at + marker.size());
      if (!receive(0)) throw std::runtime_error("no \"" + std::string(marker) + "\" after: " + received_);
    }
  }
  std::string read(std::size_t count) {
    while (received_.size() < count) {
      if (!receive(0)) throw std::runtime_error("the end came after: " + received_);
    }
    return take(count);
  }
  // Everything there is, up to the end.
  std::string read_all() {
    while (receive(0)) {
    }
    return take(received_.size());
  }
  // What has arrived by now, without waiting.
  std::string read_arrived() {
    while (receive(MSG_DONTWAIT)) {
    }
    return take(received_.size());
  }
  // How the other side ended the connection; waits for it.
  End end() {
    while (receive(0)) {
    }
    return end_;
  }

  void half_close() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.close(); }
  void reset() { reset_and_close(std::move(socket_)); }
  int descriptor() const { return socket_.get(); }

 private:
  std::string take(std::size_t count) {
    std::string taken = received_.substr(0, count);
    received_.erase(0, count);
    return taken;
  }
  // False at the end, or with MSG_DONTWAIT when there is no more.
  bool receive(int flags) {
    if (ended_) return false;
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), flags);
    if (count > 0) {
      received_.append(buffer.data(), static_cast<std::size_t>(count));
      return true;
    }
    if (count < 0 && errno == EAGAIN) {
      if (flags == 0) throw std::runtime_error("silence after: " + received_);
      return false;
    }
    ended_ = true;
    end_ = count == 0 ? End::fin : End::reset;
    return false;
  }

  Descriptor socket_;
  std::string received_;
  bool ended_ = false;
  End end_ = End::fin;
};

// A connected pair over loopback TCP, so that FIN and RST are what they are on the network.
struct TcpPair {
  Descriptor near;  // non-blocking, for the loop
  Descriptor far;   // blocking, for a Peer
};

// `buffers` above 0 fixes all the kernel's buffers to about so many bytes.
inline TcpPair tcp_pair(int buffers = 0) {
  const SocketAddress anywhere{IpAddress::v4({127, 0, 0, 1}), 0};
  const Descriptor listener = std::move(listen_on(anywhere, Share::no).value());
  const auto limit = [&](int socket) {
    if (buffers == 0) return;
    setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffers, sizeof buffers);
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &buffers, sizeof buffers);
  };
  limit(listener.get());
  TcpPair pair;
  pair.far = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  limit(pair.far.get());
  const KernelAddress to = to_kernel(local_address(listener.get()));
  if (::connect(pair.far.get(), to.get(), to.size) != 0) throw std::runtime_error(std::strerror(errno));
  pair.near = Descriptor(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  limit(pair.near.get());
  tune_stream(pair.near.get());
  return pair;
}

}  // namespace tollgate::net::test
