#include <arpa/inet.h>
#include <cstdio>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"

namespace koi {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

template <class Address>
std::optional<Address> parse_ip(int family, std::string_view text) {
  // inet_pton wants a terminated string and stops at a NUL inside; refuse that.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  Address address;
  if (inet_pton(family, terminated.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

}  // namespace

std::string MacAddress::to_string() const {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x",
                std::to_integer<unsigned>(bytes[0]), std::to_integer<unsigned>(bytes[1]),
                std::to_integer<unsigned>(bytes[2]), std::to_integer<unsigned>(bytes[3]),
                std::to_integer<unsigned>(bytes[4]), std::to_integer<unsigned>(bytes[5]));
  return text;
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  MacAddress mac;
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = hex_digit(text[i * 3]);
    const int low = hex_digit(text[i * 3 + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':')) return std::nullopt;
    mac.bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  return mac;
}

std::string Ipv4Address::to_string() const {
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, bytes.data(), text, sizeof text);
}

std::optional<Ipv4Address> Ipv4Address::parse(std::string_view text) {
  return parse_ip<Ipv4Address>(AF_INET, text);
}

std::string Ipv6Address::to_string() const {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
}

std::optional<Ipv6Address> Ipv6Address::parse(std::string_view text) {
  return parse_ip<Ipv6Address>(AF_INET6, text);
}

std::string IpAddress::to_string() const { return is_v4() ? v4().to_string() : v6().to_string(); }

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (auto a = Ipv4Address::parse(text)) return IpAddress(*a);
  if (auto a = Ipv6Address::parse(text)) return IpAddress(*a);
  return std::nullopt;
}

}  // namespace koi
