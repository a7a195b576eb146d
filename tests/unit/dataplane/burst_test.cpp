// Several frames of one burst, under one quick look: what it keeps of the last reply must not show.
#include <gtest/gtest.h>

#include "dataplane/classify.h"
#include "tests/support/world.h"

namespace koi::dataplane::burst_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr MacAddress kOtherMac = mac_from({0x52, 0x54, 0, 0xab, 0xcd, 0xef});
constexpr Ipv4Address kOtherIp = ipv4(192, 0, 2, 78);

/// By hand: from a virtual MAC, for an address, to who asked, with a tag or none.
Bytes reply(const char* from, const char* tag, const char* shared, const char* to,
            const char* asker) {
  return from_hex(std::string(to) + from + tag + "0806 0001 0800 06 04 0002" + from + shared + to +
                  asker);
}

class Burst : public ::testing::Test {
 protected:
  Burst() {
    for (const SlotIndex slot : {kLan, kTagged}) world.reign(slot);
    world.poll(900us);
  }
  /// What becomes of the next frame of the burst.
  std::string next(Bytes& frame) {
    frame.resize(std::max<std::size_t>(frame.size(), 60));
    const Fate fate = decide(
        quick_, frame, [] { return std::size_t{0}; }, world.adverts);
    if (fate.kind() == Fate::Kind::answer) frame.resize(fate.length());
    return verdict(fate);
  }
  void expect_reply(Bytes request, const Bytes& expected) {
    EXPECT_EQ(next(request), "answer");
    EXPECT_EQ(to_hex(request), to_hex(expected));
  }

  World world;

 private:
  const BurstContext context_ = world.burst();
  QuickLook quick_{context_};
};

const Arp kTaggedArp{.sender_ip = kTaggedClientIp, .target_ip = kTaggedSharedIp};

TEST_F(Burst, EachAskerItsOwnReply) {
  const Bytes first = reply("00005e000101", "", "c0000201", "525400123456", "c000024d");
  const Bytes second = reply("00005e000101", "", "c0000201", "525400abcdef", "c000024e");
  const Bytes tagged = reply("00005e000107", "8100 0014", "c6336401", "525400123456", "c633644d");
  const Arp other{.sender_mac = kOtherMac, .sender_ip = kOtherIp};
  for (int twice = 0; twice < 2; ++twice) {
    expect_reply(arp({}), first);
    expect_reply(arp(other, {.from = kOtherMac}), second);
    expect_reply(arp(kTaggedArp, {.tag = 20}), tagged);
    expect_reply(arp(kTaggedArp, {.tag = 20}), tagged);
  }
}

TEST_F(Burst, AnotherVlanIsAnotherAddress) {
  for (int twice = 0; twice < 2; ++twice) {
    expect_reply(arp(kTaggedArp, {.tag = 20}),
                 reply("00005e000107", "8100 0014", "c6336401", "525400123456", "c633644d"));
  }
  Bytes untagged = arp(kTaggedArp);
  EXPECT_EQ(next(untagged), "arp_not_ours");
}

// L1: what the lease allows holds for the burst, but not beyond a claim that was in it.
TEST_F(Burst, AfterAClaimTheLeaseIsAskedAgain) {
  for (int thrice = 0; thrice < 3; ++thrice) {
    Bytes before = arp({});
    EXPECT_EQ(next(before), "answer");
    world.board->slot(kLan).term.store(0);  // nobody looks until the next poll, or a claim
  }
  Bytes claim = frame(Advert{});
  EXPECT_EQ(next(claim), "taken");
  Bytes after = arp({});
  EXPECT_EQ(next(after), "no_lease");
}

TEST_F(Burst, AfterAClaimTheLeaseIsAskedAgainForSolicitationsToo) {
  world.reign(kBoth);
  world.poll();
  for (int thrice = 0; thrice < 3; ++thrice) {
    Bytes before = neighbor({});
    EXPECT_EQ(next(before), "answer");
    world.board->slot(kBoth).term.store(0);
  }
  Bytes claim = frame(Advert{});
  EXPECT_EQ(next(claim), "taken");
  Bytes after = neighbor({});
  EXPECT_EQ(next(after), "no_lease");
}

TEST_F(Burst, NoSlotAnswersForAnother) {
  world.view.terms[kTagged.value()] = Term{};
  Bytes tagged = arp(kTaggedArp, {.tag = 20});
  Bytes plain = arp({});
  EXPECT_EQ(next(plain), "answer");
  EXPECT_EQ(next(tagged), "not_master");
}

}  // namespace
}  // namespace koi::dataplane::burst_test
