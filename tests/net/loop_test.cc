#include "gateway/net/loop.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "gateway/net/listener.h"
#include "gateway/net/stream.h"
#include "tests/net/running_loop.h"

using namespace tollgate;
using namespace tollgate::net;
using namespace tollgate::net::test;
using Catch::Matchers::Contains;

namespace {

using Events = std::vector<std::string>;

// Says when its stage comes, and may do something then.
class Work final : public TurnWork {
 public:
  Work(
      Events& events, std::string word, std::function<void()> then = [] {})
      : events_(events), word_(std::move(word)), then_(std::move(then)) {}
  void on_turn_end() override {
    events_.push_back(word_);
    then_();
  }

 private:
  Events& events_;
  std::string word_;
  std::function<void()> then_;
};

class Mortal final : public Retirable {
 public:
  Mortal(Events& events, std::string word) : events_(events), word_(std::move(word)) {}
  ~Mortal() override { events_.push_back(word_); }

 private:
  Events& events_;
  std::string word_;
};

std::unique_ptr<Loop> new_loop() { return std::move(Loop::create().value()); }

// Does `task` in one turn of the loop, which is the last.
void in_one_turn(Loop& loop, const std::function<void()>& task) {
  loop.post([&] {
    task();
    loop.stop();
  });
  loop.run();
}

}  // namespace

TEST_CASE("a turn ends with pump, then commit, then flush, whatever was marked first", "[net]") {
  Events events;
  const auto loop = new_loop();
  Work flush(events, "flush");
  Work pump(events, "pump");
  loop->on_commit([&] { events.emplace_back("commit"); });
  in_one_turn(*loop, [&] {
    loop->mark(flush, TurnStage::flush);
    loop->mark(pump, TurnStage::pump);
    loop->mark(pump, TurnStage::pump);  // once is enough
    events.emplace_back("callback");
  });
  CHECK(events == Events{"callback", "pump", "commit", "flush"});
}

TEST_CASE("what a pump marks is done in the same turn, before the commit", "[net]") {
  Events events;
  const auto loop = new_loop();
  Work flush(events, "flush");
  Work second(events, "second", [&] { loop->mark(flush, TurnStage::flush); });
  Work first(events, "first", [&] { loop->mark(second, TurnStage::pump); });
  loop->on_commit([&] { events.emplace_back("commit"); });
  in_one_turn(*loop, [&] { loop->mark(first, TurnStage::pump); });
  CHECK(events == Events{"first", "second", "commit", "flush"});
}

TEST_CASE("nothing is flushed before a commit, in later rounds of a turn neither", "[net]") {
  Events events;
  const auto loop = new_loop();
  Work flush(events, "flush");
  Work pump(events, "pump", [&] { loop->mark(flush, TurnStage::flush); });
  // A flush that wakes a session, as a drained queue does, once.
  Work waking(events, "waking", [&] { loop->mark(pump, TurnStage::pump); });
  loop->on_commit([&] { events.emplace_back("commit"); });
  in_one_turn(*loop, [&] { loop->mark(waking, TurnStage::flush); });
  CHECK(events == Events{"commit", "waking", "pump", "commit", "flush"});
}

TEST_CASE("work that keeps marking itself does not keep the loop from its events", "[net]") {
  Events events;
  const auto loop = new_loop();
  Work* self = nullptr;
  Work restless(events, "again", [&] { loop->mark(*self, TurnStage::pump); });
  self = &restless;
  Timer timer(*loop, [&] { loop->stop(); });
  loop->post([&] {
    loop->mark(restless, TurnStage::pump);
    timer.start(Millis(1));
  });
  loop->run();  // returns
  CHECK(events.size() > 1);
}

TEST_CASE("work that is destroyed while it is marked is forgotten", "[net]") {
  Events events;
  const auto loop = new_loop();
  auto doomed = std::make_unique<Work>(events, "doomed");
  Work first(events, "first", [&] { doomed.reset(); });
  in_one_turn(*loop, [&] {
    loop->mark(first, TurnStage::pump);
    loop->mark(*doomed, TurnStage::pump);
  });
  CHECK(events == Events{"first"});
}

TEST_CASE("what is retired lives until the turn is over", "[net]") {
  Events events;
  const auto loop = new_loop();
  Work flush(events, "flush", [&] { loop->retire(std::make_unique<Mortal>(events, "retired in flush")); });
  loop->on_commit([&] { events.emplace_back("commit"); });
  in_one_turn(*loop, [&] {
    loop->retire(std::make_unique<Mortal>(events, "retired in a callback"));
    loop->mark(flush, TurnStage::flush);
    events.emplace_back("callback");
  });
  CHECK(events == Events{"callback", "commit", "flush", "retired in a callback", "retired in flush"});
}

TEST_CASE("tasks of other threads run on the loop's thread, in their order", "[net]") {
  const auto loop = new_loop();
  std::vector<int> order;
  std::thread::id where;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i) loop->post([&order, i] { order.push_back(i); });
    loop->post([&] {
      where = std::this_thread::get_id();
      loop->stop();
    });
  });
  loop->run();
  poster.join();
  REQUIRE(order.size() == 1000);
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(where == std::this_thread::get_id());
}

