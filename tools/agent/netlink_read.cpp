#include "tools/agent/netlink_read.h"

#include <cstring>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

namespace koi::agent {
namespace {

constexpr std::uint16_t kProtocol = 11;  // IFA_PROTO, which older headers do not have

/// libmnl's loops as C++ takes them: its own macros are C.
template <class Each>
int call_each(const nlattr* attribute, void* each) {
  (*static_cast<Each*>(each))(attribute);
  return MNL_CB_OK;
}
template <class Each>
void for_each(const nlmsghdr* header, unsigned offset, Each each) {
  mnl_attr_parse(header, offset, call_each<Each>, &each);
}
template <class Each>
void for_each_in(const nlattr* nest, Each each) {
  mnl_attr_parse_nested(nest, call_each<Each>, &each);
}

/// Setting `number` of IFLA_INET_CONF: an array of words that begins with number 1.
std::optional<std::uint32_t> ipv4_setting(const nlattr* settings, std::size_t number) {
  std::uint32_t value = 0;
  if (mnl_attr_get_payload_len(settings) < number * sizeof value) return std::nullopt;
  const auto* words = static_cast<const char*>(mnl_attr_get_payload(settings));
  std::memcpy(&value, words + (number - 1) * sizeof value, sizeof value);
  return value;
}

void read_families(const nlattr* families, KernelInterface& interface) {
  for_each_in(families, [&](const nlattr* family) {
    const std::uint16_t which = mnl_attr_get_type(family);
    if (which != AF_INET && which != AF_INET6) return;
    for_each_in(family, [&](const nlattr* inner) {
      const std::uint16_t type = mnl_attr_get_type(inner);
      if (which == AF_INET && type == IFLA_INET_CONF) {
        interface.arp_ignore = ipv4_setting(inner, IPV4_DEVCONF_ARP_IGNORE);
        interface.arp_announce = ipv4_setting(inner, IPV4_DEVCONF_ARP_ANNOUNCE);
      }
      if (which == AF_INET6 && type == IFLA_INET6_ADDR_GEN_MODE) {
        interface.address_generation = mnl_attr_get_u8(inner);
      }
    });
  });
}

std::optional<IpAddress> address_in(const nlattr* attribute, unsigned family) {
  Ipv4Address v4;
  Ipv6Address v6;
  const std::size_t size = mnl_attr_get_payload_len(attribute);
  const void* bytes = mnl_attr_get_payload(attribute);
  if (family == AF_INET && size == sizeof v4.bytes) {
    std::memcpy(v4.bytes.data(), bytes, size);
    return v4;
  }
  if (family == AF_INET6 && size == sizeof v6.bytes) {
    std::memcpy(v6.bytes.data(), bytes, size);
    return v6;
  }
  return std::nullopt;
}

}  // namespace

std::optional<KernelInterface> read_link(const nlmsghdr* header) {
  if (header->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(header) < sizeof(ifinfomsg)) {
    return std::nullopt;
  }
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header));
  // A bridge tells of its ports by messages of its own family: those are not about the link.
  if (info->ifi_family != AF_UNSPEC) return std::nullopt;
  KernelInterface interface;
  interface.index = static_cast<unsigned>(info->ifi_index);
  interface.up = (info->ifi_flags & IFF_UP) != 0;
  for_each(header, sizeof *info, [&](const nlattr* attribute) {
    const std::size_t size = mnl_attr_get_payload_len(attribute);
    switch (mnl_attr_get_type(attribute)) {
      case IFLA_IFNAME:
        interface.name = mnl_attr_get_str(attribute);
        break;
      case IFLA_ADDRESS:
        if (size == sizeof interface.mac.bytes) {
          std::memcpy(interface.mac.bytes.data(), mnl_attr_get_payload(attribute), size);
        }
        break;
      case IFLA_MTU:
        interface.mtu = mnl_attr_get_u32(attribute);
        break;
      case IFLA_CARRIER:
        interface.carrier = mnl_attr_get_u8(attribute) != 0;
        break;
      case IFLA_AF_SPEC:
        read_families(attribute, interface);
        break;
      default:
        break;
    }
  });
  return interface;
}

std::optional<std::pair<unsigned, KernelAddress>> read_address(const nlmsghdr* header) {
  const bool is_one = header->nlmsg_type == RTM_NEWADDR || header->nlmsg_type == RTM_DELADDR;
  if (!is_one || mnl_nlmsg_get_payload_len(header) < sizeof(ifaddrmsg)) return std::nullopt;
  const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(header));
  KernelAddress read{.address = {}, .prefix = info->ifa_prefixlen, .flags = info->ifa_flags};
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  for_each(header, sizeof *info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case IFA_LOCAL:  // on a point-to-point interface IFA_ADDRESS is the other end's
        local = address_in(attribute, info->ifa_family);
        break;
      case IFA_ADDRESS:
        address = address_in(attribute, info->ifa_family);
        break;
      case IFA_FLAGS:
        read.flags = mnl_attr_get_u32(attribute);
        break;
      case kProtocol:
        read.protocol = mnl_attr_get_u8(attribute);
        break;
      default:
        break;
    }
  });
  if (!local && !address) return std::nullopt;
  read.address = local ? *local : *address;
  return std::pair{info->ifa_index, read};
}

}  // namespace koi::agent
