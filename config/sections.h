#pragma once

#include <vector>

#include "config/config.h"
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

/// The rules between fields. Looks at no field that is already reported as wrong.
void validate(const Config& config, Report& report);
void validate_groups(const Config& config, Report& report);  // part of validate()

/// Own addresses of a port or one of its VLANs. A wrong one leaves a placeholder, so that the
/// positions in the list stay those of the file.
void load_own_addresses(YamlMap& map, std::vector<InterfaceAddress>& addresses);

inline constexpr std::size_t kMaxOwnAddresses = 256;      // of a port or VLAN
inline constexpr std::size_t kMaxSharedAddresses = 1024;  // of a group

}  // namespace koi::config
