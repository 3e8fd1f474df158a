// Connects to the first of several addresses that answers (RFC 8305 §5): the next is tried when one fails or has been
// silent for a quarter of a second, the earlier ones still running.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "gateway/base/address.h"
#include "gateway/base/result.h"
#include "gateway/net/loop.h"

namespace tollgate::net {

struct Connected {
  Descriptor socket;
  SocketAddress address;
};

class Connector : public Retirable {
 public:
  using Done = std::function<void(Result<Connected>)>;
  // Calls `done` once, never from inside the constructor. `addresses` is not empty. Who loses interest calls cancel();
  // who may be inside `done` retires the connector instead of destroying it.
  // Errors: unreachable  every address failed, or `timeout` passed; says what each did.
  Connector(Loop& loop, std::vector<SocketAddress> addresses, Millis timeout, Done done);
  ~Connector() override;
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  void cancel();  // `done` is not called any more

 private:
  struct Attempt;
  void try_next();
  void on_writable(Attempt& attempt);
  void give_up(std::string why);
  void stop();

  Loop& loop_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;
  std::string failures_;
  Done done_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  Timer stagger_;
  Timer deadline_;
};

}  // namespace tollgate::net
