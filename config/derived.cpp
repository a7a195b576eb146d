#include "config/derived.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>

#include "config/values.h"

namespace koi::config {
namespace {

/// Sets that grow together: each points at another of its set, the first one at itself.
class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    const auto [first, second] = std::minmax(find(a), find(b));
    parent_[second] = first;
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace

FamilySet families_of(const Group& group) {
  FamilySet families = 0;
  for (const IpAddress& address : group.addresses) families |= family_bit(address.family());
  return families;
}

std::vector<Member> members_of(const Group& group) {
  if (group.balance) return group.balance->members;
  return {Member{group.vhid, group.advskew}};
}

DemotionEncoding demotion_encoding_of(const Group& group) {
  if (group.demotion_encoding) return *group.demotion_encoding;
  const bool counts = group.dialect == Dialect::koi || group.dialect == Dialect::openbsd;
  return counts ? DemotionEncoding::count : DemotionEncoding::skew;
}

std::vector<std::vector<std::size_t>> tied_groups(const Config& config) {
  const std::size_t count = config.groups.size();
  std::map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < count; ++i) index.emplace(config.groups[i].name, i);
  Sets sets(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::string& name : config.groups[i].tie) {
      if (const auto other = index.find(name); other != index.end()) sets.join(i, other->second);
    }
  }
  std::vector<std::vector<std::size_t>> members(count);
  for (std::size_t i = 0; i < count; ++i) members[sets.find(i)].push_back(i);
  std::erase_if(members, [](const auto& set) { return set.size() < 2; });
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
