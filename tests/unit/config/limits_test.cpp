#include <algorithm>
#include <chrono>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "config/load.h"
#include "tests/support/sample.h"
#include "tests/unit/config/config_files.h"

// As large as a configuration may be: all vhids on 16 VLANs, all slots in balanced groups.

namespace koi::config::testing::limits_test {
namespace {

constexpr int kVlans = 16;

std::string head() {
  std::string text =
      "node: a\nnode-id: 1\ndataplane: {worker-cores: [1]}\nports:\n  lan:\n    device: net_tap0\n"
      "    vlans:\n";
  for (int vlan = 1; vlan <= kVlans; ++vlan) {
    text += fmt::format("      {}: {{addresses: [10.{}.0.1/16]}}\n", vlan, vlan);
  }
  return text + "groups:\n";
}

TEST(Limits, AllVhidsOnSixteenVlansLoadWellUnderASecond) {
  const TempDir dir;
  dir.write("key", "long enough");
  std::string text = head();
  for (int vlan = 1; vlan <= kVlans; ++vlan) {
    for (int vhid = 1; vhid <= 255; ++vhid) {
      text += fmt::format(
          "  g{0}-{1}: {{port: lan, vlan: {0}, vhid: {1}, key-file: /key, addresses: "
          "[10.{0}.1.{1}, \"fd00:{0}::{1:x}\"]}}\n",
          vlan, vhid);
    }
  }
  const auto start = std::chrono::steady_clock::now();
  const Loaded loaded = load_text(dir, text);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(lines(loaded.errors), "");
  EXPECT_EQ(loaded.config.groups.size(), 4080U);
  RecordProperty("seconds", std::to_string(took.count()));
#ifdef __OPTIMIZE__
  if (test::kStride == 1) {  // a sanitizer is allowed more
    EXPECT_LT(took.count(), 1.0);
  }
#endif
}

TEST(Limits, NoMoreMembersThanSlots) {
  const TempDir dir;
  dir.write("key", "long enough");
  std::string text = head();
  // 127 groups of 32 and one of 16, that is 4,080 on the 16 VLANs; then as many more as are asked.
  const auto group = [&](const std::string& name, int vlan, int first, int count) {
    text += fmt::format(
        "  {}: {{port: lan, vlan: {}, key-file: /key, addresses: [10.{}.1.{}], "
        "balance: {{members: [",
        name, vlan, vlan, first);
    for (int vhid = first; vhid < first + count; ++vhid) text += fmt::format("{{vhid: {}}},", vhid);
    text += "]}}\n";
  };
  for (int vlan = 1; vlan <= kVlans; ++vlan) {
    for (int first = 1; first <= 255; first += 32) {
      group(fmt::format("g{}-{}", vlan, first), vlan, first, std::min(32, 256 - first));
    }
  }
  text.replace(text.find("    vlans:\n"), 11, "    addresses: [10.99.0.1/16]\n    vlans:\n");
  const auto with_more = [&](int more) {
    std::string all = text;
    all += "  more: {port: lan, key-file: /key, addresses: [10.99.0.2], balance: {members: [";
    for (int vhid = 1; vhid <= more; ++vhid) all += fmt::format("{{vhid: {}}},", vhid);
    return lines(load_text(dir, all + "]}}\n").errors);
  };
  EXPECT_EQ(with_more(16), "");
  EXPECT_EQ(with_more(17),
            "t.yaml:25:1: groups: has 4097 virtual hosts, members of balanced groups counted; "
            "allowed: at most 4096\n");
}

}  // namespace
}  // namespace koi::config::testing::limits_test
