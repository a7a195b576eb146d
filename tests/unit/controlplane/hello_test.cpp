// The exchange of hellos: CARP.md §21. Frames and digests were made by Python's hmac and struct.
#include "controlplane/hello.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/view_builder.h"
#include "tests/support/lab_config.h"
#include "tests/unit/common/test_bytes.h"

namespace koi::controlplane::hello_exchange_test {
namespace {

using test::from_hex;
using test::ip4;
using test::ip6;
using test::secret;
using test::to_hex;

constexpr std::uint64_t kSequence = 0x6b49d20080000007;
constexpr MacAddress kPeerMac = mac_from({2, 0, 0, 0, 0, 0x99});
constexpr SlotIndex kGroup{0};

config::Group signed_group(config::TrailerMode mode = config::TrailerMode::enforce) {
  config::Group group = test::lan_group();
  group.trailer = {
      .mode = mode,
      .key = config::TrailerKey{.file = "a", .id = 3, .key = secret(std::string(32, 'k'))}};
  return group;
}

std::vector<HelloPlan> plans_of(const config::Group& group, config::Config config) {
  config.groups = {group};
  return make_plan(config, {test::port_facts()}).hellos;
}
std::vector<HelloPlan> plans_of(const config::Group& group) {
  return plans_of(group, test::lan_box(2));
}

// ---- what it says ------------------------------------------------------------------------------

// C21.2 kept, C21.3 kept, C21.5 kept
TEST(HelloFrame, GoldenOverIpv4) {
  const HelloPlan plan = plans_of(signed_group()).at(0);
  const wire::Hello hello{.vhid = plan.vhid,
                          .node = NodeId(2),
                          .facts = plan.facts,
                          .demotion = 4,
                          .asks = true,
                          .masters = 0,
                          .backups = 1,
                          .version = wire::version_text("0.1.0")};
  const TransmitFrame frame = hello_frame(plan, hello, kSequence, ip4("192.0.2.1"), kPeerMac);
  EXPECT_EQ(frame.kind, FrameKind::own);
  EXPECT_EQ(to_hex(std::span(frame.bytes).first(frame.length)),
            to_hex(from_hex("020000000099020000000001080045c0007800074000ff11f6a9c0000202c0000201"
                            "250625060064fa21"
                            "6b6f69480101000000020101030004010000000000000001"
                            "58b4d1ecf47507cd48a059618fbd66a50000000000000000"
                            "302e312e300000000000000000000000"
                            "010300006b49d20080000007f9aa1259453bd1f534dbc4c9c2256b3c")));
}

TEST(HelloFrame, GoldenOverIpv6) {
  config::Config config = test::dual_stack_box(2);
  config::Group group = signed_group();
  group.addresses = {ip6("2001:db8::10")};
  config.ports[0].addresses.erase(config.ports[0].addresses.begin());
  const HelloPlan plan = plans_of(group, config).at(0);
  EXPECT_EQ(plan.family, Family::ipv6);
  const wire::Hello hello{.vhid = plan.vhid,
                          .node = NodeId(2),
                          .facts = plan.facts,
                          .demotion = 0,
                          .asks = false,
                          .masters = 1,
                          .backups = 0,
                          .version = wire::version_text("0.1.0")};
  const TransmitFrame frame = hello_frame(plan, hello, kSequence, ip6("fe80::99"), kPeerMac);
  EXPECT_EQ(to_hex(std::span(frame.bytes).first(frame.length)),
            to_hex(from_hex("02000000009902000000000186dd6c000000006411ff"
                            "fe80000000000000000000fffe000001fe800000000000000000000000000099"
                            "2506250600640faa"
                            "6b6f69480101000000020101030000000000000100000000"
                            "ad9be013bc78c4d148a059618fbd66a50000000000000000"
                            "302e312e300000000000000000000000"
                            "010300006b49d20080000007c2212a511492b4df629c61d15ea2ff12")));
}

// C21.6 kept
TEST(HelloFacts, GoldenDigests) {
  config::Group group = test::lan_group();
  group.addresses = {ip4("192.0.2.200"), ip6("2001:db8::10"), ip4("192.0.2.10"), ip4("192.0.2.10"),
                     ip4("10.0.0.1")};
  EXPECT_EQ(to_hex(facts_of(group).addresses), "fc2459bf9324a5f2");
  EXPECT_EQ(to_hex(facts_of(group).hash), "0000000000000000");
  config::Balance& balance = group.balance.emplace();
  balance.members = {{Vhid(2), 0}, {Vhid(5), 100}, {Vhid(9), 0}};
  EXPECT_EQ(facts_of(group).members, 3);
  EXPECT_EQ(to_hex(facts_of(group).vhids), "977c997a38ceed72");
  balance.hash = config::BalanceHash::openbsd;
  EXPECT_EQ(to_hex(facts_of(group).hash), "b74bf1621529341f");
  balance.hash = config::BalanceHash::freebsd;
  EXPECT_EQ(to_hex(facts_of(group).hash), "1d29be96541cbff5");
  balance.hash = config::BalanceHash::siphash;
  balance.by = config::HashBy::ip;
  EXPECT_EQ(to_hex(facts_of(group).hash), "42d597a6be800c7e");
  balance.mode = config::BalanceMode::ip;
  EXPECT_EQ(to_hex(facts_of(group).hash), "adeb0dac9812e5a2");
  balance.mode = config::BalanceMode::ip_unicast;
  EXPECT_EQ(to_hex(facts_of(group).hash), "85dda7669ae9f1fd");
}

// ---- to whom and when --------------------------------------------------------------------------

/// One group, a clock and a box around it.
class Exchange : public ::testing::Test {
 protected:
  explicit Exchange(const config::Group& group = signed_group())
      : exchange(NodeId(2),
                 {.self = [this](const HelloPlan&) -> std::optional<HelloExchange::Self> {
                    if (!link) return std::nullopt;
                    return HelloExchange::Self{.masters = 0, .backups = 1, .demotion = 0};
                  },
                  .mac = [this](const HelloPlan&, const IpAddress&) { return resolved; },
                  .sequence = [this] { return ++sequence; }}) {
    exchange.follow(plans_of(group), now);
  }

