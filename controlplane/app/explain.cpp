#include "controlplane/app/explain.h"

#include <optional>
#include <string>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/balance/balancer.h"
#include "common/balance/fold.h"
#include "config/derived.h"
#include "config/words.h"

namespace koi::app {
namespace {

using nlohmann::json;

/// What is known of the client: one of the two.
using Client = std::variant<MacAddress, IpAddress>;

struct Question {
  std::optional<Client> client;
  std::optional<IpAddress> from;
};

json refusal(const std::string& why) { return {{"ok", false}, {"error", why}}; }

std::string text_of(const json& request, const char* key) {
  const auto it = request.find(key);
  return it != request.end() && it->is_string() ? it->get<std::string>() : std::string();
}

bool is_given(const json& request, const char* key) {
  const auto it = request.find(key);
  return it != request.end() && !it->is_null();
}

std::optional<Client> parse_client(const std::string& text) {
  if (const auto mac = MacAddress::parse(text)) return *mac;
  if (const auto ip = IpAddress::parse(text)) return *ip;
  return std::nullopt;
}

bool is_unspecified(const IpAddress& address) {
  return address == IpAddress(Ipv4Address{}) || address == IpAddress(Ipv6Address{});
}

bool hashes_mac(const config::Balance& balance) {
  if (config::is_by_packet(balance)) return false;
  return balance.hash == config::BalanceHash::openbsd ||
         (balance.hash == config::BalanceHash::siphash && balance.by == config::HashBy::mac);
}

/// The client's member, or why there is none.
struct Choice {
  std::optional<unsigned> member;
  std::string undecided;
};

Choice choose(const config::Balance& balance, const balance::Balancer& balancer,
              const IpAddress& address, const Question& question) {
  const std::optional<Client>& client = question.client;
  if (balance.hash == config::BalanceHash::freebsd && !address.is_v4()) {
    return {{}, "this hash is for IPv4 only: nobody answers Neighbor Solicitations"};
  }
  if (!client) return {{}, "which member answers depends on the client"};
  balance::Asker asker;
  const auto* mac = std::get_if<MacAddress>(&*client);
  if (hashes_mac(balance)) {
    if (mac == nullptr) return {{}, "the hash is over the client's MAC address, give that"};
    asker = {.link_layer = *mac, .ethernet = *mac, .address = address};
  } else {
    if (mac != nullptr) return {{}, "the hash is over the client's IP address, give that"};
    asker.address = std::get<IpAddress>(*client);
    if (balance.hash == config::BalanceHash::siphash && is_unspecified(asker.address)) {
      return {{}, "a client without an address yet is hashed by its MAC address"};
    }
  }
  return {balancer.member_for(asker), ""};
}

/// The same of a group balanced by packet: a conversation is between the client and the address, or
/// whoever else it reaches through it.
Choice choose_by_packet(unsigned members, const IpAddress& address, const Question& question) {
  if (!question.client) return {{}, "which member takes a packet depends on the client"};
  const auto* client = std::get_if<IpAddress>(&*question.client);
  if (client == nullptr) return {{}, "the packets' addresses decide, give the client's IP address"};
  return {balance::fold(*client, question.from.value_or(address)) % members, ""};
}

json slot_json(const Snapshot& s, SlotIndex slot, unsigned member) {
  const controlplane::SlotReport& report = s.slots[slot.value()];
  const SlotView& view = s.view_of(slot);
  const bool is_master = report.role == election::Role::master;
  const Duration lease = is_master ? lease_left(s, slot, s.clock->now()) : Duration::zero();
  json master = nullptr;
  if (is_master) {
    master = {{"address", source_of(view).to_string()},
              {"mac", view.sends_from.to_string()},
              {"this_box", true}};
  } else if (report.master_known) {
    master = {{"address", report.master.to_string()},
              {"mac", report.master_mac.to_string()},
              {"this_box", false}};
  }
  return {{"member", member},
          {"vhid", view.vhid.value()},
          {"mac", view.told.to_string()},
          {"role", election::to_string(report.role)},
          {"cause", election::to_string(report.cause)},
          {"since", utc(s.since[slot.value()])},
          {"lease_ms", std::chrono::duration<double, std::milli>(lease).count()},
          {"answers_now", lease > Duration::zero()},
          {"master", master}};
}

json balance_json(const config::Balance& balance, unsigned members, const Choice& choice) {
  const bool by_packet = config::is_by_packet(balance);
  return {{"mode", config::word(balance.mode)},
          {"hash", by_packet ? "fold" : config::word(balance.hash)},
          {"input", hashes_mac(balance) ? "mac" : "ip"},
          {"members", members},
          {"member", choice.member ? json(*choice.member) : json(nullptr)},
          {"undecided", choice.member ? json(nullptr) : json(choice.undecided)}};
}

void add_shared(const Snapshot& s, const Entry& entry, const IpAddress& address,
                const Question& question, json& place) {
  const config::Group& group = s.group_of(entry.slot);
  const unsigned members = s.view_of(entry.slot).members;
  place["group"] = group.name;
  place["balance"] = nullptr;
  place["resolver"] = nullptr;
  place["slots"] = json::array();
  Choice choice{0, ""};
  if (entry.is_balanced() && group.balance) {
    const balance::Balancer& balancer = s.plan->topology->balancers[entry.balancer];
    choice = choose(*group.balance, balancer, address, question);
  } else if (group.balance) {
    choice = choose_by_packet(members, address, question);
    place["resolver"] = slot_json(s, entry.slot, 0);
  }
  if (group.balance) place["balance"] = balance_json(*group.balance, members, choice);
  for (unsigned m = 0; m < members; ++m) {
    if (choice.member && *choice.member != m) continue;
    const SlotIndex slot(static_cast<std::uint16_t>(entry.slot.value() + m));
    place["slots"].push_back(slot_json(s, slot, m));
  }
}

const Entry* find(const Topology& topology, PortIndex port, VlanId vlan, const IpAddress& address) {
  return address.is_v4() ? topology.find_address(port, vlan, address.v4())
                         : topology.find_address(port, vlan, address.v6());
}

/// The shared addresses, for somebody who asked for another.
std::string known(const Snapshot& s) {
  constexpr std::size_t kShown = 8;
  std::string out;
  std::size_t count = 0;
  for (const config::Group& group : s.config->groups) {
    for (const IpAddress& address : group.addresses) {
      if (++count > kShown) continue;
      out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", address.to_string(), group.name);
    }
  }
  if (count > kShown) out += fmt::format(" and {} more", count - kShown);
  return out.empty() ? "none" : out;
}

}  // namespace

json explain_json(const Snapshot& s, const json& request) {
  const auto address = IpAddress::parse(text_of(request, "address"));
  if (!address) return refusal(R"("address" is to be an IPv4 or IPv6 address)");
  Question question;
  json client_text = nullptr;
  if (is_given(request, "client")) {
    question.client = parse_client(text_of(request, "client"));
    if (!question.client) {
      return refusal(R"("client" is to be a MAC address, or an IPv4 or IPv6 address)");
    }
    const auto* ip = std::get_if<IpAddress>(&*question.client);
    if (ip != nullptr && ip->family() != address->family()) {
      return refusal("address and client are to be of one family, or the client a MAC address");
    }
    client_text =
        ip != nullptr ? ip->to_string() : std::get<MacAddress>(*question.client).to_string();
  }
  if (is_given(request, "from")) {
    question.from = IpAddress::parse(text_of(request, "from"));
    if (!question.from || question.from->family() != address->family()) {
      return refusal(R"("from" is to be an address of the same family)");
    }
  }

  const Topology& topology = *s.plan->topology;
  json places = json::array();
  for (std::size_t p = 0; p < s.config->ports.size(); ++p) {
    const config::Port& port = s.config->ports[p];
    const PortIndex index(static_cast<std::uint8_t>(p));
    std::vector<VlanId> vlans = {VlanId(0)};
    for (const auto& [vlan, settings] : port.vlans) vlans.push_back(vlan);
    for (const VlanId vlan : vlans) {
      const Entry* entry = find(topology, index, vlan, *address);
      if (entry == nullptr || entry->kind == EntryKind::peer) continue;
      json place = {{"port", port.name}, {"vlan", vlan.value()}, {"group", nullptr}};
      if (entry->kind == EntryKind::own) {
        place["kind"] = "own";
        place["mac"] = topology.ports[p].mac.to_string();
      } else {
        place["kind"] = "shared";
        add_shared(s, *entry, *address, question, place);
      }
      places.push_back(std::move(place));
    }
  }
  if (places.empty()) {
    return refusal(fmt::format("this box does not answer for {}; shared addresses are {}",
                               address->to_string(), known(s)));
  }
  return {{"ok", true},
          {"node", s.config->node},
          {"address", address->to_string()},
          {"client", client_text},
          {"from", question.from ? json(question.from->to_string()) : json(nullptr)},
          {"places", std::move(places)}};
}

}  // namespace koi::app
