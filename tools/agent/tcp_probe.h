#pragma once

#include "tools/agent/probe.h"
#include "tools/ctl/file_descriptor.h"

namespace koi::agent {

/// One TCP connection per run, through the kernel: healthy iff the other end accepts it. It is
/// closed at once; nothing is sent.
class TcpProbe final : public Probe {
 public:
  explicit TcpProbe(const CheckSpec& spec)
      : address_(spec.address), port_(spec.port), timeout_(spec.timeout) {}

  std::optional<Verdict> start() override;
  int fd() const override { return socket_.get(); }
  short events() const override;
  std::optional<Verdict> ready() override;
  Verdict give_up() override;

 private:
  const IpAddress address_;
  const std::uint16_t port_;
  const Duration timeout_;
  ctl::FileDescriptor socket_;
};

}  // namespace koi::agent