  /// Destinations of all hellos until then, each with its moment in ms and '?' where it asks.
  std::string sent_within(Duration time) {
    const Instant begin = now;
    std::string text;
    for (; now <= begin + time; now += 1ms) {
      const auto due = exchange.due(now);
      if (!due || !due->frame) continue;
      const TransmitFrame& frame = *due->frame;
      EXPECT_EQ(frame.not_after, now + HelloExchange::kFrameLasts);
      last_mac = MacAddress{{frame.bytes[0], frame.bytes[1], frame.bytes[2], frame.bytes[3],
                             frame.bytes[4], frame.bytes[5]}};
      const bool asks = frame.bytes[14 + 20 + 8 + 15] == std::byte{1};
      text += std::to_string(std::to_integer<unsigned>(frame.bytes[33])) + (asks ? "?@" : "@") +
              std::to_string((now - begin) / 1ms) + " ";
    }
    return text;
  }

  HelloHeard hello(unsigned node, std::uint64_t number) const {
    HelloHeard heard;
    heard.slot = kGroup;
    heard.node = NodeId(static_cast<std::uint16_t>(node));
    heard.source = Ipv4Address::from_u32(0xc0000200U | node);
    heard.source_mac = mac_from({2, 0, 0, 0, 1, static_cast<std::uint8_t>(node)});
    heard.sequence = number;
    heard.backups = 1;
    return heard;
  }
  HelloVerdict hear(const HelloHeard& heard, std::uint64_t oldest = 0) {
    last = *exchange.on_hello(heard, oldest, now);
    return last.verdict;
  }

