#include "config/unsupported.h"

#include <string_view>

#include <fmt/format.h>

namespace koi::config::unsupported {
namespace {

void refuse(const YamlNode& node, std::string_view what, std::string_view allowed) {
  node.error(fmt::format("{} is not in this version; allowed: {}", what, allowed));
}

}  // namespace

void check_protocol(const YamlNode& node, Protocol protocol) {
  if (protocol != Protocol::carp) refuse(node, "VRRP", kProtocolsAllowed);
}

}  // namespace koi::config::unsupported
