#include "config/load.h"

#include <array>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/support/sample.h"
#include "tests/unit/config/config_files.h"

namespace koi::config::testing::load_test {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kSmall =
    "dataplane: {worker-cores: [1]}\n"
    "ports: {lan: {device: net_null0, addresses: [192.0.2.2/24]}}\n"
    "groups: {g: {port: lan, vhid: 1, key-file: /key, addresses: [192.0.2.1]}}\n";

TEST(Load, NodeIsTheHostNameUnlessGiven) {
  const TempDir dir;
  dir.write("key", "long enough");
  std::array<char, 256> host{};
  ASSERT_EQ(::gethostname(host.data(), host.size() - 1), 0);
  const std::string path = dir.write("t.yaml", kSmall);
  const Loaded loaded = load(path, {dir.path().string(), ""});
  EXPECT_EQ(loaded.config.node, host.data());
  EXPECT_EQ(loaded.config.node_id, node_id_of(host.data()));

  const Loaded bad = load(path, {dir.path().string(), "bad host name"});
  ASSERT_EQ(bad.errors.size(), 1U);
  EXPECT_EQ(bad.errors[0].key, "node");
}

TEST(Load, KeyFilesAreTakenFromTheirNames) {
  const TempDir dir;
  const std::string key = dir.write("key", "long enough\n");
  std::string text(kSmall);
  text.replace(text.find("/key,"), 4, key);
  const Loaded loaded = load(dir.write("t.yaml", text));
  ASSERT_EQ(lines(loaded.errors), "");
  EXPECT_EQ(loaded.config.groups[0].key_file, key);
  EXPECT_EQ(loaded.config.groups[0].key.bytes().size(), 11U);
}

TEST(Load, ConfigsThatDifferAreNotEqual) {
  const TempDir dir;
  dir.write("key", "long enough");
  const Config config = load_text(dir, kSmall).config;
  EXPECT_TRUE(config == load_text(dir, kSmall).config);
  dir.write("key", "long enougH");  // a rotated key under the same name
  EXPECT_FALSE(config == load_text(dir, kSmall).config);
}

TEST(Load, NoMoreGroupsThanSlots) {
  const TempDir dir;
  for (const std::size_t count : {kMaxSlots, kMaxSlots + 1}) {
    std::string text = "node-id: 1\ngroups:\n";
    for (std::size_t i = 0; i < count; ++i) text += "  g" + std::to_string(i) + ": {}\n";
    const std::string all = lines(load_text(dir, text).errors);
    EXPECT_EQ(
        all.find("t.yaml:2:1: groups: has 4097 groups; allowed: 1 to 4096") != std::string::npos,
        count > kMaxSlots);
  }
}

// Whatever stands in the file, load() returns, and what it accepts prints and loads again.
void expect_sane(const TempDir& dir, const std::string& text) {
  const Loaded loaded = load_text(dir, text);
  for (const Problem& problem : loaded.errors) {
    EXPECT_FALSE(problem.text.empty());
    EXPECT_TRUE(problem.key.empty() || problem.line > 0) << problem.to_string();
  }
  if (!loaded.ok()) return;
  const std::string printed = print(loaded.config);
  const Loaded again = load_text(dir, printed);
  EXPECT_EQ(lines(again.errors), "") << text;
  EXPECT_TRUE(again.config == loaded.config) << text;
  EXPECT_EQ(print(again.config), printed);
}

TEST(Load, EveryPrefixAndManyMutationsAreSane) {
  const TempDir dir;
  dir.write("keys/good", "long enough");
  for (const char* key : {"other", "hex", "short"})
    dir.write(std::string("keys/") + key, "longer!!");
  const std::string text = read_file(source_root() / "tests/config/02-everything.in.yaml");
  ASSERT_FALSE(text.empty());
  for (std::size_t n = 0; n < text.size(); n += test::kStride) expect_sane(dir, text.substr(0, n));
  constexpr std::string_view kHostile = "[]{}:,-?&*!|>%@`\"'#\\\n\t \0\xff~0"sv;
  for (std::size_t i = 0; i < text.size(); i += test::kStride) {
    std::string changed = text;
    changed[i] = kHostile[i % kHostile.size()];
    expect_sane(dir, changed);
    changed.erase(i, 1);
    expect_sane(dir, changed);
  }
}

}  // namespace
}  // namespace koi::config::testing::load_test
