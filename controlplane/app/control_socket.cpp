#include "controlplane/app/control_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace koi::app {
namespace {

constexpr mode_t kMode = 0660;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

}  // namespace

bool ControlSocket::is_taken(const std::string& path) {
  const sockaddr_un address = address_of(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int rc = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int why = errno;
  close(fd);
  // A full queue (EAGAIN) or a missing right is no sign of death.
  return rc == 0 || (why != ECONNREFUSED && why != ENOENT && why != ENOTSOCK && why != ENOTDIR);
}

Result<ControlSocket> ControlSocket::open(const std::string& path, OnRequest on_request,
                                          OnRefused on_refused, std::optional<gid_t> group) {
  const auto failed = [&] {
    return Error{fmt::format("control socket {}: {}; mend control.socket or the folder's rights",
                             path, std::strerror(errno))};
  };
  const sockaddr_un address = address_of(path);
  if (is_taken(path)) {
    return Error{
        fmt::format("control socket {}: another koid is running there; stop it, or give this "
                    "one its own control.socket",
                    path)};
  }
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return Error{
          fmt::format("control socket {}: something else is at that path; remove it", path)};
    }
    unlink(path.c_str());
  }

  ControlSocket server;
  server.on_request_ = std::move(on_request);
  server.on_refused_ = std::move(on_refused);
  server.listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  server.epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (server.listener_ < 0 || server.epoll_ < 0) return failed();
  const mode_t before = umask(0777 & ~kMode);
  const int bound =
      bind(server.listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  umask(before);
  if (bound != 0) return failed();
  server.path_ = path;
  server.group_ = group;
  // Who may not give it away has made it for a group of its own: koid as user koi, for koi.
  if (group && chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0 && errno != EPERM) {
    return failed();
  }
  epoll_event event{.events = EPOLLIN, .data = {.fd = server.listener_}};
  if (listen(server.listener_, kMaxClients) != 0 ||
      epoll_ctl(server.epoll_, EPOLL_CTL_ADD, server.listener_, &event) != 0) {
    return failed();
  }
  return server;
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      on_request_(std::move(other.on_request_)),
      on_refused_(std::move(other.on_refused_)),
      group_(other.group_),
      refused_(std::move(other.refused_)),
      listener_(std::exchange(other.listener_, -1)),
      epoll_(std::exchange(other.epoll_, -1)),
      clients_(std::exchange(other.clients_, {})) {}

ControlSocket::~ControlSocket() {
  for (const auto& [fd, client] : clients_) close(fd);
  if (listener_ >= 0) close(listener_);
  if (epoll_ >= 0) close(epoll_);
  if (!path_.empty()) unlink(path_.c_str());
}

void ControlSocket::serve() {
  std::array<epoll_event, 16> events{};
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == listener_) {
      accept_clients();
    } else {
      serve_client(event.data.fd, event.events);
    }
  }
}

void ControlSocket::accept_clients() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const ControlPeer peer = ControlPeer::of(fd);
    if (!may_command(peer, geteuid(), group_)) {
      refuse(fd, peer);
      continue;
    }
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (clients_.size() >= kMaxClients || epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
      constexpr std::string_view kFull = "{\"ok\":false,\"error\":\"too many clients\"}\n";
      send(fd, kFull.data(), kFull.size(), MSG_NOSIGNAL);
      close(fd);
      continue;
    }
    clients_[fd].uid = peer.uid;
  }
}

void ControlSocket::refuse(int fd, const ControlPeer& peer) {
  constexpr std::string_view kRefusal =
      "{\"ok\":false,\"error\":\"no permission: the control socket is for root and for members of "
      "the group koi\"}\n";
  send(fd, kRefusal.data(), kRefusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  close(fd);
  constexpr std::size_t kRemembered = 64;
  if (refused_.size() < kRemembered && refused_.insert(peer.uid).second) {
    spdlog::warn("control socket: uid {} has no permission and was refused", peer.uid);
  }
}

void ControlSocket::serve_client(int fd, unsigned events) {
  const auto found = clients_.find(fd);
  if (found == clients_.end()) return;
  bool keep = (events & EPOLLERR) == 0 && ((events & EPOLLHUP) == 0 || (events & EPOLLIN) != 0);
  if (keep && (events & EPOLLIN) != 0) keep = read_requests(fd, found->second);
  if (keep) keep = write_replies(fd, found->second);
  if (!keep) drop(fd);
}

void ControlSocket::drop(int fd) {
  close(fd);
  clients_.erase(fd);
}

void ControlSocket::serve_parked() {
  for (auto it = clients_.begin(); it != clients_.end();) {
    const int fd = it->first;
    Client& client = (it++)->second;  // serving it may end it
    if (!client.waits() || !ask_for_more(client)) continue;
    if (!answer_requests(fd, client) || !write_replies(fd, client)) drop(fd);
  }
}

bool ControlSocket::ask_for_more(Client& client) {
  if (client.stream) {
    const Part part = client.stream(client.output.size(), client.ended || !client.input.empty());
    client.output += part.bytes;
    if (part.last) client.stream = nullptr;
    return part.last || !part.bytes.empty();
  }
  const std::optional<std::string> reply = client.parked();
  if (!reply) return false;
  client.parked = nullptr;
  client.output += *reply + "\n";
  return true;
}

bool ControlSocket::read_requests(int fd, Client& client) {
  std::array<char, 4096> buffer;
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
  if (size == 0) {  // half-closed: it may still read what is left
    client.ended = true;
    return true;
  }
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  client.input.append(buffer.data(), static_cast<std::size_t>(size));
  return answer_requests(fd, client);
}

bool ControlSocket::answer_requests(int fd, Client& client) {
  std::size_t from = 0;
  for (std::size_t end = 0;
       !client.waits() && (end = client.input.find('\n', from)) != std::string::npos;
       from = end + 1) {
    take(on_request_(client.input.substr(from, end - from), client.uid), client);
    if (client.output.size() > kMaxPending) return false;  // it asks and does not read
  }
  client.input.erase(0, from);
  if (client.parked || client.input.size() < kMaxRequest) return true;
  if (on_refused_) on_refused_("longer than 64 KiB", client.uid);
  client.output += R"({"ok":false,"error":"a request is one line of at most 64 KiB"})"
                   "\n";
  write_replies(fd, client);
  return false;
}

void ControlSocket::take(Answer answer, Client& client) {
  if (const auto* reply = std::get_if<std::string>(&answer)) {
    client.output += *reply + "\n";
    return;
  }
  if (auto* stream = std::get_if<Stream>(&answer)) {
    client.stream = std::move(*stream);
    return;
  }
  const auto parked = std::count_if(clients_.begin(), clients_.end(),
                                    [](const auto& c) { return c.second.parked != nullptr; });
  if (static_cast<std::size_t>(parked) < kMaxParked) {
    client.parked = std::move(std::get<Later>(answer));
  } else {
    client.output += R"({"ok":false,"error":"too many clients wait already"})"
                     "\n";
  }
}

bool ControlSocket::write_replies(int fd, Client& client) {
  while (!client.output.empty()) {
    const ssize_t size = send(fd, client.output.data(), client.output.size(), MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (size <= 0) break;
    client.output.erase(0, static_cast<std::size_t>(size));
  }
  if (client.ended && client.output.empty() && !client.waits()) return false;
  epoll_event event{.events = (client.ended || client.parked ? 0U : unsigned{EPOLLIN}) |
                              (client.output.empty() ? 0U : unsigned{EPOLLOUT}),
                    .data = {.fd = fd}};
  return epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) == 0;
}

}  // namespace koi::app
