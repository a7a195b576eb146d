#include "controlplane/app/captures.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/pcapng.h"
#include "tests/support/fake_clock.h"
#include "tests/support/lab_config.h"

namespace koi::app::captures_test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

/// Made with Python's struct from the draft's figures, and read by tcpdump and Scapy.
TEST(Pcapng, IsAsTheDraftHasIt) {
  using namespace std::chrono_literals;
  EXPECT_EQ(hex(pcapng::beginning("koid 9", "lan", "net_tap0", 256)),
            "0a0d0d0a2c0000004d3c2b1a01000000ffffffffffffffff040006006b6f69642039000000000000"
            "2c00000001000000340000000100000000010000020003006c616e00030008006e65745f74617030"
            "09000100090000000000000034000000");
  const std::string bytes = "\x01\x02\x03\x04\x05";
  std::string file;
  constexpr pcapng::Time kAt{1'763'884'800'123'456'789};
  pcapng::append_frame(file, kAt,
                       {.at = {},
                        .direction = CaptureDirection::out,
                        .length = 60,
                        .bytes = std::as_bytes(std::span(bytes))});
  EXPECT_EQ(hex(file),
            "060000003400000000000000e1937a1815cd1158050000003c000000010203040500000002000400"
            "020000000000000034000000");
  file.clear();
  pcapng::append_statistics(file, kAt - 1s, kAt, 7, 2);
  EXPECT_EQ(hex(file),
            "050000004c00000000000000e1937a1815cd115802000800e1937a181503771c03000800e1937a18"
            "15cd1158040008000700000000000000050008000200000000000000000000004c000000");
}

/// The packet side, with frames of the test's.
class FakeSource final : public CaptureSource {
 public:
  Status begin(const CaptureWanted& w) override {
    if (!refusal.empty()) return Error{refusal};
    wanted = w;
    running = true;
    return Done{};
  }
  void end() override { running = false; }
  bool idle() override {
    ++asked;
    return !running && !hangs;
  }
  void take(const std::function<bool(const CapturedFrame&)>& taker) override {
    while (!frames.empty()) {
      const std::string bytes = frames.front();
      frames.pop_front();
      const bool more = taker({.at = Instant(now),
                               .direction = CaptureDirection::in,
                               .length = static_cast<std::uint32_t>(bytes.size()),
                               .bytes = std::as_bytes(std::span(bytes))});
      if (!more) return;
    }
  }
  CaptureMisses misses() const override { return {.budget = 3, .full = 2}; }

  std::string refusal;
  bool running = false;
  bool hangs = false;
  int asked = 0;  // whether it is idle
  Duration now{1s};
  std::optional<CaptureWanted> wanted;
  std::deque<std::string> frames;
};

class CapturesTest : public ::testing::Test {
 protected:
  CapturesTest() {
    snapshot.config = &config;
    snapshot.plan = &plan;
    snapshot.clock = &clock;
  }

  /// The refusal, or "" and stream_ is there, begun.
  std::string ask(const json& request) {
    Answer answer = captures.begin(json::parse(request.dump()), "koictl by uid 7");
    if (auto* reply = std::get_if<std::string>(&answer)) return json::parse(*reply)["error"];
    stream = std::move(std::get<Stream>(answer));
    const Part part = stream(0, false);
    if (part.last) {
      stream = nullptr;
      return json::parse(part.bytes)["error"];
    }
    read(part.bytes);
    return {};
  }
  Part next(std::size_t unread = 0, bool asked_to_end = false) {
    Part part = stream(unread, asked_to_end);
    read(part.bytes);
    if (part.last) stream = nullptr;
    return part;
  }
  /// As koictl does.
  void read(const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t line = bytes.find('\n', at);
      ASSERT_NE(line, std::string::npos);
      last = json::parse(bytes.substr(at, line - at));
      const std::size_t size = last.value("bytes", 0U);
      file += bytes.substr(line + 1, size);
      at = line + 1 + size;
    }
  }
  std::size_t blocks(std::uint32_t type) const {
    std::size_t count = 0;
    for (std::size_t at = 0; at < file.size();) {
      std::uint32_t head[2];
      std::memcpy(head, file.data() + at, sizeof head);
      count += head[0] == type;
      at += head[1];
    }
    return count;
  }

  config::Config config = test::two_port_box(2);
  controlplane::Plan plan =
      controlplane::make_plan(config, {test::port_facts(), test::port_facts()});
  test::FakeClock clock;
  Snapshot snapshot;
  FakeSource source;
  Captures captures{&source, snapshot};
  Stream stream;
  std::string file;
  json last;
};

