#pragma once

#include <map>
#include <optional>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "tests/sim/network.h"

namespace koi::sim {

/// A host of the LAN with an ARP cache, which asks for the shared address now and then and believes
/// what it hears about it.
class Client {
 public:
  Client(Node node, MacAddress mac, Ipv4Address address)
      : node_(node), mac_(mac), address_(address) {}

  Node node() const { return node_; }
  /// Who has it?
  Packet request(const Ipv4Address& target) const;
  void receive(const Packet& packet, Moment now);
  /// Answers to its requests since the last request.
  unsigned answers() const { return answers_; }
  void forget_answers() { answers_ = 0; }
  /// Where it sends what is for the address; nothing: it would have to ask.
  std::optional<MacAddress> knows(const Ipv4Address& address, Moment now) const;

 private:
  static constexpr Duration kKeeps = 60s;  // an entry nobody has confirmed
  struct Entry {
    MacAddress mac;
    Moment at{};
  };

  Node node_;
  MacAddress mac_;
  Ipv4Address address_;
  std::map<Ipv4Address, Entry> cache_;
  unsigned answers_ = 0;
};

}  // namespace koi::sim
