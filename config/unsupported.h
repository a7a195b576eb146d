#pragma once

#include <string_view>

#include "config/config.h"
#include "config/yaml_node.h"

/// What design.md's configuration has and this version does not. A key or value named here is
/// known, its default is accepted, and everything else is an error that says so. Whoever adds a
/// feature removes its lines here and gives it a loader.
namespace koi::config::unsupported {

inline constexpr std::string_view kProtocolsAllowed = "carp";

void check_protocol(const YamlNode& node, Protocol protocol);

}  // namespace koi::config::unsupported
