#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace koi {

/// An integer that cannot be mixed up with another one: a vhid is no VLAN and a slot is no port.
/// Construction and reading are explicit; comparison is between equals only.
template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const Strong&) const = default;

 private:
  Rep value_{};
};

/// Virtual host id, 1..255 (protocol.md §1).
using Vhid = Strong<struct VhidTag, std::uint8_t>;
/// 802.1Q VLAN identifier, 0 = untagged (a priority tag counts as untagged).
using VlanId = Strong<struct VlanIdTag, std::uint16_t>;
/// This node's number, 0..4095, different on each box; the low 12 bits of a koi counter.
using NodeId = Strong<struct NodeIdTag, std::uint16_t>;
/// Position of a port in the configuration's order, 0..kMaxPorts-1.
using PortIndex = Strong<struct PortIndexTag, std::uint8_t>;
/// Position of a worker, 0..kMaxWorkers-1.
using WorkerIndex = Strong<struct WorkerIndexTag, std::uint8_t>;
/// Position of a slot (one virtual host) on the slot board, 0..kMaxSlots-1.
using SlotIndex = Strong<struct SlotIndexTag, std::uint16_t>;
/// One reign of a slot (rule L2): never used twice. 0 = not MASTER.
using Term = Strong<struct TermTag, std::uint64_t>;
/// Number of a view; grows by one with each view built. 0 = none adopted yet.
using ViewNumber = Strong<struct ViewNumberTag, std::uint64_t>;

inline constexpr std::size_t kMaxPorts = 8;
inline constexpr std::size_t kMaxWorkers = 8;
inline constexpr std::size_t kMaxSlots = 4096;  // 255 vhids on 16 VLANs

/// Address family of an advertisement and of its lease deadline.
enum class Family : std::uint8_t { ipv4 = 0, ipv6 = 1 };
inline constexpr std::size_t kFamilies = 2;
/// Set of families as a bit mask: bit 0 IPv4, bit 1 IPv6.
using FamilySet = std::uint8_t;
constexpr FamilySet family_bit(Family f) {
  return static_cast<FamilySet>(1U << static_cast<unsigned>(f));
}

}  // namespace koi

template <class Tag, class Rep>
struct std::hash<koi::Strong<Tag, Rep>> {
  std::size_t operator()(koi::Strong<Tag, Rep> v) const { return std::hash<Rep>{}(v.value()); }
};
