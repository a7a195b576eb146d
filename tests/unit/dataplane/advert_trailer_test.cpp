// The signed trailer where a worker receives it: protocol.md §14.
#include <algorithm>

#include <gtest/gtest.h>

#include "common/auth/trailer_sequence.h"
#include "tests/support/world.h"

namespace koi::dataplane::advert_trailer_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const std::string kTrailerKey(32, 'k');
const std::string kNewKey(64, 'n');
constexpr Duration kToday = 1'790'000'000s;  // 2026

/// Group 0: vhid 1 with a trailer; group 1: vhid 9 beside another dialect.
std::shared_ptr<const Topology> signed_topology(TrailerRule rule) {
  return TopologyBuilder()
      .port(kPortMac)
      .own(PortIndex(0), VlanId(0), kOwnIp)
      .own6(PortIndex(0), VlanId(0), kOwnLinkLocal)
      .group({.addresses = {kSharedIp},
              .addresses6 = {kSharedIp6},
              .families = kBothFamilies,
              .trailer = rule,
              .trailer_keys = {{1, kTrailerKey}, {2, kNewKey}}})
      .group({.vhid = Vhid(9),
              .addresses = {kForeignSharedIp},
              .replay = ReplayRule::none,
              .trailer = rule,
              .trailer_keys = {{1, kTrailerKey}}})
      .build();
}

/// A box that received nothing yet, at a known time of day.
class SignedWorld : public World {
 public:
  explicit SignedWorld(TrailerRule rule) : World(signed_topology(rule)) { utc(kToday); }

  void utc(Duration moment) { board->utc_offset.store((moment - now.time_since_epoch()).count()); }
  /// An advertisement of the peer, each with the next counter.
  Advert next() { return {.counter = counter_of(++sequence_), .addresses6 = {kSharedIp6}}; }
  std::string hear(const Signature& signature) { return hear(next(), signature); }
  std::string hear(const Advert& ad, const Signature& signature) {
    return verdict_on(frame(ad, signed_carp(ad, signature)));
  }
  std::size_t conflicts_of(ConflictKind kind) const {
    return static_cast<std::size_t>(
        std::count_if(up.messages.begin(), up.messages.end(), [kind](const UpMessage& m) {
          const auto* conflict = std::get_if<Conflict>(&m);
          return conflict != nullptr && conflict->kind == kind;
        }));
  }

 private:
  std::uint64_t sequence_ = 0;
};

std::uint64_t at(Duration moment) { return auth::trailer_sequence(moment); }

// C19.1 kept, C19.4 kept, C19.8 kept
TEST(AdvertTrailer, EveryKeyOfTheGroupSigns) {
  for (const TrailerRule rule : {TrailerRule::verified, TrailerRule::required}) {
    SignedWorld world(rule);
    EXPECT_EQ(world.hear({.sequence = at(kToday)}), "taken");
    EXPECT_EQ(world.hear({.sequence = at(kToday) + 1, .key = kNewKey, .key_id = 2}), "taken");
    ASSERT_NE(world.up.advert(1), nullptr);
    EXPECT_EQ(world.up.advert(0)->sequence, at(kToday));
    EXPECT_EQ(world.up.advert(0)->key_id, 1);
    EXPECT_EQ(world.up.advert(1)->key_id, 2);
  }
}

TEST(AdvertTrailer, OverIpv6) {
  SignedWorld world(TrailerRule::required);
  const Advert ad = world.next();
  const Bytes header = carp(ad);
  const Bytes tail = trailer({.sequence = at(kToday)}, 1, kPeerLinkLocal.bytes, header);
  const Bytes both = Frame().add(header).add(tail).bytes;
  EXPECT_EQ(world.verdict_on(frame6(ad, kAdvertIp6, both)), "taken");
}

// C19.4 kept, C19.4 refused
TEST(AdvertTrailer, OneThatIsMissing) {
  const auto unsigned_one = [](TrailerRule rule, std::size_t more) {
    SignedWorld world(rule);
    Bytes payload = carp(world.next());
    payload.resize(payload.size() + more);
    const std::string said = world.verdict_on(frame({}, payload));
    EXPECT_EQ(world.conflicts_of(ConflictKind::trailer), said == "taken" ? 0U : 1U);
    return said;
  };
  for (const std::size_t more : {0U, 1U, 27U, 29U}) {
    EXPECT_EQ(unsigned_one(TrailerRule::required, more), "trailer_missing") << more;
    EXPECT_EQ(unsigned_one(TrailerRule::verified, more), "taken") << more;
    EXPECT_EQ(unsigned_one(TrailerRule::ignored, more), "taken") << more;
  }
  EXPECT_EQ(unsigned_one(TrailerRule::ignored, 28), "taken");
}

// C19.2 refused, C19.5 kept, C19.5 refused, C19.8 refused
TEST(AdvertTrailer, OneThatIsWrong) {
  for (const TrailerRule rule : {TrailerRule::verified, TrailerRule::required}) {
    SignedWorld world(rule);
    EXPECT_EQ(world.hear({.sequence = at(kToday), .scheme = 2}), "trailer_scheme");
    EXPECT_EQ(world.hear({.sequence = at(kToday), .reserved = 1}), "trailer_scheme");
    EXPECT_EQ(world.hear({.sequence = at(kToday), .key_id = 3}), "trailer_key");
    EXPECT_EQ(world.hear({.sequence = at(kToday), .key = kNewKey}), "trailer_mac");
    EXPECT_EQ(world.conflicts_of(ConflictKind::trailer), 1U);  // one a second
    EXPECT_EQ(world.conflicts_of(ConflictKind::clock), 0U);
    EXPECT_EQ(world.up.messages.size(), 1U);
    // None of them left a trace.
    EXPECT_EQ(world.hear({.counter = counter_of(1), .addresses6 = {kSharedIp6}},
                         {.sequence = at(kToday)}),
              "taken");
  }
}