TEST_CASE("stop ends a loop that waits for nothing, from another thread and before it runs", "[net]") {
  const auto waiting = new_loop();
  std::thread runner([&] { waiting->run(); });
  waiting->stop();
  runner.join();
  const auto stopped = new_loop();
  stopped->stop();
  stopped->run();
  SUCCEED("both returned");
}

TEST_CASE("a timer fires once, later if it is started again, and not when cancelled", "[net]") {
  const auto loop = new_loop();
  Events events;
  Timer cancelled(*loop, [&] { events.emplace_back("cancelled"); });
  Timer short_one(*loop, [&] { events.emplace_back("short"); });
  Timer again(*loop, [&] { events.emplace_back("again"); });
  Timer last(*loop, [&] { loop->stop(); });
  again.start(Millis(0));
  again.start(Millis(20));
  short_one.start(Millis(5));
  cancelled.start(Millis(1));
  cancelled.cancel();
  CHECK_FALSE(cancelled.pending());
  CHECK(again.pending());
  last.start(Millis(60));
  loop->run();
  CHECK(events == Events{"short", "again"});
  CHECK_FALSE(again.pending());
}

// --- Stream

namespace {

// Keeps what a stream tells; touched on the loop's thread.
class Hearer final : public StreamHandler {
 public:
  Hearer(Loop& loop, Descriptor socket) : stream(std::make_unique<Stream>(loop, std::move(socket), *this)) {}
  void on_bytes(ByteView bytes) override { text += as_text(bytes); }
  void on_end() override { events.emplace_back("end"); }
  void on_failed(int error) override { events.push_back("failed: " + std::string(std::strerror(error))); }
  void on_drained() override { events.emplace_back("drained"); }
  void on_finished() override { events.emplace_back("finished"); }
  std::string text;
  Events events;
  std::unique_ptr<Stream> stream;
};

struct Connection {
  explicit Connection(int buffers = 0) : Connection(tcp_pair(buffers)) {}
  ~Connection() { running.stop(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Events events() {
    return running.run([this] { return hearer->events; });
  }

  RunningLoop running;
  Peer peer;
  std::unique_ptr<Hearer> hearer;

 private:
  explicit Connection(TcpPair pair) : peer(std::move(pair.far)) {
    hearer = running.run([&] { return std::make_unique<Hearer>(running.loop(), std::move(pair.near)); });
  }
};

}  // namespace

TEST_CASE("a stream reads when told to, and counts what it carries", "[net]") {
  Connection c;
  c.peer.send("hello");
  c.running.settle();
  CHECK(c.running.run([&] { return c.hearer->text; }).empty());
  c.running.run([&] { c.hearer->stream->read_on(); });
  c.running.settle();
  CHECK(c.running.run([&] { return c.hearer->text; }) == "hello");
  c.running.run([&] {
    c.hearer->stream->out().append("good ");
    c.hearer->stream->send();
    c.hearer->stream->out().append("day");
    c.hearer->stream->send();
  });
  CHECK(c.peer.read(8) == "good day");
  c.running.run([&] { c.hearer->stream->read_off(); });
  c.peer.send("unheard");
  c.running.settle();
  CHECK(c.running.run([&] { return c.hearer->text; }) == "hello");
  CHECK(c.running.run([&] { return c.hearer->stream->bytes_in(); }) == 5);
  CHECK(c.running.run([&] { return c.hearer->stream->bytes_out(); }) == 8);
}

TEST_CASE("what is sent leaves after the turn's commit, in one piece", "[net]") {
  Connection c;
  c.running.run([&] {
    c.running.loop().on_commit([&] {
      char octet = 0;
      const bool arrived = ::recv(c.peer.descriptor(), &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
      if (c.hearer->stream->out().size() == 2) c.hearer->events.emplace_back(arrived ? "arrived before" : "commit");
    });
    c.hearer->stream->out().append("a");
    c.hearer->stream->send();
    c.hearer->stream->out().append("b");
    c.hearer->stream->send();
  });
  CHECK(c.peer.read(2) == "ab");
  CHECK(c.events() == Events{"commit"});
  c.running.run([&] { c.running.loop().on_commit([] {}); });
}

TEST_CASE("a FIN and a reset are told apart, and after a FIN writing still works", "[net]") {
  Connection c;
  c.running.run([&] { c.hearer->stream->read_on(); });
  SECTION("FIN") {
    c.peer.send("bye");
    c.peer.half_close();
    c.running.settle();
    CHECK(c.events() == Events{"end"});
    CHECK(c.running.run([&] { return c.hearer->text; }) == "bye");
    c.running.run([&] {
      c.hearer->stream->out().append("still here");
      c.hearer->stream->send();
      c.hearer->stream->finish();
    });
    CHECK(c.peer.read_all() == "still here");
    CHECK(c.peer.end() == End::fin);
  }
  SECTION("reset") {
    c.peer.reset();
    c.running.settle();
    CHECK(c.events() == Events{"failed: Connection reset by peer"});
  }
}

TEST_CASE("finish sends its FIN once the queue is empty, and once only", "[net]") {
  Connection c(32 * 1024);
  c.running.run([&] {
    c.hearer->stream->out().append(std::string(2 * stream_high_mark, 'x'));
    c.hearer->stream->send();
    c.hearer->stream->finish();
    c.hearer->stream->finish();
  });
  c.running.settle();
  CHECK(c.running.run([&] { return !c.hearer->stream->finished() && c.hearer->stream->above_high_mark(); }));
  CHECK(c.peer.read_all().size() == 2 * stream_high_mark);
  CHECK(c.peer.end() == End::fin);
  // Where the last write empties the queue at once, drained has nothing more to say.
  const Events events = c.events();
  CHECK(events.back() == "finished");
  CHECK(std::count(events.begin(), events.end(), "finished") == 1);
}

TEST_CASE("a queue that was above the high mark says when it is below the low one, once", "[net]") {
  Connection c(32 * 1024);
  const auto write = [&](std::size_t size) {
    c.running.run([&] {
      c.hearer->stream->out().append(std::string(size, 'x'));
      c.hearer->stream->send();
    });
  };
  write(stream_high_mark);  // at the mark, not above it
  CHECK(c.peer.read(stream_high_mark).size() == stream_high_mark);
  c.running.settle();
  CHECK(c.events().empty());
  write(2 * stream_high_mark);
  CHECK(c.peer.read(2 * stream_high_mark).size() == 2 * stream_high_mark);
  c.running.settle();
  CHECK(c.events() == Events{"drained"});
}

TEST_CASE("reset drops the queue, and nothing is heard after it", "[net]") {
  Connection c(32 * 1024);
  c.running.run([&] {
    c.hearer->stream->read_on();
    c.hearer->stream->out().append(std::string(stream_high_mark, 'x'));
    c.hearer->stream->send();
    c.hearer->stream->reset();
    c.hearer->stream->finish();
    c.hearer->stream->send();
  });
  CHECK(c.peer.read_all().empty());
  CHECK(c.peer.end() == End::reset);
  c.running.settle();
  CHECK(c.events().empty());
}

// --- Listener

TEST_CASE("a listener hands over who connected, and after close() nobody", "[net]") {
  RunningLoop running;
  Events from;
  auto socket = listen_on({IpAddress::v4({127, 0, 0, 1}), 0}, Share::no);
  REQUIRE(socket);
  std::vector<Descriptor> taken;
  auto listener = running.run([&] {
    return std::make_unique<Listener>(running.loop(), std::move(*socket),
                                      Listener::Callbacks{[&](Descriptor accepted, const SocketAddress& peer) {
                                                            from.push_back(peer.text());
                                                            taken.push_back(std::move(accepted));
                                                          },
                                                          [] {}});
  });
  const KernelAddress to = to_kernel(listener->address());
  const Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(client.get(), to.get(), to.size) == 0);
  running.settle();
  CHECK(running.run([&] { return from; }) == Events{local_address(client.get()).text()});
  running.run([&] { listener->close(); });
  const Descriptor late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(::connect(late.get(), to.get(), to.size) != 0);
  running.stop();
}

TEST_CASE("a port in use is named, with the remedy", "[net]") {
  const auto first = listen_on({IpAddress::v4({127, 0, 0, 1}), 0}, Share::no);
  REQUIRE(first);
  const SocketAddress address = local_address(first->get());
  const auto second = listen_on(address, Share::no);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == Error::Kind::io);
  CHECK_THAT(second.error().what, Contains(address.text()) && Contains("stop it or choose another port"));
  CHECK_THAT(listen_on({IpAddress::parse("192.0.2.1").value(), 0}, Share::no).error().what,
             Contains("no interface of this machine"));
}

TEST_CASE("workers share a port, another instance does not get it", "[net]") {
  const auto first = listen_on({IpAddress::v4({127, 0, 0, 1}), 0}, Share::yes);
  REQUIRE(first);
  const SocketAddress address = local_address(first->get());
  CHECK(listen_on(address, Share::yes));
  const auto taken = check_free(address);
  REQUIRE_FALSE(taken);
  CHECK_THAT(taken.error().what, Contains(address.text()) && Contains("something else listens there"));
  CHECK(check_free({address.ip, 0}));
}

TEST_CASE("a port whose listener has gone is free", "[net]") {
  auto first = listen_on({IpAddress::v4({127, 0, 0, 1}), 0}, Share::yes);
  REQUIRE(first);
  const SocketAddress address = local_address(first->get());
  first->close();
  CHECK(check_free(address));
}

TEST_CASE("addresses survive the way through the kernel's form", "[net]") {
  for (const auto* const text : {"1.2.3.4:5", "[2001:db8::1]:65535", "[::]:0"}) {
    CAPTURE(text);
    const SocketAddress address = SocketAddress::parse(text).value();
    CHECK(from_kernel(to_kernel(address)) == address);
  }
  CHECK(from_kernel(to_kernel(SocketAddress::parse("[::ffff:1.2.3.4]:5").value())).text() == "1.2.3.4:5");
}
