#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <variant>

#include "common/result.h"
#include "controlplane/app/control_peer.h"

namespace koi::app {

/// A reply that is not there yet: asked again and again until it says it.
using Later = std::function<std::optional<std::string>()>;
/// A reply that goes on: asked for its next part again and again, until it says the last one. Each
/// part is sent as it is, newlines included. unread: bytes of the parts before that the client has
/// not read yet; asked_to_end: it has sent more, or ended its side. Destroyed when the client goes.
struct Part {
  std::string bytes{};  // empty: nothing yet
  bool last = false;
};
using Stream = std::function<Part(std::size_t unread, bool asked_to_end)>;
using Answer = std::variant<std::string, Later, Stream>;

/// The control socket: newline-delimited requests, one reply line each. It knows lines and sizes,
/// not what they say. Service thread only; never blocks on a client.
class ControlSocket {
 public:
  static constexpr std::size_t kMaxRequest = 64 * 1024;  // bytes, newline included
  static constexpr std::size_t kMaxClients = 64;
  static constexpr std::size_t kMaxParked = 32;  // clients that wait: half, so that others get in
  static constexpr std::size_t kMaxPending = 8 * 1024 * 1024;  // bytes of replies not yet read

  /// `uid`: of the process that connected, as the kernel says; -1 if it does not.
  /// While a client waits for a Later nothing more is read of it, so that its replies keep their
  /// order.
  using OnRequest = std::function<Answer(const std::string& line, uid_t uid)>;
  /// What was turned away here, for the log.
  using OnRefused = std::function<void(const char* what, uid_t uid)>;

  /// Binds the path, mode 0660, owned by the group where there is one and we may give it. A socket
  /// that nobody answers at is replaced; one that is alive is an error, for it is another koid's.
  /// Whoever else comes to connect (may_command()) gets one line and is not read; the log has it
  /// once for each user.
  static Result<ControlSocket> open(const std::string& path, OnRequest on_request,
                                    OnRefused on_refused = {},
                                    std::optional<gid_t> group = group_koi());

  /// True iff a living process answers at the path, or may.
  static bool is_taken(const std::string& path);

  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();

  /// An epoll descriptor: readable when serve() has work.
  int fd() const { return epoll_; }
  void serve();
  /// Asks for the replies that are parked and for the next parts of those that go on, and sends
  /// what is there. Call it often.
  void serve_parked();

 private:
  struct Client {
    uid_t uid = static_cast<uid_t>(-1);
    std::string input;
    std::string output;
    Later parked;                                    // the reply it waits for; empty: none
    Stream stream;                                   // the reply that goes on; empty: none
    bool ended = false;                              // it will send nothing more
    bool waits() const { return parked || stream; }  // what it asks next comes after
  };
  ControlSocket() = default;
  void accept_clients();
  void refuse(int fd, const ControlPeer& peer);
  void serve_client(int fd, unsigned events);
  void drop(int fd);
  /// Returns false when the client is to be closed.
  bool read_requests(int fd, Client& client);
  bool answer_requests(int fd, Client& client);
  void take(Answer answer, Client& client);
  bool write_replies(int fd, Client& client);
  /// Returns true iff there is something new for it.
  static bool ask_for_more(Client& client);

  std::string path_;
  OnRequest on_request_;
  OnRefused on_refused_;
  std::optional<gid_t> group_;
  std::set<uid_t> refused_;  // those that the log has
  int listener_ = -1;
  int epoll_ = -1;
  std::map<int, Client> clients_;
};

}  // namespace koi::app
