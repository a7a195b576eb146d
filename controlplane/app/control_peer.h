#pragma once

#include <optional>
#include <sys/types.h>
#include <vector>

namespace koi::app {

/// The process at the other end of a local socket, as it was when it connected, as the kernel says.
struct ControlPeer {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::vector<gid_t> groups;  // further ones

  static ControlPeer of(int socket);
};

/// The number of group koi; none: this machine has no such group. By NSS: not once confined.
std::optional<gid_t> group_koi();

/// True iff the peer is root, koid's own user (own), or in the group, if there is one. What the
/// socket's mode says already, for where that has been changed, or a descriptor handed on.
bool may_command(const ControlPeer& peer, uid_t own, std::optional<gid_t> group);

}  // namespace koi::app
