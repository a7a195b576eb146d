#include <gtest/gtest.h>

#include "config/load.h"
#include "tests/unit/config/config_files.h"

namespace koi::config::testing::examples_test {
namespace {

namespace fs = std::filesystem;

TEST(Examples, AllLoadWithoutAWarningAndPrintThemselves) {
  const TempDir dir;
  for (const char* key : {"lan", "management", "office", "servers", "servers-old", "lab", "ucarp",
                          "uplink", "openbsd"}) {
    dir.write(std::string("etc/koi/") + key + ".key", std::string("the key of ") + key[0] + "\n");
  }
  dir.write("etc/koi/lan.hash", "the key of the hash\n");
  dir.write("etc/koi/lan.sig", "hex:" + std::string(32, '5') + std::string(32, 'a') + "\n");
  const LoadOptions options{dir.path().string(), "test-box"};
  int examples = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(source_root() / "config" / "examples")) {
    if (entry.path().extension() != ".yaml") continue;  // a folder, or another program's
    SCOPED_TRACE(entry.path().string());
    ++examples;
    const Loaded loaded = load(entry.path().string(), options);
    EXPECT_EQ(lines(loaded.errors), "");
    EXPECT_EQ(lines(loaded.warnings), "");
    const std::string printed = print(loaded.config);
    const Loaded again = load(dir.write("printed.yaml", printed), options);
    EXPECT_EQ(lines(again.errors), "");
    EXPECT_TRUE(again.config == loaded.config);
    EXPECT_EQ(print(again.config), printed);
  }
  EXPECT_GE(examples, 11);
}

TEST(Examples, FastIsWhatItSays) {
  const TempDir dir;
  dir.write("etc/koi/lan.key", "0123456789abcdefghi\n");
  const Loaded loaded =
      load((source_root() / "config/examples/fast.yaml").string(), {dir.path().string(), ""});
  ASSERT_EQ(lines(loaded.errors), "");
  ASSERT_EQ(loaded.config.groups.size(), 1U);
  const Group& group = loaded.config.groups[0];
  EXPECT_EQ(group.advbase, 0);
  EXPECT_EQ(group.advskew, 2);
  EXPECT_EQ(group.lowest_advskew, 1);
  EXPECT_EQ(group.key.bytes().size(), 19U);
  EXPECT_EQ(group.addresses[0].to_string(), "192.0.2.1");
  EXPECT_EQ(loaded.config.dataplane.idle, Idle::poll);
  EXPECT_EQ(loaded.config.node_id, NodeId(2));
}

Config example(const TempDir& dir, const std::string& name) {
  dir.write("etc/koi/lan.hash", "the key of the hash\n");
  for (const char* key : {"lan", "openbsd"}) {
    dir.write(std::string("etc/koi/") + key + ".key", "0123456789abcdefghi\n");
  }
  Loaded loaded =
      load((source_root() / "config/examples" / name).string(), {dir.path().string(), ""});
  EXPECT_EQ(lines(loaded.errors), "");
  return loaded.config;
}

TEST(Examples, OthersAreWhatTheySay) {
  const TempDir dir;
  const Config balanced = example(dir, "balanced.yaml");
  ASSERT_TRUE(balanced.groups.at(0).balance);
  EXPECT_EQ(balanced.groups[0].balance->hash, BalanceHash::siphash);
  EXPECT_EQ(balanced.groups[0].balance->members,
            (std::vector<Member>{{Vhid(1), 0}, {Vhid(2), 100}}));

  const Config by_packet = example(dir, "balanced-ip.yaml");
  ASSERT_TRUE(by_packet.groups.at(0).balance);
  EXPECT_EQ(by_packet.groups[0].balance->mode, BalanceMode::ip);

  const Config unicast = example(dir, "unicast.yaml");
  EXPECT_FALSE(unicast.groups.at(0).multicast);
  EXPECT_EQ(unicast.groups[0].peers.size(), 2U);

  const Config openbsd = example(dir, "openbsd.yaml");
  EXPECT_EQ(openbsd.groups.at(0).dialect, Dialect::openbsd);
}

}  // namespace
}  // namespace koi::config::testing::examples_test
