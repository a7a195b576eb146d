#pragma once

#include <functional>
#include <map>
#include <string>
#include <sys/types.h>

#include "common/result.h"

namespace koi::app {

/// The control socket: newline-delimited requests, one reply line each. It knows lines and sizes,
/// not what they say. Service thread only; never blocks on a client.
class ControlSocket {
 public:
  static constexpr std::size_t kMaxRequest = 64 * 1024;  // bytes, newline included
  static constexpr std::size_t kMaxClients = 64;
  static constexpr std::size_t kMaxPending = 8 * 1024 * 1024;  // bytes of replies not yet read

  /// `uid`: of the process that connected, as the kernel says; -1 if it does not.
  using OnRequest = std::function<std::string(const std::string& line, uid_t uid)>;

  /// Binds the path, mode 0660. A socket that nobody answers at is replaced; one that is alive is
  /// an error, for it is another koid's.
  static Result<ControlSocket> open(const std::string& path, OnRequest on_request);

  /// True iff a living process answers at the path, or may.
  static bool is_taken(const std::string& path);

  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();

  /// An epoll descriptor: readable when serve() has work.
  int fd() const { return epoll_; }
  void serve();

 private:
  struct Client {
    uid_t uid = static_cast<uid_t>(-1);
    std::string input;
    std::string output;
    bool ended = false;  // it will send nothing more
  };
  ControlSocket() = default;
  void accept_clients();
  void serve_client(int fd, unsigned events);
  /// Returns false when the client is to be closed.
  bool read_requests(int fd, Client& client);
  bool write_replies(int fd, Client& client);

  std::string path_;
  OnRequest on_request_;
  int listener_ = -1;
  int epoll_ = -1;
  std::map<int, Client> clients_;
};

}  // namespace koi::app