// protocol.md §4, vector C: what CARP alone takes for a bow-out.
// C5.9 kept, C19.2 refused
TEST(AdvertTrailer, NoFieldCanBeRewritten) {
  SignedWorld world(TrailerRule::required);
  const Advert ad = world.next();
  const Bytes original = signed_carp(ad, {.sequence = at(kToday)});
  for (const std::size_t field : {2U, 3U, 4U, 5U}) {
    Bytes changed = original;
    changed[field] = std::byte{255};
    set_checksum(changed, 6, 36);
    EXPECT_EQ(world.verdict_on(frame(ad, changed)), "trailer_mac") << field;
  }
  Advert from_another = ad;
  from_another.ip.source = kUnicastPeerIp;
  EXPECT_EQ(world.verdict_on(frame(from_another, original)), "trailer_mac");
  EXPECT_EQ(world.verdict_on(frame(ad, original)), "taken");
}

// C4.1 kept
TEST(AdvertTrailer, IsJudgedAfterTheHmacAndBeforeTheCounter) {
  SignedWorld world(TrailerRule::required);
  Advert ad = world.next();
  ad.key = "another";
  EXPECT_EQ(world.hear(ad, {.sequence = at(kToday), .key_id = 3}), "carp_digest");
  ad.key = kKey;
  EXPECT_EQ(world.hear(ad, {.sequence = at(kToday)}), "taken");
  EXPECT_EQ(world.hear(ad, {.sequence = at(kToday)}), "trailer_old");
  EXPECT_EQ(world.hear(ad, {.sequence = at(kToday) + 1}), "carp_replay");
  // Ours, reflected: whatever its sequence.
  ad.counter = counter_of(7, kOwnNode);
  world.board->own_counter.store(ad.counter);
  EXPECT_EQ(world.hear(ad, {.sequence = 1}), "carp_own");
}

// C19.6 kept, C19.6 refused
TEST(AdvertTrailer, SequencesGrowPerSourceAndSlot) {
  SignedWorld world(TrailerRule::required);
  EXPECT_EQ(world.hear({.sequence = at(kToday)}), "taken");
  EXPECT_EQ(world.conflicts_of(ConflictKind::replay), 0U);
  EXPECT_EQ(world.hear({.sequence = at(kToday)}), "trailer_old");
  EXPECT_EQ(world.conflicts_of(ConflictKind::replay), 1U);
  EXPECT_EQ(world.hear({.sequence = at(kToday) - 1}), "trailer_old");
  // Known: it may be as old as it likes by our clock, which may be the wrong one.
  world.utc(kToday + 3600s);
  EXPECT_EQ(world.hear({.sequence = at(kToday) + 1}), "taken");
  Advert other = world.next();
  other.counter = counter_of(1, NodeId(13));
  other.ip.source = kUnicastPeerIp;
  EXPECT_EQ(world.hear(other, {.sequence = at(kToday + 3590s)}), "taken");
}

// C19.6 kept: a receiver that was started anew remembers what its state file says.
TEST(AdvertTrailer, ARecordOfBeforeCounts) {
  SignedWorld world(TrailerRule::required);
  world.adverts.remember(kLan, kPeerIp, at(kToday - 5s));
  EXPECT_EQ(world.hear({.sequence = at(kToday - 5s)}), "trailer_old");
  EXPECT_EQ(world.hear({.sequence = at(kToday - 5s) + 1}), "taken");
}

// C19.7 kept, C19.7 refused
TEST(AdvertTrailer, OfAStrangerOnlyWhatIsYoung) {
  SignedWorld world(TrailerRule::required);
  EXPECT_EQ(world.hear({.sequence = at(kToday - 31s)}), "trailer_clock");
  EXPECT_EQ(world.conflicts_of(ConflictKind::clock), 1U);
  EXPECT_EQ(world.conflicts_of(ConflictKind::trailer), 0U);
  EXPECT_EQ(world.hear({.sequence = 0}), "trailer_clock");
  EXPECT_EQ(world.hear({.sequence = at(kToday - 29s)}), "taken");
  SignedWorld behind(TrailerRule::required);
  behind.utc(0s);  // its clock is not set yet
  EXPECT_EQ(behind.hear({.sequence = at(kToday)}), "taken");
}

// Beside another dialect the counter proves nothing, but the trailer does.
TEST(AdvertTrailer, BesideAnotherDialect) {
  SignedWorld world(TrailerRule::verified);
  const Advert ad{.vhid = 9, .counter = 5, .addresses = {kForeignSharedIp}};
  EXPECT_EQ(world.hear(ad, {.sequence = at(kToday)}), "taken");
  EXPECT_EQ(world.hear(ad, {.sequence = at(kToday)}), "trailer_old");
  EXPECT_EQ(world.verdict_on(frame(ad)), "taken");  // a box that signs nothing
}

}  // namespace
}  // namespace koi::dataplane::advert_trailer_test
