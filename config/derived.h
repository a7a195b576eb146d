#pragma once

#include <string>
#include <vector>

#include "config/config.h"

/// What follows from a configuration and stands in none of its fields. Pure functions, any thread.
namespace koi::config {

/// Iff the port has an interface in the kernel, named koi- and the port's name, to hand traffic to.
inline bool has_kernel_interface(const Port& port) {
  return port.host == HostPort::tap || port.host == HostPort::virtio_user;
}
/// Its name: at most 15 characters, as the kernel wants.
inline std::string kernel_interface(const Port& port) { return "koi-" + port.name; }

/// Those that the port is made of, as configured: its members, or the one that it is.
inline std::vector<std::string> devices_of(const Port& port) {
  return port.members.empty() ? std::vector{port.device} : port.members;
}

/// The families in which the group has shared addresses, and so advertises.
FamilySet families_of(const Group& group);

/// Iff every box gets each packet and keeps its share, instead of telling each asker one box's MAC.
inline bool is_by_packet(const Balance& balance) { return balance.mode != BalanceMode::arp; }

/// The group's virtual hosts, one slot each: the members of a balanced group, by ascending vhid;
/// else one, of the group's own vhid and advskew. Never empty.
std::vector<Member> members_of(const Group& group);

/// The name of a check that was given none: "port wan", "ping 192.0.2.9",
/// "tcp [2001:db8::1]:443", "script /etc/koi/check". No given name has a blank in it.
std::string default_name(const Track& track);

}  // namespace koi::config
