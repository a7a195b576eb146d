#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <variant>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "common/time.h"
#include "common/wire/hello.h"

/// What goes through the rings between workers and control, by value.
namespace koi {

struct View;

// ---- up: worker -> control ---------------------------------------------------------------------

/// An advertisement that passed every check of protocol.md §3 on the worker that received it.
struct VerifiedAdvert {
  SlotIndex slot;
  Family family = Family::ipv4;
  std::uint8_t advbase = 0;  // seconds
  std::uint8_t advskew = 0;  // 1/256 s
  std::uint8_t demote = 0;
  bool same_parameters = true;     // false: this counter came before with other parameters
  bool counter_went_back = false;  // only where ReplayRule::none lets it pass
  std::uint32_t heard_number = 0;  // to be acknowledged on the board once decided (L7)
  std::uint64_t counter = 0;
  IpAddress source;
  MacAddress source_mac;
  std::uint64_t sequence = 0;  // of its trailer, verified; 0: it has none, or nobody looked
  std::uint8_t key_id = 0;     // that the trailer names
};

/// L8: the worker polled again after more than 1 ms and has emptied its queues since; the
/// advertisements that were in them are ahead of this message.
struct PollGap {
  std::uint32_t number = 0;  // to be acknowledged on the board
  bool frames_lost = false;  // a queue was full, or the NIC counted misses
  Duration length{};
};

/// An advertisement did not fit into the up ring (it is stamped on the board all the same).
struct UpRingOverflow {};

/// The driver did not take an advertisement (L3).
struct TransmitRefused {
  SlotIndex slot;
  Family family = Family::ipv4;
  Term term;
};

/// An announcement stayed here, but may leave a moment later: there was no lease yet, or no room.
struct AnnouncementRefused {
  SlotIndex slot;
  Term term;
  std::uint16_t address = 0;  // as in its frame
  std::uint8_t tries = 0;
};

/// A unicast peer's MAC, from its ARP reply or Neighbor Advertisement (EntryKind::peer).
struct NeighborHeard {
  PortIndex port;
  VlanId vlan;
  IpAddress address;
  MacAddress mac;
};

/// A hello that is rightly signed (CARP.md §21). Whether it is new is control's to judge.
struct HelloHeard {
  SlotIndex slot;  // the first of its group
  std::uint8_t key_id = 0;
  wire::MismatchSet differs = 0;  // from what this box has
  NodeId node;
  std::uint8_t demotion = 0;
  bool asks = false;
  std::uint32_t masters = 0;
  std::uint32_t backups = 0;
  std::uint64_t sequence = 0;
  IpAddress source;
  MacAddress source_mac;
  wire::VersionText version{};
};
// The ring's elements are no longer for it.
static_assert(sizeof(HelloHeard) <= sizeof(VerifiedAdvert));

/// An IGMP or MLD query (protocol.md §15): our reports are due within max_response.
struct QueryHeard {
  PortIndex port;
  VlanId vlan{};
  Family family = Family::ipv4;
  bool older_version = false;  // IGMPv1/v2, MLDv1
  IpAddress group{};           // all zero: a general query
  Duration max_response{};
};

/// Somebody else uses what is ours (CARP.md, Conflicts).
enum class ConflictKind : std::uint8_t {
  address_claim,  // a foreign ARP or Neighbor Advertisement for a shared address
  virtual_mac,    // a foreign frame from a virtual MAC that we are MASTER of
  vrrp,           // VRRP with the number of our vhid, hence the same virtual MAC
  digest,         // CARP with our vhid and another key or address list
  replay,         // rightly signed, but its counter or sequence was heard before
  trailer,        // its HMAC is right, but its trailer is missing or is none of ours
  clock           // its trailer is right, but older than our clock allows a stranger
};
inline constexpr std::size_t kConflictKinds = 7;

struct Conflict {
  SlotIndex slot;
  ConflictKind kind = ConflictKind::address_claim;
  IpAddress source{};  // who: the claimed address, else the sender's
  MacAddress mac{};    // who: hardware address
};

using UpMessage =
    std::variant<VerifiedAdvert, PollGap, UpRingOverflow, TransmitRefused, AnnouncementRefused,
                 NeighborHeard, QueryHeard, Conflict, HelloHeard>;

// ---- down: control -> worker -------------------------------------------------------------------

enum class FrameKind : std::uint8_t {
  advertisement,  // moves the slot's deadline when the driver has taken it (L3)
  bow_out,        // carries term 0, moves nothing (L10)
  announcement,   // gratuitous ARP: needs the lease that an advertisement earned (L11)
  own             // from the port's own MAC and address, in any role: no term, no lease
};

/// A frame to be sent before not_after; one that uses a virtual MAC only in its term (L4).
struct TransmitFrame {
  static constexpr std::size_t kMaxBytes = 256;

  FrameKind kind = FrameKind::advertisement;
  Family family = Family::ipv4;
  PortIndex port;
  SlotIndex slot;
  std::uint16_t address = 0;  // of an announcement: which of its slot's
  std::uint8_t tries = 0;     // of an announcement: how often it was refused
  std::uint16_t length = 0;   // bytes; 0: nothing to send, counts as sent (L3: MAC not resolved)
  Term term;
  Instant not_after{};
  Duration lease{};                        // of an advertisement: length of the lease it earns (L5)
  bool last_copy = true;                   // of an advertisement: of all its copies (L3)
  std::array<std::byte, kMaxBytes> bytes;  // only the first `length` are set
};

/// Adopt this view between two bursts. Not owned: control frees it when a later one is adopted by
/// all.
struct AdoptView {
  const View* view = nullptr;
};

using DownMessage = std::variant<AdoptView, TransmitFrame>;

static_assert(std::is_trivially_copyable_v<UpMessage>);
static_assert(std::is_trivially_copyable_v<DownMessage>);

}  // namespace koi
