#include "tools/agent/kernel_watch.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <fmt/format.h>
#include <libmnl/libmnl.h>

#include "tools/agent/netlink_read.h"

namespace koi::agent {
namespace {

struct Asked {
  const KernelWatch::Matters& matters;
  bool any = false;
};

int on_message(const nlmsghdr* header, void* data) {
  Asked& asked = *static_cast<Asked*>(data);
  unsigned index = 0;
  std::string name;
  if (const auto link = read_link(header)) {
    index = link->index;
    name = link->name;
  } else if (const auto address = read_address(header)) {
    index = address->first;
  } else {
    return MNL_CB_OK;  // an interface that is gone has nothing to be put right
  }
  asked.any = asked.any || asked.matters(index, name);
  return MNL_CB_OK;
}

}  // namespace

Result<KernelWatch> KernelWatch::open() {
  NetlinkSocket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket ||
      mnl_socket_bind(socket.get(), RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
                      MNL_SOCKET_AUTOPID) < 0) {
    return Error{fmt::format("cannot watch the kernel's interfaces: {}", std::strerror(errno))};
  }
  return KernelWatch(std::move(socket));
}

int KernelWatch::fd() const { return mnl_socket_get_fd(socket_.get()); }

bool KernelWatch::receive(const Matters& matters) {
  Asked asked{matters};
  std::array<char, 32768> buffer;
  for (;;) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == ENOBUFS) {  // messages were lost
      asked.any = true;
      continue;
    }
    if (size <= 0) return asked.any;
    mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), 0, 0, on_message, &asked);
  }
}

}  // namespace koi::agent
