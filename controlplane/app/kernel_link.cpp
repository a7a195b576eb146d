#include "controlplane/app/kernel_link.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <fmt/format.h>
#include <libmnl/libmnl.h>

namespace koi::app {
namespace {

int on_message(const nlmsghdr* header, void* data) {
  if (header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) return MNL_CB_OK;
  if (mnl_nlmsg_get_payload_len(header) < sizeof(ifinfomsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header));
  // A bridge tells of its ports by messages of its own family: those are not about the link.
  if (info->ifi_family != AF_UNSPEC) return MNL_CB_OK;
  constexpr unsigned kUp = IFF_UP | IFF_RUNNING;
  const bool up = header->nlmsg_type == RTM_NEWLINK && (info->ifi_flags & kUp) == kUp;
  (*static_cast<KernelLink::OnChange*>(data))(static_cast<unsigned>(info->ifi_index), up);
  return MNL_CB_OK;
}

}  // namespace

void KernelLink::Close::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

Result<KernelLink> KernelLink::open(OnChange on_change) {
  std::unique_ptr<mnl_socket, Close> socket(
      mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
    return Error{fmt::format("cannot watch the kernel's links: {}", std::strerror(errno))};
  }
  KernelLink link(std::move(socket), std::move(on_change));
  if (!link.ask_for_all()) {
    return Error{fmt::format("cannot ask for the kernel's links: {}", std::strerror(errno))};
  }
  return link;
}

bool KernelLink::ask_for_all() {
  std::array<char, 256> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETLINK;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* general = static_cast<rtgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtgenmsg)));
  general->rtgen_family = AF_UNSPEC;
  return mnl_socket_sendto(socket_.get(), request, request->nlmsg_len) >= 0;
}

int KernelLink::fd() const { return mnl_socket_get_fd(socket_.get()); }

void KernelLink::receive() {
  std::array<char, 32768> buffer;
  while (true) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == ENOBUFS) {  // messages were lost: ask afresh
      ask_for_all();
      continue;
    }
    if (size <= 0) return;
    if (mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), 0, 0, on_message, &on_change_) <
        0) {
      ask_for_all();  // an error, or a dump that was overtaken by a change
    }
  }
}

}  // namespace koi::app
