#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/result.h"
#include "tools/agent/host_spec.h"
#include "tools/agent/kernel_interface.h"

struct mnl_socket;
struct nlmsghdr;

namespace koi::agent {

/// Closes with libmnl.
struct CloseNetlink {
  void operator()(mnl_socket* socket) const;
};
using NetlinkSocket = std::unique_ptr<mnl_socket, CloseNetlink>;

/// Requests to the kernel about interfaces and addresses (rtnetlink). Each waits for the kernel's
/// answer, which comes at once, and returns 0 or an errno. `index`: of an interface.
class Netlink {
 public:
  static Result<Netlink> open();

  /// The interfaces of these names, those that there are, with their addresses.
  Result<std::vector<KernelInterface>> interfaces(const std::set<std::string>& names);

  int set_mac(unsigned index, const MacAddress& mac);
  int set_mtu(unsigned index, unsigned mtu);
  int set_up(unsigned index);
  int set_carrier(unsigned index, bool carrier);
  int set_arp_ignore(unsigned index, std::uint32_t value);
  int set_arp_announce(unsigned index, std::uint32_t value);
  int set_no_link_local(unsigned index);
  /// Without detection of duplicates; a shared one without a route to its prefix either.
  int add(unsigned index, const HostAddress& address);
  int remove(unsigned index, const KernelAddress& address);

 private:
  explicit Netlink(NetlinkSocket socket) : socket_(std::move(socket)) {}
  int request(nlmsghdr* message, const std::function<void(const nlmsghdr*)>& each = {});

  NetlinkSocket socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace koi::agent
