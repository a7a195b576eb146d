#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tools/agent/probe.h"
#include "tools/ctl/file_descriptor.h"

namespace koi::agent {

/// The kind of the cookie that tells our reply from any other: 16 random bytes.
using PingCookie = std::array<std::byte, 16>;

/// An ICMP or ICMPv6 echo request (RFC 792, RFC 4443 §4.1) with the cookie as its data. The
/// checksum of IPv4 is set; that of IPv6 is the kernel's to set.
std::vector<std::byte> echo_request(Family family, std::uint16_t sequence,
                                    const PingCookie& cookie);

/// Returns true iff `datagram` is the reply to it. `with_ip_header`: as a raw IPv4 socket gives it.
bool is_echo_reply(std::span<const std::byte> datagram, Family family, bool with_ip_header,
                   std::uint16_t sequence, const PingCookie& cookie);

/// One ICMP echo per run, through the kernel: a datagram socket where net.ipv4.ping_group_range
/// allows it, else a raw one (CAP_NET_RAW).
class PingProbe final : public Probe {
 public:
  explicit PingProbe(const CheckSpec& spec) : address_(spec.address), timeout_(spec.timeout) {}

  std::optional<Verdict> start() override;
  int fd() const override { return socket_.get(); }
  short events() const override;
  std::optional<Verdict> ready() override;
  Verdict give_up() override;

 private:
  const IpAddress address_;
  const Duration timeout_;
  ctl::FileDescriptor socket_;
  bool raw_ = false;
  std::uint16_t sequence_ = 0;
  PingCookie cookie_{};
};

}  // namespace koi::agent
