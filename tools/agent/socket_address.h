#pragma once

#include <cstdint>
#include <sys/socket.h>

#include "common/net/ip_address.h"

namespace koi::agent {

/// An address as the kernel's sockets take it.
struct SocketAddress {
  /// `port`: host byte order.
  SocketAddress(const IpAddress& address, std::uint16_t port);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t size = 0;
};

}  // namespace koi::agent
