#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/drop_reason.h"
#include "common/strong_types.h"

/// The hello that koi boxes of a group send each other, so that a BACKUP is seen too (CARP.md §21,
/// where the layout stands). A signed trailer (protocol.md §14) follows it. It changes no role.
namespace koi::wire {

inline constexpr std::uint16_t kHelloPort = 9478;  // UDP, both ends
inline constexpr std::size_t kHelloLength = 64;    // of format 1, without the trailer
inline constexpr std::size_t kHelloLongest = 128;  // what later ones may add is passed over
inline constexpr std::uint8_t kHelloTtl = 255;     // no router was between
inline constexpr unsigned kHelloMostMembers = 32;

/// A digest of 64 bits.
using GroupDigest = std::array<std::byte, 8>;

/// What all boxes of a group must have alike.
struct GroupFacts {
  std::uint8_t members = 1;  // 1..32
  std::uint8_t advbase = 1;  // seconds
  std::uint8_t dead_ratio = 3;
  std::uint8_t lowest_advskew = 0;  // 1/256 s
  GroupDigest addresses{};          // of the shared addresses
  GroupDigest vhids{};              // of the members' vhids
  GroupDigest hash{};               // of how it is balanced; all zero: not at all

  bool operator==(const GroupFacts&) const = default;
};

/// In what a peer differs from this box: bits of a MismatchSet.
enum class Mismatch : std::uint8_t {
  addresses,
  members,
  hash,
  advbase,
  dead_ratio,
  lowest_advskew,
  node_id  // it has ours, which must be another on each box
};
inline constexpr std::array<std::string_view, 7> kMismatchNames = {
    "addresses", "members", "hash", "advbase", "dead-ratio", "lowest-advskew", "node-id"};
using MismatchSet = std::uint8_t;
constexpr MismatchSet mismatch_bit(Mismatch m) {
  return static_cast<MismatchSet>(1U << static_cast<unsigned>(m));
}
/// All but node_id.
MismatchSet differences(const GroupFacts& ours, const GroupFacts& theirs);

/// The sender's version: printable ASCII, filled up with zeros.
using VersionText = std::array<char, 16>;
/// Cut to 16 characters.
VersionText version_text(std::string_view version);
/// Up to the first zero; what is not printable ASCII reads '?', for it comes from outside.
std::string to_string(const VersionText& version);

/// Integers in host order.
struct Hello {
  Vhid vhid;  // of the group's first member
  NodeId node;
  GroupFacts facts;
  std::uint8_t demotion = 0;  // of the group, all causes
  bool asks = false;          // the sender has no hello of the receiver yet
  std::uint32_t masters = 0;  // bit i: MASTER of the i-th member, by ascending vhid
  std::uint32_t backups = 0;  // likewise; neither: INIT
  VersionText version{};

  bool operator==(const Hello&) const = default;
};

/// Checks, of the message without its trailer: 64 to 128 bytes (kHelloSize); the magic, format 1,
/// the bytes that must be 0, 1 to 32 members (kHelloFormat). Reads the first 64 bytes only.
Parsed<Hello> parse_hello(std::span<const std::byte> message);

void write_hello(const Hello& hello, std::span<std::byte, kHelloLength> out);

}  // namespace koi::wire