  Instant now{Duration(100s)};
  bool link = true;
  std::optional<MacAddress> resolved{};
  std::uint64_t sequence = 1000;
  MacAddress last_mac{};
  HelloExchange::Taken last{};
  HelloExchange exchange;
};

// C21.8 kept
TEST_F(Exchange, NobodyIsToldUntilSomebodyIsHeard) {
  EXPECT_EQ(exchange.next_due(), Instant::max());
  EXPECT_EQ(sent_within(30s), "");
  // The MASTER's advertisement: asked at once, at the MAC it came from, then every 10 s.
  const MacAddress vmac = virtual_mac(Vhid(1));
  const auto found = exchange.on_advertisement(kGroup, ip4("192.0.2.3"), vmac, now);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->heard, Instant{});
  EXPECT_FALSE(exchange.on_advertisement(kGroup, ip4("192.0.2.3"), vmac, now).has_value());
  EXPECT_EQ(exchange.next_due(), now);
  EXPECT_EQ(sent_within(15s), "3?@0 3?@10000 ");
  EXPECT_EQ(last_mac, vmac);
  // Its hello has its own MAC.
  EXPECT_EQ(hear(hello(3, 1)), HelloVerdict::accepted);
  EXPECT_EQ(sent_within(10s), "3@4999 ");
  EXPECT_EQ(last_mac, hello(3, 1).source_mac);
}

// C21.8 kept
TEST_F(Exchange, WhoAsksIsAnsweredAtOnceButNotMoreThanOnceASecond) {
  HelloHeard asking = hello(3, 1);
  asking.asks = true;
  EXPECT_EQ(hear(asking), HelloVerdict::accepted);
  ASSERT_TRUE(last.report.has_value());
  EXPECT_EQ(last.report->node, NodeId(3));
  EXPECT_EQ(last.report->heard, now);
  EXPECT_EQ(sent_within(100ms), "3@0 ");
  for (std::uint64_t n = 2; n < 50; ++n) {
    asking.sequence = n;
    EXPECT_EQ(hear(asking), HelloVerdict::accepted);
  }
  EXPECT_EQ(sent_within(5s), "3@899 ");
}

TEST_F(Exchange, AChangeOfRoleIsToldSoon) {
  EXPECT_EQ(hear(hello(3, 1)), HelloVerdict::accepted);
  EXPECT_EQ(sent_within(2s), "3@0 ");
  exchange.changed(kGroup, now);
  exchange.changed(kGroup, now);
  EXPECT_EQ(sent_within(5s), "3@1000 ");
}

// C21.1 kept, C21.9 kept, C21.9 refused
TEST_F(Exchange, ReplaysAndStrangersOfLongAgoAreRefused) {
  EXPECT_EQ(hear(hello(3, 50), 51), HelloVerdict::clock);
  EXPECT_EQ(hear(hello(3, 51), 51), HelloVerdict::accepted);
  EXPECT_EQ(hear(hello(3, 51), 51), HelloVerdict::old);
  EXPECT_EQ(hear(hello(3, 50), 0), HelloVerdict::old);
  EXPECT_FALSE(last.report.has_value());
  EXPECT_EQ(hear(hello(3, 52), 999), HelloVerdict::accepted);  // known: as late as it likes
  EXPECT_EQ(hear(hello(2, 999)), HelloVerdict::own);
  HelloHeard other = hello(3, 60);
  other.slot = SlotIndex(7);
  EXPECT_FALSE(exchange.on_hello(other, 0, now).has_value());
}

TEST_F(Exchange, WithoutLinkNothingGoesAndThenSoon) {
  link = false;
  EXPECT_EQ(hear(hello(3, 1)), HelloVerdict::accepted);
  EXPECT_EQ(sent_within(3500ms), "");
  link = true;
  EXPECT_EQ(sent_within(3s), "3@499 ");
}

// C21.8 refused
TEST_F(Exchange, SixteenPeersAndTheLongestSilentMakesRoom) {
  for (unsigned node = 101; node <= 116; ++node) {
    EXPECT_EQ(hear(hello(node, 1)), HelloVerdict::accepted);
    now += 10ms;
  }
  EXPECT_FALSE(exchange.on_advertisement(kGroup, ip4("192.0.2.9"), kPeerMac, now).has_value());
  EXPECT_FALSE(last.gone.has_value());
  EXPECT_EQ(hear(hello(117, 1)), HelloVerdict::accepted);
  ASSERT_TRUE(last.gone.has_value());
  EXPECT_TRUE(last.gone->gone);
  EXPECT_EQ(last.gone->address, IpAddress(ip4("192.0.2.101")));
  // One in 4 ms, whatever is due.
  const std::string sent = sent_within(100ms);
  EXPECT_EQ(std::count(sent.begin(), sent.end(), '@'), 16);
  EXPECT_NE(sent.find("@4 "), std::string::npos);
  EXPECT_NE(sent.find("@60 "), std::string::npos);
}

// C21.14 kept
TEST_F(Exchange, ForgottenAfterADay) {
  EXPECT_EQ(hear(hello(3, 1)), HelloVerdict::accepted);
  const Instant heard = now;
  bool gone = false;
  for (now = heard; now < heard + HelloExchange::kForgetAfter; now += 10s) {
    const auto due = exchange.due(now);
    ASSERT_TRUE(!due || !due->gone);
  }
  for (; now < heard + HelloExchange::kForgetAfter + 20s; now += 1s) {
    const auto due = exchange.due(now);
    gone = gone || (due && due->gone);
  }
  EXPECT_TRUE(gone);
  EXPECT_EQ(exchange.next_due(), Instant::max());
}

// C21.8 kept, C21.14 kept
TEST(ExchangeOfPlans, ConfiguredPeersOfTheFamilyAndOfKoiAlone) {
  config::Group group = signed_group();
  group.peers = {ip4("192.0.2.3"), ip6("2001:db8::3")};
  EXPECT_EQ(plans_of(group).at(0).peers, std::vector<IpAddress>{ip4("192.0.2.3")});
  group.trailer->mode = config::TrailerMode::permissive;
  EXPECT_TRUE(plans_of(group).at(0).signer.has_value());
  group.dialect = config::Dialect::openbsd;
  EXPECT_TRUE(plans_of(group).at(0).peers.empty());
}

// C21.7 kept, C21.7 refused
TEST(ExchangeOfPlans, ModesThatSend) {
  using config::TrailerMode;
  EXPECT_TRUE(plans_of(signed_group(TrailerMode::off)).empty());
  EXPECT_TRUE(plans_of(test::lan_group()).empty());
  EXPECT_FALSE(plans_of(signed_group(TrailerMode::receive_only)).at(0).signer.has_value());
  EXPECT_TRUE(plans_of(signed_group(TrailerMode::permissive)).at(0).signer.has_value());
  config::Group never = signed_group();
  never.trailer->hello_interval = Duration::zero();
  EXPECT_FALSE(plans_of(never).at(0).signer.has_value());
}

class ExchangeWithPeers : public Exchange {
 protected:
  static config::Group group() {
    config::Group group = signed_group();
    group.peers = {ip4("192.0.2.3"), ip4("192.0.2.4")};
    return group;
  }
  ExchangeWithPeers() : Exchange(group()) {}
};

// C21.8 kept
TEST_F(ExchangeWithPeers, ConfiguredOnesAreAskedOnceTheirMacIsKnown) {
  EXPECT_EQ(sent_within(500ms), "");
  resolved = kPeerMac;
  EXPECT_EQ(sent_within(12s), "3?@499 4?@503 3?@10499 4?@10503 ");
  EXPECT_EQ(last_mac, kPeerMac);
  EXPECT_EQ(hear(hello(3, 1)), HelloVerdict::accepted);
  // A reload without them: who was heard stays, and all are told anew.
  exchange.follow(plans_of(signed_group()), now);
  EXPECT_EQ(sent_within(5s), "3@0 ");
  EXPECT_EQ(hear(hello(3, 1)), HelloVerdict::old);
}

}  // namespace
}  // namespace koi::controlplane::hello_exchange_test