TEST_F(CapturesTest, RefusesWhatItCannotDoAndSaysWhatItCan) {
  EXPECT_THAT(ask({{"port", "dmz"}}), HasSubstr("no port \"dmz\"; there are lan, wan"));
  EXPECT_THAT(ask({{"group", "x\ny"}}), HasSubstr("no group \"x?y\"; there are lan-gateway, wan-"));
  EXPECT_THAT(ask({{"port", 3}}), HasSubstr("is the name of a port"));
  EXPECT_THAT(ask(json::object()), HasSubstr("either \"port\" or \"group\""));
  EXPECT_THAT(ask({{"port", "lan"}, {"group", "lan-gateway"}}), HasSubstr("either"));
  const auto with = [](const char* key, json value) {
    return json{{"port", "lan"}, {key, std::move(value)}};
  };
  for (const json& bad : {json(0), json(-1), json(1.5), json("9"), json(10'000'001)}) {
    EXPECT_THAT(ask(with("count", bad)), HasSubstr("1 to 10000000")) << bad;
  }
  for (const json& bad : {json(15), json(9217), json(nullptr)}) {
    EXPECT_THAT(ask(with("snaplen", bad)), HasSubstr("16 to 9216")) << bad;
  }
  for (const json& bad : {json(0), json(-3), json(3601), json("1")}) {
    EXPECT_THAT(ask(with("seconds", bad)), HasSubstr("3600 at most")) << bad;
  }
  EXPECT_THAT(ask(with("bytes", 0)), HasSubstr("\"bytes\""));
  EXPECT_FALSE(source.wanted);
  source.refusal = "the driver takes no callback";
  EXPECT_EQ(ask({{"port", "lan"}}), source.refusal);
  source.refusal.clear();
  EXPECT_EQ(ask({{"port", "lan"}}), "");  // none of these is in the way of the next
}

TEST_F(CapturesTest, OneAtATimeAndTheSecondIsToldWhose) {
  EXPECT_EQ(ask({{"port", "wan"}}), "");
  EXPECT_THAT(ask({{"port", "lan"}}), HasSubstr("koictl by uid 7 captures port wan since"));
  EXPECT_TRUE(source.running);
  stream = nullptr;  // the client is gone
  EXPECT_FALSE(source.running);
  const int before = source.asked;
  captures.update();
  EXPECT_GT(source.asked, before);  // its memory comes back without a next one
  EXPECT_EQ(ask({{"port", "lan"}}), "");
}

TEST_F(CapturesTest, WaitsForTheWorkersToLeaveTheOneBefore) {
  EXPECT_EQ(ask({{"port", "wan"}}), "");
  source.hangs = true;
  next(0, true);
  Answer answer = captures.begin({{"port", "lan"}}, "x");
  stream = std::move(std::get<Stream>(answer));
  EXPECT_TRUE(next().bytes.empty());
  EXPECT_FALSE(source.running);
  source.hangs = false;
  EXPECT_FALSE(next().bytes.empty());
  EXPECT_TRUE(source.running);
}

TEST_F(CapturesTest, WhatIsCapturedOfAGroup) {
  config.groups[1].addresses.emplace_back(test::ip6("2001:db8::7"));
  config.groups[1].addresses.insert(config.groups[1].addresses.begin(),
                                    IpAddress(test::ip4("198.51.100.99")));
  config.groups[1].previous_addresses.emplace_back(test::ip4("198.51.100.50"));
  EXPECT_EQ(ask({{"group", "wan-gateway"}, {"snaplen", 64}}), "");
  EXPECT_EQ(source.wanted->port, PortIndex(1));
  EXPECT_EQ(source.wanted->snaplen, 64);
  const CaptureFilter& filter = source.wanted->filter;
  EXPECT_FALSE(filter.all);
  EXPECT_EQ(filter.vhids.count(), 1U);
  EXPECT_TRUE(filter.vhids[2]);
  EXPECT_THAT(filter.ipv4, ElementsAre(test::ip4("198.51.100.10"), test::ip4("198.51.100.50"),
                                       test::ip4("198.51.100.99")));
  EXPECT_THAT(filter.ipv6, ElementsAre(test::ip6("2001:db8::7")));
}

