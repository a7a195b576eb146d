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

std::string device_identity(std::string_view device) {
  std::string name(device.substr(0, device.find(',')));
  if (!is_pci_address(name)) return name;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return name;
}

}  // namespace koi::config
