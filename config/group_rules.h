#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.h"
#include "config/report.h"

/// The rules of validate_groups(), a file for each kind. None looks at a key that is already
/// reported as wrong.
namespace koi::config {

/// Where a group lives: two groups with different ones never meet.
using Segment = std::pair<std::string, VlanId>;
inline Segment segment_of(const Group& group) { return {group.port, group.vlan}; }
/// "port lan", "port lan VLAN 20".
std::string describe(const Segment& segment);

/// The report of one group: keys are those below it.
class GroupReport {
 public:
  GroupReport(const Group& group, Report& report)
      : report_(report), path_("groups." + path_part(group.name) + ".") {}

  /// Returns true iff no error stands at one of the keys or below.
  bool clean(std::initializer_list<std::string_view> keys) const;
  bool clean(std::string_view key) const { return report_.clean(path_ + std::string(key)); }
  void error(std::string_view key, std::string text) {
    report_.error(path_ + std::string(key), std::move(text));
  }
  void warning(std::string_view key, std::string text) {
    report_.warning(path_ + std::string(key), std::move(text));
  }

 private:
  Report& report_;
  std::string path_;  // of the group, with its dot
};

/// Whose an address is. A link-local one is another on each segment; of all others this node has
/// one, wherever it is.
class AddressBook {
 public:
  AddressBook(const Config& config, const Report& report);

  /// The key path of the own address; nullptr if it is none.
  const std::string* own(const Segment& segment, const IpAddress& address) const;
  /// The group that shares it on the segment; nullptr if none does.
  const std::string* shared(const Segment& segment, const IpAddress& address) const;
  /// Returns false iff it is shared there already.
  bool share(const Segment& segment, const IpAddress& address, const std::string& group);

 private:
  std::map<std::pair<Segment, IpAddress>, std::string> own_;
  std::map<std::pair<Segment, IpAddress>, std::string> shared_;
};

/// advbase, advskew of the group or its members, lowest-advskew, dead-ratio.
void check_timing(const Group& group, GroupReport& report);
/// protocol.md §16, but for peers and balancing.
void check_dialect(const Group& group, GroupReport& report);
/// Which mode and hash for whom, and the members among themselves.
void check_balance(const Group& group, GroupReport& report);
/// Whose trailers may be required, and the key ids among themselves.
void check_trailer(const Group& group, GroupReport& report);
/// REQUIRES: all groups' addresses are in the book.
void check_peers(const Group& group, const AddressBook& book, GroupReport& report);
/// All groups' ties and checks, for they name each other and ports.
void check_ties(const Config& config, Report& report);
void check_tracks(const Config& config, Report& report);
/// A host for the groups that are balanced by packet; a kernel interface for those whose addresses
/// it is to have.
void check_hosts(const Config& config, Report& report);

/// The key below the group at which a member's advskew or the group's own stands.
std::string advskew_key(const Group& group, std::size_t member);

/// The first names, for a message about one that is not among them.
template <class Range, class Name>
std::string some_of(const Range& range, Name name) {
  constexpr std::size_t kShown = 8;
  std::string out;
  std::size_t shown = 0;
  for (const auto& item : range) {
    if (shown == kShown) return out + ", ...";
    out += (shown++ == 0 ? "" : ", ") + name(item);
  }
  return out;
}

}  // namespace koi::config
