#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "config/load.h"
#include "config/values.h"

namespace koi::config {
namespace {

/// Text as YAML reads it back: plain where that is safe everywhere, else in double quotes.
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

template <class T>
std::string list(const std::vector<T>& values) {
  std::string out = "[";
  for (const T& value : values) out += (out.size() > 1 ? ", " : "") + item(value);
  return out + "]";
}

std::string_view word(bool on) { return on ? "true" : "false"; }
std::string_view word(Idle idle) { return idle == Idle::poll ? "poll" : "adaptive"; }

std::string_view word(HostPort host) {
  switch (host) {
    case HostPort::none:
      return "none";
    case HostPort::tap:
      return "tap";
    case HostPort::virtio_user:
      return "virtio-user";
  }
  return "";
}

std::string_view word(Protocol protocol) {
  switch (protocol) {
    case Protocol::carp:
      return "carp";
    case Protocol::vrrp2:
      return "vrrp2";
    case Protocol::vrrp3:
      return "vrrp3";
  }
  return "";
}

std::string_view word(Dialect dialect) {
  switch (dialect) {
    case Dialect::koi:
      return "koi";
    case Dialect::openbsd:
      return "openbsd";
    case Dialect::freebsd:
      return "freebsd";
    case Dialect::ucarp:
      return "ucarp";
  }
  return "";
}

class Printer {
 public:
  template <class... Args>
  void line(std::size_t indent, fmt::format_string<Args...> form, Args&&... args) {
    out_.append(indent, ' ');
    fmt::format_to(std::back_inserter(out_), form, std::forward<Args>(args)...);
    out_ += '\n';
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void print_dataplane(Printer& out, const Dataplane& dataplane) {
  out.line(0, "dataplane:");
  out.line(2, "control-core: {}", dataplane.control_core);
  out.line(2, "worker-cores: {}", list(dataplane.worker_cores));
  out.line(2, "idle: {}", word(dataplane.idle));
  out.line(2, "hugepages: {}", word(dataplane.hugepages));
  out.line(2, "eal: {}", list(dataplane.eal));
}

void print_port(Printer& out, const Port& port) {
  out.line(2, "{}:", scalar(port.name));
  out.line(4, "device: {}", scalar(port.device));
  out.line(4, "addresses: {}", list(port.addresses));
  out.line(4, "vlans:{}", port.vlans.empty() ? " {}" : "");
  for (const auto& [id, vlan] : port.vlans) {
    out.line(6, "{}: {{addresses: {}}}", id.value(), list(vlan.addresses));
  }
  out.line(4, "host: {}", word(port.host));
}

void print_group(Printer& out, const Group& group) {
  out.line(2, "{}:", scalar(group.name));
  out.line(4, "port: {}", scalar(group.port));
  if (group.vlan != VlanId{}) out.line(4, "vlan: {}", group.vlan.value());
  out.line(4, "protocol: {}", word(group.protocol));
  out.line(4, "vhid: {}", group.vhid.value());
  out.line(4, "advbase: {}", group.advbase);
  out.line(4, "advskew: {}", group.advskew);
  if (group.lowest_advskew) out.line(4, "lowest-advskew: {}", *group.lowest_advskew);
  out.line(4, "dead-ratio: {}", group.dead_ratio);
  out.line(4, "dialect: {}", word(group.dialect));
  out.line(4, "preempt: {}", word(group.preempt));
  out.line(4, "key-file: {}", scalar(group.key_file));
  out.line(4, "allow-weak-key: {}", word(group.allow_weak_key));
  out.line(4, "addresses: {}", list(group.addresses));
  out.line(4, "accept-key-files: {}", list(group.accept_key_files));
  out.line(4, "previous-addresses: {}", list(group.previous_addresses));
  out.line(4, "announce-refresh: {}", format_duration(group.announce_refresh));
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
