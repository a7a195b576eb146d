#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "common/contract/messages.h"
#include "common/contract/view.h"
#include "common/drop_reason.h"
#include "common/wire/ethernet.h"
#include "common/wire/vrrp.h"
#include "dataplane/frame.h"
#include "dataplane/up_reporter.h"

namespace koi::dataplane {

/// Notices who else uses what is ours and tells control: at most once a second for each slot and
/// kind, for it comes from packets that anybody can send. It changes nothing by itself; no role
/// depends on it. One per worker, that worker only; allocates nothing after it is made.
class ConflictWatch {
 public:
  static constexpr Duration kInterval = 1s;

  explicit ConflictWatch(UpReporter& reporter) : reporter_(reporter), next_(kMaxSlots) {}

  /// Somebody said, by ARP or by Neighbor Advertisement, that a shared address is at this MAC: a
  /// conflict unless the MAC is one of the group's. entry: of that address, shared.
  void claim(const Topology& topology, const Entry& entry, const IpAddress& address,
             const MacAddress& mac);

  /// Every frame, before it is changed: a conflict iff its Ethernet source is the virtual MAC of a
  /// slot that this box reigns. Not meant are CARP (the election and digest() judge it, and a
  /// switch may reflect our own) and what looks like our own announcement, reflected; nor, in
  /// `ip-unicast`, the first slot's, from which any member may send.
  void source(std::span<const std::byte> frame, const wire::EthernetHeader& ethernet,
              const BurstContext& burst) {
    static constexpr MacAddress kPrefix = virtual_mac(Vhid(0));
    if (std::memcmp(ethernet.source.bytes.data(), kPrefix.bytes.data(), 5) != 0) return;
    virtual_source(frame, ethernet, burst);
  }

  /// VRRP was heard: a conflict iff its number is a vhid of ours there. Returns why to drop it:
  /// kVrrp, or kCarpVhid where the number is not ours.
  DropReason vrrp(const wire::VrrpHeader& vrrp, const IpAddress& sender,
                  const wire::EthernetHeader& ethernet, const BurstContext& burst);

  /// CARP with our vhid failed its HMAC: another pair with the same number, a box with another key
  /// or address list, or a forgery.
  void digest(SlotIndex slot, const IpAddress& sender, const MacAddress& mac) {
    report(slot, ConflictKind::digest, sender, mac);
  }

  /// The HMAC is right, but the signed trailer is not (clock: but for its age).
  void trailer(SlotIndex slot, bool clock, const IpAddress& sender, const MacAddress& mac) {
    report(slot, clock ? ConflictKind::clock : ConflictKind::trailer, sender, mac);
  }

  /// C6.10: a counter of another box that it has used before.
  void replay(SlotIndex slot, const IpAddress& sender, const MacAddress& mac) {
    report(slot, ConflictKind::replay, sender, mac);
  }

 private:
  void virtual_source(std::span<const std::byte> frame, const wire::EthernetHeader& ethernet,
                      const BurstContext& burst);
  void report(SlotIndex slot, ConflictKind kind, const IpAddress& who, const MacAddress& mac);

  UpReporter& reporter_;
  /// By SlotIndex and kind: not to be reported again before.
  std::vector<std::array<Instant, kConflictKinds>> next_;
};

}  // namespace koi::dataplane
