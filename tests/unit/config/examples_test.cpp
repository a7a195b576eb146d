#include <gtest/gtest.h>

#include "config/load.h"
#include "tests/unit/config/config_files.h"

namespace koi::config::testing {
namespace {

namespace fs = std::filesystem;

TEST(Examples, AllLoadWithoutAWarningAndPrintThemselves) {
  const TempDir dir;
  for (const char* key :
       {"lan", "management", "office", "servers", "servers-old", "lab", "ucarp"}) {
    dir.write(std::string("etc/koi/") + key + ".key", std::string("the key of ") + key[0] + "\n");
  }
  const LoadOptions options{dir.path().string(), "test-box"};
  int examples = 0;
  for (const auto& entry : fs::directory_iterator(source_root() / "config" / "examples")) {
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
  EXPECT_GE(examples, 5);
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

}  // namespace
}  // namespace koi::config::testing
