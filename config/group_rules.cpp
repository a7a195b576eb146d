#include "config/group_rules.h"

#include <algorithm>

#include <fmt/format.h>

#include "config/values.h"

namespace koi::config {

std::string describe(const Segment& segment) {
  if (segment.second == VlanId{}) return fmt::format("port {}", segment.first);
  return fmt::format("port {} VLAN {}", segment.first, segment.second.value());
}

std::string advskew_key(const Group& group, std::size_t member) {
  return group.balance ? fmt::format("balance.members[{}].advskew", member) : "advskew";
}

bool GroupReport::clean(std::initializer_list<std::string_view> keys) const {
  return std::all_of(keys.begin(), keys.end(), [&](std::string_view key) { return clean(key); });
}

AddressBook::AddressBook(const Config& config, const Report& report) {
  const auto add = [&](const Segment& segment, const std::string& path,
                       const std::vector<InterfaceAddress>& addresses) {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      if (!report.clean(fmt::format("{}[{}]", path, i))) continue;
      const IpAddress& address = addresses[i].address;
      own_.emplace(std::pair{is_link_local(address) ? segment : Segment{}, address}, path);
    }
  };
  for (const Port& port : config.ports) {
    const std::string path = "ports." + path_part(port.name);
    add({port.name, VlanId{}}, path + ".addresses", port.addresses);
    for (const auto& [id, vlan] : port.vlans) {
      add({port.name, id}, fmt::format("{}.vlans.{}.addresses", path, id.value()), vlan.addresses);
    }
  }
}

const std::string* AddressBook::own(const Segment& segment, const IpAddress& address) const {
  const auto at = own_.find({is_link_local(address) ? segment : Segment{}, address});
  return at == own_.end() ? nullptr : &at->second;
}

const std::string* AddressBook::shared(const Segment& segment, const IpAddress& address) const {
  const auto at = shared_.find({segment, address});
  return at == shared_.end() ? nullptr : &at->second;
}

bool AddressBook::share(const Segment& segment, const IpAddress& address,
                        const std::string& group) {
  return shared_.emplace(std::pair{segment, address}, group).second;
}

}  // namespace koi::config
