#include "tools/ctl/socket_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace koi::ctl {
namespace {

using std::chrono::steady_clock;

std::string reason(int error) { return std::strerror(error); }

Error cannot_connect(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return {
          fmt::format("there is no socket {}: is koid running (systemctl status koid), and is "
                      "this the path in its configuration (--socket)?",
                      path)};
    case ECONNREFUSED:
      return {fmt::format("nobody listens on {}: koid has ended, start it (systemctl start koid)",
                          path)};
    case EACCES:
    case EPERM:
      return {
          fmt::format("no permission to use {}: run this as root or as a user who may write "
                      "to the socket",
                      path)};
    case EAGAIN:
      return {
          fmt::format("koid does not take connections on {}: it is overloaded or hung, see "
                      "systemctl status koid",
                      path)};
    default:
      return {fmt::format("cannot connect to {} ({}): is koid running (systemctl status koid)?",
                          path, reason(error))};
  }
}

Error no_reply(const std::string& path, Duration deadline) {
  return {
      fmt::format("koid did not reply on {} within {} s: it is overloaded or hung, see "
                  "systemctl status koid",
                  path, std::chrono::duration<double>(deadline).count())};
}

Error closed(const std::string& path) {
  return {
      fmt::format("koid closed the connection on {} without a whole reply: it may be stopping, "
                  "see systemctl status koid",
                  path)};
}

/// Returns whether the descriptor became ready for `events` (or failed) before `end`.
bool wait_for(int fd, short events, steady_clock::time_point end) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd p{fd, events, 0};
    const int n = ::poll(&p, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return true;  // the next call on it says what is wrong
  }
}

/// Connects, blocking: a full backlog ends with EAGAIN after `deadline`. Returns 0 or an errno.
int connect_within(int fd, const sockaddr_un& address, Duration deadline) {
  const auto us = std::chrono::ceil<std::chrono::microseconds>(deadline).count();
  timeval timeout{};
  timeout.tv_sec = us / 1'000'000;
  timeout.tv_usec = us % 1'000'000;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  while (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

/// Returns false iff time ran out. A peer that closed is no failure here: it may have replied
/// first.
bool send_all(int fd, std::string_view data, steady_clock::time_point end) {
  while (!data.empty()) {
    const ssize_t n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      data.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!wait_for(fd, POLLOUT, end)) return false;
    } else if (errno != EINTR) {
      return true;
    }
  }
  return true;
}

/// Connects and sends the line.
Result<FileDescriptor> send_request(const std::string& path, std::string_view line,
                                    Duration deadline, steady_clock::time_point end) {
  if (std::string problem = socket_path_problem(path); !problem.empty()) return Error{problem};

  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return Error{fmt::format("cannot make a socket ({})", reason(errno))};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (const int error = connect_within(fd.get(), address, deadline); error != 0) {
    return cannot_connect(path, error);
  }

  std::string data(line);
  data += '\n';
  if (!send_all(fd.get(), data, end)) return no_reply(path, deadline);
  return fd;
}

}  // namespace

std::string socket_path_problem(const std::string& path) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un{}.sun_path) - 1;
  if (path.empty()) return "the path of the control socket is empty";
  if (path.size() > kLongest) {
    return fmt::format("the path of the control socket has {} bytes, the system allows {}",
                       path.size(), kLongest);
  }
  return {};
}

Result<std::string> request(const std::string& path, std::string_view line, Duration deadline) {
  const auto end = steady_clock::now() + deadline;
  auto sent = send_request(path, line, deadline, end);
  if (!sent) return sent.error();
  const FileDescriptor fd = std::move(sent).value();

  std::string reply;
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t n = ::recv(fd.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (n > 0) {
      const std::string_view got(chunk.data(), static_cast<std::size_t>(n));
      const std::size_t newline = got.find('\n');
      reply += got.substr(0, newline);
      if (newline != std::string_view::npos) return reply;
      if (reply.size() > kMaxReplyBytes) {
        return Error{fmt::format("what answers on {} is not koid: its reply has no end", path)};
      }
      if (steady_clock::now() >= end) return no_reply(path, deadline);
    } else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
      return closed(path);
    } else if (errno != EINTR && !wait_for(fd.get(), POLLIN, end)) {
      return no_reply(path, deadline);
    }
  }
}

Result<Conversation> Conversation::begin(const std::string& path, std::string_view line,
                                         Duration deadline) {
  auto sent = send_request(path, line, deadline, steady_clock::now() + deadline);
  if (!sent) return sent.error();
  return Conversation(std::move(sent).value());
}

Conversation::Heard Conversation::receive(std::string& into, Duration within) {
  pollfd p{fd_.get(), POLLIN, 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(within).count();
  if (::poll(&p, 1, static_cast<int>(ms)) <= 0) return Heard::nothing;
  std::array<char, 65536> chunk;
  const ssize_t n = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return Heard::nothing;
  if (n <= 0) return Heard::end;
  into.append(chunk.data(), static_cast<std::size_t>(n));
  return Heard::bytes;
}

void Conversation::say_no_more() { ::shutdown(fd_.get(), SHUT_WR); }

}  // namespace koi::ctl
