#pragma once

#include <functional>
#include <memory>

#include "common/result.h"

struct mnl_socket;

namespace koi::app {

/// Link state of kernel interfaces by rtnetlink, for drivers that sit on one (net_af_packet says
/// "up" whatever happens). Service thread only.
class KernelLink {
 public:
  /// Called with an interface's number and whether it is up with carrier.
  using OnChange = std::function<void(unsigned interface, bool up)>;

  /// Subscribes, and asks for the state of all interfaces, which receive() then delivers.
  static Result<KernelLink> open(OnChange on_change);

  /// Readable when receive() has work.
  int fd() const;
  void receive();

 private:
  struct Close {
    void operator()(mnl_socket* socket) const;
  };
  KernelLink(std::unique_ptr<mnl_socket, Close> socket, OnChange on_change)
      : socket_(std::move(socket)), on_change_(std::move(on_change)) {}
  bool ask_for_all();

  std::unique_ptr<mnl_socket, Close> socket_;
  OnChange on_change_;
};

}  // namespace koi::app
