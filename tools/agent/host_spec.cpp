#include "tools/agent/host_spec.h"

#include <algorithm>
#include <charconv>

namespace koi::agent {
namespace {

using ctl::Json;

constexpr double kLongest = 86400;  // seconds

unsigned count(const Json& object, const char* key) {
  const auto value = ctl::number(object, key);
  return value && *value > 0 && *value <= 65535 ? static_cast<unsigned>(*value) : 0;
}

std::optional<HostAddress> parse_address(const Json& json) {
  const std::string text = ctl::text(json, "address", "");
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  HostAddress read;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, read.prefix);
  if (!address || error != std::errc{} || rest != end ||
      read.prefix > (address->is_v4() ? 32 : 128)) {
    return std::nullopt;
  }
  read.address = *address;
  read.shared = ctl::truth(json, "shared");
  read.wanted = ctl::truth(json, "wanted");
  return read;
}

HostInterface parse_interface(const Json& json) {
  HostInterface interface;
  interface.name = ctl::text(json, "name", "");
  interface.port = ctl::text(json, "port", "");
  interface.vlan = count(json, "vlan");
  interface.gone = ctl::truth(json, "gone");
  interface.mac = MacAddress::parse(ctl::text(json, "mac", ""));
  interface.mtu = count(json, "mtu");
  interface.up = ctl::truth(json, "up");
  interface.link_local = ctl::truth(json, "link_local");
  for (const Json& one : ctl::list(json, "addresses")) {
    if (const auto address = parse_address(one)) interface.addresses.push_back(*address);
  }
  return interface;
}

HookGroup parse_group(const Json& json) {
  HookGroup group;
  group.name = ctl::text(json, "name", "");
  group.port = ctl::text(json, "port", "");
  for (const Json& address : ctl::list(json, "addresses")) {
    if (!address.is_string()) continue;
    if (!group.addresses.empty()) group.addresses += ' ';
    group.addresses += address.get<std::string>();
  }
  for (const Json& one : ctl::list(json, "hooks")) {
    HookSpec hook;
    hook.program = ctl::text(one, "program", "");
    const double timeout = std::clamp(ctl::number(one, "timeout").value_or(10), 0.001, kLongest);
    hook.timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(timeout));
    if (hook.program.starts_with('/')) group.hooks.push_back(std::move(hook));
  }
  for (const Json& slot : ctl::list(json, "slots")) {
    group.slots.push_back({count(slot, "vhid"), ctl::text(slot, "role", "")});
  }
  return group;
}

}  // namespace

HostSpec parse_host(const Json& reply) {
  HostSpec spec;
  spec.boot = ctl::text(reply, "boot", "");
  spec.last = static_cast<std::uint64_t>(std::max(0.0, ctl::number(reply, "last").value_or(0)));
  spec.node = ctl::text(reply, "node", "");
  for (const Json& interface : ctl::list(reply, "interfaces")) {
    spec.interfaces.push_back(parse_interface(interface));
  }
  for (const Json& group : ctl::list(reply, "groups")) spec.groups.push_back(parse_group(group));
  return spec;
}

}  // namespace koi::agent
