#include "tools/agent/socket_address.h"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>

namespace koi::agent {

SocketAddress::SocketAddress(const IpAddress& address, std::uint16_t port) {
  if (address.is_v4()) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    const Ipv4Address bytes = address.v4();
    std::memcpy(&to.sin_addr, bytes.bytes.data(), sizeof to.sin_addr);
    size = sizeof to;
    std::memcpy(&storage, &to, sizeof to);
  } else {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    const Ipv6Address bytes = address.v6();
    std::memcpy(&to.sin6_addr, bytes.bytes.data(), sizeof to.sin6_addr);
    size = sizeof to;
    std::memcpy(&storage, &to, sizeof to);
  }
}

}  // namespace koi::agent
