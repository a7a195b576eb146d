#pragma once

#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace koi::test {

/// A client of a unix socket. Every wait has a deadline of 5 s.
class SocketPeer {
 public:
  explicit SocketPeer(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~SocketPeer() { close(fd_); }
  SocketPeer(const SocketPeer&) = delete;
  SocketPeer& operator=(const SocketPeer&) = delete;

  bool connected() const { return connected_; }
  bool write(const std::string& bytes) {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  /// Sends nothing more, but still reads.
  void end() { shutdown(fd_, SHUT_WR); }
  /// A line without its end; "" when the other end closed; "timeout".
  std::string line() {
    std::string text;
    for (char c = 0; wait() && recv(fd_, &c, 1, 0) == 1; text += c) {
      if (c == '\n') return text;
    }
    return wait() ? text : "timeout";
  }

 private:
  bool wait() const {
    pollfd p{fd_, POLLIN, 0};
    return poll(&p, 1, 5000) == 1;
  }
  int fd_;
  bool connected_ = false;
};

}  // namespace koi::test
