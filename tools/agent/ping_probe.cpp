#include "tools/agent/ping_probe.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"
#include "tools/agent/socket_address.h"

namespace koi::agent {
namespace {

constexpr std::size_t kHeader = 8;
constexpr std::uint8_t kRequestV4 = 8, kReplyV4 = 0;      // RFC 792
constexpr std::uint8_t kRequestV6 = 128, kReplyV6 = 129;  // RFC 4443 §4.1, §4.2

Verdict failed(const char* what) {
  return {false, fmt::format("{}: {}", what, std::strerror(errno))};
}

}  // namespace

std::vector<std::byte> echo_request(Family family, std::uint16_t sequence,
                                    const PingCookie& cookie) {
  std::vector<std::byte> message(kHeader + cookie.size());
  const bool v4 = family == Family::ipv4;
  message[0] = std::byte{v4 ? kRequestV4 : kRequestV6};
  // The identifier is the cookie's: a datagram socket sets its own.
  std::copy_n(cookie.begin(), 2, message.begin() + 4);
  wire::put_be16(message, 6, sequence);
  std::copy(cookie.begin(), cookie.end(), message.begin() + kHeader);
  if (v4) wire::put_be16(message, 2, wire::internet_checksum(message));
  return message;
}

bool is_echo_reply(std::span<const std::byte> datagram, Family family, bool with_ip_header,
                   std::uint16_t sequence, const PingCookie& cookie) {
  if (with_ip_header) {
    if (datagram.size() < 20) return false;
    const std::size_t header = 4U * (wire::get_u8(datagram, 0) & 0x0fU);
    if (header < 20 || datagram.size() < header) return false;
    datagram = datagram.subspan(header);
  }
  return datagram.size() == kHeader + cookie.size() &&
         wire::get_u8(datagram, 0) == (family == Family::ipv4 ? kReplyV4 : kReplyV6) &&
         wire::get_u8(datagram, 1) == 0 && wire::get_be16(datagram, 6) == sequence &&
         std::equal(cookie.begin(), cookie.end(), datagram.begin() + kHeader);
}

std::optional<Verdict> PingProbe::start() {
  const bool v4 = address_.is_v4();
  const int family = v4 ? AF_INET : AF_INET6;
  const int protocol = v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  raw_ = false;
  socket_.reset(::socket(family, SOCK_DGRAM | kFlags, protocol));
  if (socket_.get() < 0) {
    raw_ = true;
    socket_.reset(::socket(family, SOCK_RAW | kFlags, protocol));
  }
  if (socket_.get() < 0) return failed("no ICMP socket");
  if (::getrandom(cookie_.data(), cookie_.size(), 0) != static_cast<ssize_t>(cookie_.size())) {
    return failed("no random bytes");
  }
  // Connected: only what comes from the target is received.
  const SocketAddress to(address_, 0);
  if (::connect(socket_.get(), to.get(), to.size) != 0) return failed("no route");
  const auto message = echo_request(address_.family(), ++sequence_, cookie_);
  if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    return failed("cannot send");
  }
  return std::nullopt;
}

short PingProbe::events() const { return POLLIN; }

std::optional<Verdict> PingProbe::ready() {
  std::array<std::byte, 2048> buffer;
  for (;;) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;
      const Verdict verdict = failed("unreachable");
      socket_.reset();
      return verdict;
    }
    const auto datagram = std::span(buffer).first(static_cast<std::size_t>(size));
    if (is_echo_reply(datagram, address_.family(), raw_ && address_.is_v4(), sequence_, cookie_)) {
      socket_.reset();
      return Verdict{true, {}};
    }
  }
}

Verdict PingProbe::give_up() {
  socket_.reset();
  return {false,
          fmt::format("no reply within {} s", std::chrono::duration<double>(timeout_).count())};
}

}  // namespace koi::agent
