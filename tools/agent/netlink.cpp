#include "tools/agent/netlink.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <fmt/format.h>
#include <libmnl/libmnl.h>

#include "tools/agent/netlink_read.h"

namespace koi::agent {
namespace {

constexpr std::size_t kRoom = 256;  // bytes; no request here is longer

/// A request being built.
template <class Header>
class Message {
 public:
  Message(std::uint16_t type, std::uint16_t flags) : header_(mnl_nlmsg_put_header(room_.data())) {
    header_->nlmsg_type = type;
    header_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    payload = static_cast<Header*>(mnl_nlmsg_put_extra_header(header_, sizeof(Header)));
  }
  nlmsghdr* get() { return header_; }
  Header* payload;

 private:
  alignas(nlmsghdr) std::array<char, kRoom> room_{};
  nlmsghdr* header_;
};

struct LinkMessage : Message<ifinfomsg> {
  explicit LinkMessage(unsigned index) : Message(RTM_NEWLINK, NLM_F_ACK) {
    payload->ifi_index = static_cast<int>(index);
  }
};

struct DumpMessage : Message<rtgenmsg> {
  explicit DumpMessage(std::uint16_t type) : Message(type, NLM_F_DUMP) {}
};

struct AddressMessage : Message<ifaddrmsg> {
  AddressMessage(std::uint16_t type, std::uint16_t flags, unsigned index, const IpAddress& address,
                 std::uint8_t prefix)
      : Message(type, static_cast<std::uint16_t>(NLM_F_ACK | flags)) {
    payload->ifa_family = address.is_v4() ? AF_INET : AF_INET6;
    payload->ifa_prefixlen = prefix;
    payload->ifa_index = index;
    for (const std::uint16_t attribute : {IFA_LOCAL, IFA_ADDRESS}) {
      if (address.is_v4()) {
        const Ipv4Address bytes = address.v4();
        mnl_attr_put(get(), attribute, sizeof bytes.bytes, bytes.bytes.data());
      } else {
        const Ipv6Address bytes = address.v6();
        mnl_attr_put(get(), attribute, sizeof bytes.bytes, bytes.bytes.data());
      }
    }
  }
};

/// IFLA_AF_SPEC { AF_INET { IFLA_INET_CONF { number: value } } }
void put_ipv4_setting(nlmsghdr* message, std::uint16_t number, std::uint32_t value) {
  nlattr* families = mnl_attr_nest_start(message, IFLA_AF_SPEC);
  nlattr* ipv4 = mnl_attr_nest_start(message, AF_INET);
  nlattr* settings = mnl_attr_nest_start(message, IFLA_INET_CONF);
  mnl_attr_put_u32(message, number, value);
  mnl_attr_nest_end(message, settings);
  mnl_attr_nest_end(message, ipv4);
  mnl_attr_nest_end(message, families);
}

int pass_message(const nlmsghdr* header, void* each) {
  const auto& call = *static_cast<const std::function<void(const nlmsghdr*)>*>(each);
  if (call) call(header);
  return MNL_CB_OK;
}

}  // namespace

void CloseNetlink::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

Result<Netlink> Netlink::open() {
  NetlinkSocket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
    return Error{
        fmt::format("cannot talk to the kernel about interfaces: {}", std::strerror(errno))};
  }
  return Netlink(std::move(socket));
}

int Netlink::request(nlmsghdr* message, const std::function<void(const nlmsghdr*)>& each) {
  message->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) return errno;
  std::array<char, 32768> buffer;
  for (;;) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    // Of an earlier request nothing is left, unless that one ended with an error midway.
    const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), sequence_,
                                mnl_socket_get_portid(socket_.get()), pass_message,
                                const_cast<void*>(static_cast<const void*>(&each)));
    if (more == MNL_CB_STOP) return 0;
    if (more < 0 && errno != ESRCH && errno != EPROTO) return errno;
  }
}

Result<std::vector<KernelInterface>> Netlink::interfaces(const std::set<std::string>& names) {
  std::vector<KernelInterface> found;
  DumpMessage links(RTM_GETLINK);
  int error = request(links.get(), [&](const nlmsghdr* header) {
    if (auto interface = read_link(header); interface && names.contains(interface->name)) {
      found.push_back(std::move(*interface));
    }
  });
  DumpMessage addresses(RTM_GETADDR);
  if (error == 0 && !found.empty()) {
    error = request(addresses.get(), [&](const nlmsghdr* header) {
      const auto read = read_address(header);
      for (KernelInterface& interface : found) {
        if (read && interface.index == read->first) interface.addresses.push_back(read->second);
      }
    });
  }
  if (error != 0) {
    return Error{fmt::format("cannot read the kernel's interfaces: {}", std::strerror(error))};
  }
  return found;
}

int Netlink::set_mac(unsigned index, const MacAddress& mac) {
  LinkMessage message(index);
  mnl_attr_put(message.get(), IFLA_ADDRESS, sizeof mac.bytes, mac.bytes.data());
  return request(message.get());
}

int Netlink::set_mtu(unsigned index, unsigned mtu) {
  LinkMessage message(index);
  mnl_attr_put_u32(message.get(), IFLA_MTU, mtu);
  return request(message.get());
}

int Netlink::set_up(unsigned index) {
  LinkMessage message(index);
  message.payload->ifi_flags = message.payload->ifi_change = IFF_UP;
  return request(message.get());
}

int Netlink::set_carrier(unsigned index, bool carrier) {
  LinkMessage message(index);
  mnl_attr_put_u8(message.get(), IFLA_CARRIER, carrier ? 1 : 0);
  return request(message.get());
}

int Netlink::set_arp_ignore(unsigned index, std::uint32_t value) {
  LinkMessage message(index);
  put_ipv4_setting(message.get(), IPV4_DEVCONF_ARP_IGNORE, value);
  return request(message.get());
}

int Netlink::set_arp_announce(unsigned index, std::uint32_t value) {
  LinkMessage message(index);
  put_ipv4_setting(message.get(), IPV4_DEVCONF_ARP_ANNOUNCE, value);
  return request(message.get());
}

int Netlink::set_no_link_local(unsigned index) {
  LinkMessage message(index);
  nlattr* families = mnl_attr_nest_start(message.get(), IFLA_AF_SPEC);
  nlattr* ipv6 = mnl_attr_nest_start(message.get(), AF_INET6);
  mnl_attr_put_u8(message.get(), IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  mnl_attr_nest_end(message.get(), ipv6);
  mnl_attr_nest_end(message.get(), families);
  return request(message.get());
}

int Netlink::add(unsigned index, const HostAddress& address) {
  AddressMessage message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index, address.address,
                         address.prefix);
  std::uint32_t flags = address.address.is_v4() ? 0 : IFA_F_NODAD;
  if (address.shared) flags |= IFA_F_NOPREFIXROUTE;
  mnl_attr_put_u32(message.get(), IFA_FLAGS, flags);
  const int error = request(message.get());
  return error == EEXIST ? 0 : error;
}

int Netlink::remove(unsigned index, const KernelAddress& address) {
  AddressMessage message(RTM_DELADDR, 0, index, address.address, address.prefix);
  const int error = request(message.get());
  return error == EADDRNOTAVAIL ? 0 : error;
}

}  // namespace koi::agent
