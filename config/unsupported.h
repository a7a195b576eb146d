#pragma once

#include <string_view>

#include "config/config.h"
#include "config/yaml_node.h"

/// What design.md's configuration has and this version does not. A key or value named here is
/// known, its default is accepted, and everything else is an error that says so. Whoever adds a
/// feature removes its lines here and gives it a loader.
namespace koi::config::unsupported {

inline constexpr std::string_view kHostsAllowed = "none";
inline constexpr std::string_view kProtocolsAllowed = "carp";
inline constexpr std::string_view kDialectsAllowed = "koi, ucarp";
inline constexpr std::string_view kTrailerModesAllowed = "off";

void check_host(const YamlNode& node, HostPort host);
void check_protocol(const YamlNode& node, Protocol protocol);
void check_dialect(const YamlNode& node, Dialect dialect);
/// Returns true iff addresses of this family can be used.
bool check_own_address(const YamlNode& node, const IpAddress& address);
bool check_shared_address(const YamlNode& node, const IpAddress& address);
/// The keys of a group that have no field in Group yet.
void check_group_keys(YamlMap& group);

}  // namespace koi::config::unsupported
