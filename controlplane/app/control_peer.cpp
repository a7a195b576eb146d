#include "controlplane/app/control_peer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <grp.h>
#include <sys/socket.h>

namespace koi::app {

ControlPeer ControlPeer::of(int socket) {
  ControlPeer peer;
  ucred who{};
  socklen_t size = sizeof who;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return peer;
  peer.uid = who.uid;
  peer.gid = who.gid;
  peer.groups.resize(64);
  for (bool again = true; again;) {
    size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    const int rc = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size);
    again = rc != 0 && errno == ERANGE && size > peer.groups.size() * sizeof(gid_t);
    peer.groups.resize(rc == 0 || again ? size / sizeof(gid_t) : 0);
  }
  return peer;
}

std::optional<gid_t> group_koi() {
  std::array<char, 4096> text{};
  group entry{};
  group* found = nullptr;
  if (getgrnam_r("koi", &entry, text.data(), text.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return found->gr_gid;
}

bool may_command(const ControlPeer& peer, uid_t own, std::optional<gid_t> group) {
  if (peer.uid == 0 || peer.uid == own) return true;
  if (!group) return false;
  return peer.gid == *group ||
         std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end();
}

}  // namespace koi::app
