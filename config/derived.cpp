#include "config/derived.h"

#include <algorithm>

#include "config/values.h"

namespace koi::config {
FamilySet families_of(const Group& group) {
  FamilySet families = 0;
  for (const IpAddress& address : group.addresses) families |= family_bit(address.family());
  return families;
}

std::vector<Member> members_of(const Group& group) {
  if (!group.balance) return {Member{group.vhid, group.advskew}};
  std::vector<Member> members = group.balance->members;
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.vhid < b.vhid; });
  return members;
}

std::string default_name(const Track& track) {
  switch (track.kind) {
    case Track::Kind::port:
      return "port " + track.port;
    case Track::Kind::ping:
      return "ping " + track.address.to_string();
    case Track::Kind::tcp:
      return "tcp " + format_endpoint({track.address, track.number});
    case Track::Kind::script:
      return "script " + track.program;
  }
  return "";
}

}  // namespace koi::config
