#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "config/load.h"
#include "config/printer.h"
#include "config/values.h"
#include "config/words.h"

namespace koi::config {

std::string scalar(std::string_view text) {
  constexpr std::array<std::string_view, 4> kNulls = {"null", "Null", "NULL", "~"};
  const auto safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '/' || c == '_' || c == '-';
  };
  if (!text.empty() && text[0] != '-' && text[0] != '.' &&
      std::all_of(text.begin(), text.end(), safe) &&
      std::find(kNulls.begin(), kNulls.end(), text) == kNulls.end()) {
    return std::string(text);
  }
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string item(unsigned value) { return std::to_string(value); }
std::string item(const std::string& text) { return scalar(text); }
std::string item(const IpAddress& a) { return a.is_v4() ? a.to_string() : scalar(a.to_string()); }
std::string item(const InterfaceAddress& a) {
  const std::string text = fmt::format("{}/{}", a.address.to_string(), a.prefix_length);
  return a.address.is_v4() ? text : scalar(text);
}
std::string item(const Hook& hook) {
  return fmt::format("{{program: {}, timeout: {}}}", scalar(hook.program),
                     format_duration(hook.timeout));
}
std::string item(const Member& member) {
  return fmt::format("{{vhid: {}, advskew: {}}}", member.vhid.value(), member.advskew);
}
std::string item(const TrailerKey& key) {
  return fmt::format("{{key-file: {}, key-id: {}}}", scalar(key.file), key.id);
}

namespace {

void print_dataplane(Printer& out, const Dataplane& dataplane) {
  out.line(0, "dataplane:");
  out.line(2, "control-core: {}", dataplane.control_core);
  out.line(2, "worker-cores: {}", list(dataplane.worker_cores));
  out.line(2, "idle: {}", word(dataplane.idle));
  out.line(2, "stall-after: {}", format_duration(dataplane.stall_after));
  out.line(2, "hugepages: {}", word(dataplane.hugepages));
  out.line(2, "eal: {}", list(dataplane.eal));
}

void print_port(Printer& out, const Port& port) {
  out.line(2, "{}:", scalar(port.name));
  out.line(4, "device: {}", scalar(port.device));
  if (!port.members.empty()) out.line(4, "members: {}", list(port.members));
  out.line(4, "addresses: {}", list(port.addresses));
  out.line(4, "vlans:{}", port.vlans.empty() ? " {}" : "");
  for (const auto& [id, vlan] : port.vlans) {
    out.line(6, "{}: {{addresses: {}}}", id.value(), list(vlan.addresses));
  }
  out.line(4, "host: {}",
           port.host == HostPort::vdev ? scalar(std::string(kHostVdevPrefix) + port.host_vdev)
                                       : std::string(word(port.host)));
  out.line(4, "configure: {}", word(port.configure));
  if (port.dscp) out.line(4, "dscp: {}", *port.dscp);
  out.line(4, "pcp: {}", port.pcp);
}

}  // namespace

std::string print(const Config& config) {
  Printer out;
  out.line(0, "node: {}", scalar(config.node));
  out.line(0, "node-id: {}", config.node_id.value());
  out.line(0, "state-file: {}", scalar(config.state_file));
  print_dataplane(out, config.dataplane);
  out.line(0, "ports:");
  for (const Port& port : config.ports) print_port(out, port);
  out.line(0, "groups:");
  for (const Group& group : config.groups) print_group(out, group);
  out.line(0, "control:");
  out.line(2, "socket: {}", scalar(config.control.socket));
  return out.take();
}

}  // namespace koi::config
