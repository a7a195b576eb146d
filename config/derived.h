#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/config.h"

/// What follows from a configuration and stands in none of its fields. Pure functions, any thread.
namespace koi::config {

/// The families in which the group has shared addresses, and so advertises.
FamilySet families_of(const Group& group);

/// The group's virtual hosts, one slot each: the members of a balanced group, by ascending vhid;
/// else one, of the group's own vhid and advskew. Never empty.
std::vector<Member> members_of(const Group& group);

/// What was configured; else what the dialect's boxes read: the count in byte 4 with koi and
/// openbsd, a raised advskew with freebsd and ucarp (protocol.md §7, §8).
DemotionEncoding demotion_encoding_of(const Group& group);

/// The sets of groups that change role together: `tie` read both ways, and through others (a tied
/// to b and b to c ties a to c). Positions in config.groups, ascending, sets ordered by their
/// first; groups that are tied to none are in no set. Names of no group are left out.
std::vector<std::vector<std::size_t>> tied_groups(const Config& config);

/// The name of a check that was given none: "port wan", "ping 192.0.2.9",
/// "tcp [2001:db8::1]:443", "script /etc/koi/check". No given name has a blank in it.
std::string default_name(const Track& track);

}  // namespace koi::config
