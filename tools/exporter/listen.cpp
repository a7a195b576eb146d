#include "tools/exporter/listen.h"

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace koi::exporter {

std::string ListenAddress::to_string() const { return fmt::format("{}:{}", host, port); }

Result<ListenAddress> parse_listen(const std::string& text) {
  const Error wrong{fmt::format("--listen {}: not an IPv4 ADDRESS:PORT, as 127.0.0.1:9477", text)};
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return wrong;

  ListenAddress address{text.substr(0, colon), 0};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || stop != end) return wrong;
  in_addr bytes{};
  if (::inet_pton(AF_INET, address.host.c_str(), &bytes) != 1) return wrong;
  return address;
}

std::string bind_problem(const ListenAddress& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address.port);
  ::inet_pton(AF_INET, address.host.c_str(), &to.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::strerror(errno);
  // As the server does: a port that only waits for its last packets is free.
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool free =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 && ::listen(fd, 1) == 0;
  const int error = errno;
  ::close(fd);
  return free ? std::string() : std::string(std::strerror(error));
}

}  // namespace koi::exporter
