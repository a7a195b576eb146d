#include "tools/agent/tcp_probe.h"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include "tools/agent/socket_address.h"

namespace koi::agent {
namespace {

Verdict failed(int error) { return {false, std::strerror(error)}; }

}  // namespace

std::optional<Verdict> TcpProbe::start() {
  socket_.reset(::socket(address_.is_v4() ? AF_INET : AF_INET6,
                         SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket_.get() < 0) return failed(errno);
  const SocketAddress to(address_, port_);
  const int error = ::connect(socket_.get(), to.get(), to.size) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR) return std::nullopt;
  socket_.reset();
  if (error == 0) return Verdict{true, {}};
  return failed(error);
}

short TcpProbe::events() const { return POLLOUT; }

std::optional<Verdict> TcpProbe::ready() {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  socket_.reset();
  if (error == 0) return Verdict{true, {}};
  return failed(error);
}

Verdict TcpProbe::give_up() {
  socket_.reset();
  return {false, fmt::format("no connection within {} s",
                             std::chrono::duration<double>(timeout_).count())};
}

}  // namespace koi::agent