TEST_F(CapturesTest, OfAGroupOnAVlanWhatHasItsTag) {
  config.ports[1].vlans[VlanId(20)].addresses = {{test::ip4("203.0.113.2"), 24}};
  config.groups[1].vlan = VlanId(20);
  plan = controlplane::make_plan(config, {test::port_facts(), test::port_facts()});
  EXPECT_EQ(ask({{"group", "wan-gateway"}}), "");
  EXPECT_EQ(source.wanted->filter.vlan, VlanId(20));
}

TEST_F(CapturesTest, SendsWhatComesUntilTheClientHasEnough) {
  EXPECT_EQ(ask({{"port", "lan"}}), "");
  EXPECT_TRUE(next().bytes.empty());
  source.frames = {"frame one", "frame two"};
  EXPECT_FALSE(next().last);
  EXPECT_EQ(blocks(6), 2U);
  source.frames = {"frame three"};  // copied before it ended
  EXPECT_TRUE(next(0, true).last);
  EXPECT_EQ(blocks(6), 3U);
  EXPECT_EQ(blocks(5), 1U);
  EXPECT_EQ(last["ended"], "asked");
  EXPECT_EQ(last["captured"], 3);
  EXPECT_EQ(last["dropped"], json({{"budget", 3}, {"ring_full", 2}, {"reader", 0}}));
  EXPECT_FALSE(source.running);
}

TEST_F(CapturesTest, NoFrameMoreThanCount) {
  EXPECT_EQ(ask({{"port", "lan"}, {"count", 3}}), "");
  source.frames.assign(10, "a frame");
  EXPECT_TRUE(next().last);
  EXPECT_EQ(blocks(6), 3U);
  EXPECT_EQ(last["ended"], "count");
}

TEST_F(CapturesTest, NoByteMoreThanBytes) {
  EXPECT_EQ(ask({{"port", "lan"}, {"bytes", 1000}}), "");
  source.frames.assign(100, std::string(100, 'x'));
  EXPECT_TRUE(next().last);
  EXPECT_EQ(last["ended"], "bytes");
  EXPECT_GT(blocks(6), 3U);
  EXPECT_LE(file.size(), 1000U + 80);  // and the statistics
}

TEST_F(CapturesTest, NoLongerThanSeconds) {
  EXPECT_EQ(ask({{"port", "lan"}, {"seconds", 0.02}}), "");
  const auto began = std::chrono::steady_clock::now();
  while (!next().last) {
  }
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(last["ended"], "seconds");
  EXPECT_GE(took, 15ms);
}

TEST_F(CapturesTest, NeverWaitsForAClientThatDoesNotRead) {
  EXPECT_EQ(ask({{"port", "lan"}}), "");
  source.frames.assign(5, "a frame");
  EXPECT_TRUE(next(2'000'000).bytes.empty());
  source.frames.assign(4, "a frame");
  next(0);
  EXPECT_TRUE(next(2'000'000, true).last);
  EXPECT_EQ(last["captured"], 4);
  EXPECT_EQ(last["dropped"]["reader"], 5);
}

TEST_F(CapturesTest, KoidsEndIsItsEnd) {
  EXPECT_EQ(ask({{"port", "lan"}}), "");
  captures.shut_down();
  EXPECT_TRUE(next().last);
  EXPECT_EQ(last["ended"], "shutdown");
}

TEST_F(CapturesTest, TimesAreTheWallClocks) {
  EXPECT_EQ(ask({{"port", "lan"}}), "");
  file.clear();
  source.now = clock.time.time_since_epoch() - 2s;
  source.frames = {"frame"};
  next();
  std::uint32_t words[5];
  std::memcpy(words, file.data(), sizeof words);
  const auto at = std::chrono::nanoseconds((std::uint64_t{words[3]} << 32) | words[4]);
  const auto age = std::chrono::system_clock::now().time_since_epoch() - at;
  EXPECT_GE(age, 2s);
  EXPECT_LT(age, 12s);
}

}  // namespace
}  // namespace koi::app::captures_test
