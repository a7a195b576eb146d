#include "tools/agent/pending_request.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

#include <fmt/format.h>

namespace koi::agent {
namespace {

constexpr std::size_t kLongestReply = 1024 * 1024;  // of a reply to events; koid's have 64 KiB

}  // namespace

std::string PendingRequest::start(const std::string& path, const ctl::Json& request) {
  const std::string line = request.dump() + '\n';
  line_.clear();
  socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  // A connection of this kind is there at once or not at all, and so small a line fits.
  const bool sent =
      on() &&
      ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(line.size());
  if (sent) return {};
  const int why = errno;
  end();
  return fmt::format("cannot ask koid on {}: {}", path, std::strerror(why));
}

std::optional<ctl::Reply> PendingRequest::ready() {
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return std::nullopt;
    if (size > 0) line_.append(chunk.data(), static_cast<std::size_t>(size));
    const std::size_t newline = line_.find('\n');
    if (newline != std::string::npos) {
      end();
      return ctl::parse_reply(line_.substr(0, newline));
    }
    if (size <= 0 || line_.size() > kLongestReply) {
      end();
      return ctl::Reply{ctl::Outcome::no_daemon, {}, "koid has closed the connection"};
    }
  }
}

}  // namespace koi::agent
