#pragma once

#include <functional>

#include "common/result.h"
#include "tools/agent/netlink.h"

namespace koi::agent {

/// The kernel's notifications of interfaces and addresses that change.
class KernelWatch {
 public:
  /// Asked for each change, our own ones too: of which interface (its number, and its name if it is
  /// about the link, else ""). Returns whether that matters.
  using Matters = std::function<bool(unsigned index, const std::string& name)>;

  static Result<KernelWatch> open();

  /// Readable when there is something.
  int fd() const;
  /// Takes what is there. Returns true iff anything of it matters, or something was lost.
  bool receive(const Matters& matters);

 private:
  explicit KernelWatch(NetlinkSocket socket) : socket_(std::move(socket)) {}
  NetlinkSocket socket_;
};

}  // namespace koi::agent
