#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/key_file.h"
#include "config/load.h"
#include "config/report.h"
#include "config/yaml_node.h"

namespace koi::config {

/// One loader per section: each takes the section's value, fills in what is right, leaves the
/// defaults where something is wrong, and reports that. Rules between fields are validate()'s.
void load_dataplane(const YamlNode& section, Dataplane& dataplane);
void load_ports(const YamlNode& section, std::vector<Port>& ports);
void load_groups(const YamlNode& section, const LoadOptions& options, std::vector<Group>& groups);
void load_control(const YamlNode& section, Control& control);

/// Parts of load_groups(). Balance's members stay in the file's order until they are validated.
void load_keys(YamlMap& map, const LoadOptions& options, Group& group);
void load_balance(const YamlNode& node, const LoadOptions& options, Group& group);
void load_trailer(YamlMap& map, const LoadOptions& options, Group& group);
void load_track(YamlMap& group, std::vector<Track>& track);
void load_host_side(YamlMap& map, Group& group);  // what the host does with the group's roles

/// Fills in the name of the key file, and the key if it can be had.
void load_key(const YamlNode& node, const LoadOptions& options, bool allow_weak, KeyUse use,
              std::string& name, Secret& key);

/// The rules between fields. Looks at no field that is already reported as wrong.
void validate(const Config& config, Report& report);
// Parts of validate().
void validate_ports(const Config& config, Report& report);
void validate_groups(const Config& config, Report& report);

/// Own addresses of a port or one of its VLANs. A wrong one leaves a placeholder, so that the
/// positions in the list stay those of the file.
void load_own_addresses(YamlMap& map, std::vector<InterfaceAddress>& addresses);
/// An address, shared or of another box. Returns nothing iff it is none; is_host() is reported.
std::optional<IpAddress> load_host_address(const YamlNode& node);
/// least..most of them; wrong ones as in load_own_addresses().
void load_host_addresses(const YamlNode& node, std::size_t least, std::size_t most,
                         std::vector<IpAddress>& addresses);
/// Reports an address that no host can have.
void check_is_host(const YamlNode& node, const IpAddress& address);

inline constexpr std::size_t kMaxOwnAddresses = 256;      // of a port or VLAN
inline constexpr std::size_t kMaxSharedAddresses = 1024;  // of a group

}  // namespace koi::config
