#include "tools/agent/host_keeper.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "tools/agent/now.h"

namespace koi::agent {
namespace {

std::string text_of(const IpAddress& address, unsigned prefix) {
  return fmt::format("{}/{}", address.to_string(), prefix);
}

/// "added 192.0.2.1/32, 192.0.2.5/32 and 3 more"; "" of none.
template <class Address>
std::string list_of(const char* verb, const std::vector<Address>& addresses) {
  constexpr std::size_t kShown = 4;
  if (addresses.empty()) return {};
  std::string list = verb;
  for (std::size_t i = 0; i < std::min(addresses.size(), kShown); ++i) {
    list += i == 0 ? " " : ", ";
    list += text_of(addresses[i].address, addresses[i].prefix);
  }
  if (addresses.size() > kShown) list += fmt::format(" and {} more", addresses.size() - kShown);
  return list;
}

}  // namespace

std::string describe(const HostChanges& done) {
  std::string all;
  const auto say = [&all](const std::string& part) {
    if (part.empty()) return;
    if (!all.empty()) all += ", ";
    all += part;
  };
  if (done.no_link_local) say("no link-local address of the kernel's");
  if (done.arp_ignore) say(fmt::format("arp_ignore {}", *done.arp_ignore));
  if (done.arp_announce) say(fmt::format("arp_announce {}", *done.arp_announce));
  if (done.mac) say("MAC " + done.mac->to_string());
  if (done.mtu) say(fmt::format("MTU {}", *done.mtu));
  if (done.up) say("up");
  if (done.carrier) say(*done.carrier ? "carrier on" : "carrier off");
  say(list_of("removed", done.remove));
  say(list_of("added", done.add));
  return all;
}

HostKeeper::HostKeeper(Koid& koid) : koid_(koid) {
  auto netlink = Netlink::open();
  auto watch = KernelWatch::open();
  if (!netlink || !watch) {
    koid_.log((netlink ? watch.error() : netlink.error()).message);
    return;
  }
  netlink_.emplace(std::move(netlink).value());
  watch_.emplace(std::move(watch).value());
}

void HostKeeper::host_is(const HostSpec& host) {
  wanted_ = host.interfaces;
  std::erase_if(left_, [this](const std::string& name) {
    return std::none_of(wanted_.begin(), wanted_.end(), [&](const HostInterface& wanted) {
      return wanted.name == name && wanted.gone;
    });
  });
  put_right();
}

void HostKeeper::tick(Instant now) {
  if (now < again_) return;
  again_ = Instant::max();
  // What koid wanted before it went away says nothing of a role now.
  if (!koid_.away()) put_right();
}

void HostKeeper::add_to(std::vector<pollfd>& fds) const {
  fds.push_back({watch_ ? watch_->fd() : -1, POLLIN, 0});
}

void HostKeeper::ready(std::span<const pollfd> fds) {
  if (fds[0].revents == 0) return;
  const bool matters = watch_->receive([this](unsigned index, const std::string& name) {
    return known_.contains(index) ||
           std::any_of(wanted_.begin(), wanted_.end(),
                       [&](const HostInterface& wanted) { return wanted.name == name; });
  });
  if (matters) again_ = std::min(again_, last_ + kPause);
}

void HostKeeper::put_right() {
  again_ = Instant::max();
  last_ = now_is();
  if (!netlink_ || wanted_.empty()) return;
  std::set<std::string> names;
  for (const HostInterface& wanted : wanted_) names.insert(wanted.name);
  const auto interfaces = netlink_->interfaces(names);
  new_problems_.clear();
  known_.clear();
  if (!interfaces) {
    new_problems_.insert({"", interfaces.error().message});
    tell_problems();
    return;
  }
  std::set<std::string> ports;  // whose own interface is there
  for (const HostInterface& wanted : wanted_) {
    // Once: what is put there afterwards is somebody else's.
    if (wanted.gone && !left_.insert(wanted.name).second) continue;
    const auto is = std::find_if(interfaces.value().begin(), interfaces.value().end(),
                                 [&](const KernelInterface& i) { return i.name == wanted.name; });
    if (is != interfaces.value().end()) {
      known_.insert(is->index);
      if (wanted.vlan == 0) ports.insert(wanted.port);
      put_right(wanted, *is);
    } else if (wanted.vlan != 0 && !wanted.gone && ports.contains(wanted.port)) {
      new_problems_.insert(
          {wanted.port, fmt::format("there is no interface {} for the addresses of VLAN {}",
                                    wanted.name, wanted.vlan)});
    }
  }
  tell_problems();
}

void HostKeeper::put_right(const HostInterface& wanted, const KernelInterface& is) {
  HostChanges done = plan(wanted, is);
  const unsigned index = is.index;
  const auto carry_out = [&](auto& change, auto set, const char* what) {
    if (!change) return;
    const int error = set(*netlink_);
    look_for_problem(wanted, error, what);
    if (error != 0) change = {};
  };
  carry_out(
      done.no_link_local, [&](Netlink& n) { return n.set_no_link_local(index); },
      "the kernel's own link-local address cannot be turned off");
  carry_out(
      done.arp_ignore, [&](Netlink& n) { return n.set_arp_ignore(index, *done.arp_ignore); },
      "arp_ignore cannot be set");
  carry_out(
      done.arp_announce, [&](Netlink& n) { return n.set_arp_announce(index, *done.arp_announce); },
      "arp_announce cannot be set");
  carry_out(
      done.mac, [&](Netlink& n) { return n.set_mac(index, *done.mac); }, "the MAC cannot be set");
  carry_out(
      done.mtu, [&](Netlink& n) { return n.set_mtu(index, *done.mtu); }, "the MTU cannot be set");
  carry_out(
      done.up, [&](Netlink& n) { return n.set_up(index); }, "it cannot be brought up");
  carry_out(
      done.carrier, [&](Netlink& n) { return n.set_carrier(index, *done.carrier); },
      "the carrier cannot be set");
  std::erase_if(done.remove, [&](const KernelAddress& a) {
    const int error = netlink_->remove(index, a);
    look_for_problem(wanted, error, text_of(a.address, a.prefix) + " cannot be removed");
    return error != 0;
  });
  std::erase_if(done.add, [&](const HostAddress& a) {
    const int error = netlink_->add(index, a);
    look_for_problem(wanted, error, text_of(a.address, a.prefix) + " cannot be added");
    return error != 0;
  });
  if (done == HostChanges{}) return;
  const std::string text = fmt::format("{}: {}", wanted.name, describe(done));
  koid_.tell(text, {{"kind", "host"}, {"port", wanted.port}, {"cause", text}});
}

void HostKeeper::look_for_problem(const HostInterface& wanted, int error, const std::string& what) {
  // An interface that has gone meanwhile is missing, no more.
  if (error == 0 || error == ENODEV) return;
  const char* hint = error == EPERM    ? " (koi-agent needs CAP_NET_ADMIN)"
                     : error == EACCES ? " (is IPv6 disabled there?)"
                                       : "";
  new_problems_.insert(
      {wanted.port, fmt::format("{}: {}: {}{}", wanted.name, what, std::strerror(error), hint)});
}

void HostKeeper::tell_problems() {
  for (const Problem& problem : new_problems_) {
    if (problems_.contains(problem)) continue;
    koid_.tell(problem.text, {{"kind", "host"}, {"port", problem.port}, {"cause", problem.text}});
  }
  problems_ = std::exchange(new_problems_, {});
}

}  // namespace koi::agent
