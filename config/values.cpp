#include "config/values.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

namespace koi::config {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

constexpr std::byte kZero{0};
constexpr std::byte kOnes{0xff};

/// REQUIRES: bit < 32, or 128 for IPv6; 0 is the first on the wire.
bool bit_of(const IpAddress& address, unsigned bit) {
  const std::byte byte =
      address.is_v4() ? address.v4().bytes[bit / 8] : address.v6().bytes[bit / 8];
  return ((byte >> (7 - bit % 8)) & std::byte{1}) != kZero;
}

struct Unit {
  std::string_view suffix;
  Duration length;
};
constexpr std::array<Unit, 3> kUnits = {{{"ms", 1ms}, {"s", 1s}, {"m", 60s}}};

}  // namespace

std::optional<std::uint64_t> parse_whole_number(std::string_view text) {
  if (text.empty() || !is_digit(text[0]) || (text.size() > 1 && text[0] == '0')) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto unit_at =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const auto number = parse_whole_number(text.substr(0, unit_at));
  const std::string_view suffix = text.substr(unit_at);
  for (const Unit& unit : kUnits) {
    if (suffix != unit.suffix) continue;
    // Nothing of koi lasts a year, and this cannot overflow.
    constexpr std::uint64_t kMost = 365ULL * 24 * 3600 * 1000;
    if (!number || *number > kMost) return std::nullopt;
    const auto count = static_cast<Duration::rep>(*number);
    if (count > Duration::max() / unit.length) return std::nullopt;
    return unit.length * count;
  }
  return std::nullopt;
}

std::string format_duration(Duration duration) {
  if (duration % 1s == 0ns) return fmt::format("{}s", duration / 1s);
  return fmt::format("{}ms", duration / 1ms);
}

std::optional<InterfaceAddress> parse_interface_address(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  const auto length = parse_whole_number(text.substr(slash + 1));
  if (!address || !length || *length > (address->is_v4() ? 32U : 128U)) return std::nullopt;
  return InterfaceAddress{*address, static_cast<std::uint8_t>(*length)};
}

bool is_host(const IpAddress& address) {
  if (address.is_v4()) return address.v4().is_host();
  const Ipv6Address v6 = address.v6();
  if (v6.is_multicast()) return false;
  // ::/96 holds :: and ::1, and is else deprecated; ::ffff:0:0/96 is IPv4 (RFC 4291, 2.5.5).
  const bool first_zero =
      std::all_of(v6.bytes.begin(), v6.bytes.begin() + 10, [](std::byte b) { return b == kZero; });
  const bool low = v6.bytes[10] == v6.bytes[11] && (v6.bytes[10] == kZero || v6.bytes[10] == kOnes);
  return !(first_zero && low);
}

bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && address.v6().is_link_local();
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  const auto number = parse_whole_number(text.substr(colon + 1));
  if (!address || address->is_v4() == brackets || !number || *number < 1 || *number > 65535) {
    return std::nullopt;
  }
  return Endpoint{*address, static_cast<std::uint16_t>(*number)};
}

std::string format_endpoint(const Endpoint& endpoint) {
  const std::string host = endpoint.address.to_string();
  return endpoint.address.is_v4() ? fmt::format("{}:{}", host, endpoint.number)
                                  : fmt::format("[{}]:{}", host, endpoint.number);
}

bool same_subnet(const IpAddress& a, const IpAddress& b, std::uint8_t prefix_length) {
  if (a.family() != b.family()) return false;
  for (unsigned bit = 0; bit < prefix_length; ++bit) {
    if (bit_of(a, bit) != bit_of(b, bit)) return false;
  }
  return true;
}

std::string_view reserved_in_subnet(const InterfaceAddress& address) {
  const unsigned bits = address.address.is_v4() ? 32 : 128;
  if (address.prefix_length + 1U >= bits) return {};
  bool zeros = true;
  bool ones = true;
  for (unsigned bit = address.prefix_length; bit < bits; ++bit) {
    (bit_of(address.address, bit) ? zeros : ones) = false;
  }
  if (!address.address.is_v4()) return zeros ? "the subnet's anycast address of routers" : "";
  return zeros || ones ? "the network's own or its broadcast address" : "";
}

bool is_name(std::string_view text, std::size_t longest) {
  return !text.empty() && text.size() <= longest &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool is_pci_address(std::string_view text) {
  constexpr std::string_view kForm = "dddd:bb:dd.f";
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = is_lower(kForm[i]);
    if (digit ? !is_hex(text[i]) : text[i] != kForm[i]) return false;
  }
  // Five bits of device, three of function.
  return (text[8] == '0' || text[8] == '1') && text[11] >= '0' && text[11] <= '7';
}

bool is_vdev(std::string_view text) {
  constexpr std::size_t kLongest = 63;  // RTE_DEV_NAME_MAX_LEN less the terminator
  const std::string_view name = text.substr(0, text.find(','));
  if (!name.starts_with("net_") && !name.starts_with("eth_")) return false;
  return name.size() > 4 && name.size() <= kLongest &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

bool is_bond(std::string_view device) { return device.starts_with("net_bonding"); }

std::string device_identity(std::string_view device) {
  std::string name(device.substr(0, device.find(',')));
  if (!is_pci_address(name)) return name;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return name;
}

}  // namespace koi::config
