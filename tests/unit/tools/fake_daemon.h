#pragma once

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace koi::test {

/// A folder of its own for one test, removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "koi-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return *this / name;
  }

 private:
  std::filesystem::path path_;
};

/// What stands in for koid: a thread on a unix socket that handles one connection after another.
class FakeDaemon {
 public:
  /// Gets each request line; returns the bytes to send, after which the connection closes, or
  /// nothing to keep it open without a word until the fake daemon ends.
  using Handler = std::function<std::optional<std::string>(const std::string& request)>;

  explicit FakeDaemon(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    end_ = ::eventfd(0, EFD_CLOEXEC);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 8) != 0) {
      throw std::runtime_error("cannot listen on " + path_);
    }
    thread_ = std::thread([this] { loop(); });
  }
  ~FakeDaemon() {
    ::eventfd_write(end_, 1);
    thread_.join();
    for (const int fd : open_) ::close(fd);
    ::close(listener_);
    ::close(end_);
  }
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  const std::string& path() const { return path_; }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  bool readable(int fd) {
    std::array<pollfd, 2> fds{pollfd{fd, POLLIN, 0}, pollfd{end_, POLLIN, 0}};
    return ::poll(fds.data(), fds.size(), -1) > 0 && fds[1].revents == 0;
  }

  void loop() {
    while (readable(listener_)) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      if (serve(fd)) {
        ::close(fd);
      } else {
        open_.push_back(fd);
      }
    }
  }

  /// Returns true iff the connection is done with.
  bool serve(int fd) {
    std::string line;
    char c = 0;
    while (c != '\n') {
      if (!readable(fd) || ::recv(fd, &c, 1, 0) != 1) return true;
      if (c != '\n') line += c;
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(line);
    }
    const std::optional<std::string> reply = handler_(line);
    if (!reply) return false;
    for (std::size_t sent = 0; sent < reply->size();) {
      const ssize_t n = ::send(fd, reply->data() + sent, reply->size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return true;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "koid.sock";
  Handler handler_;
  int listener_ = -1;
  int end_ = -1;
  std::vector<int> open_;  // fake daemon's thread, then the destructor
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace koi::test
