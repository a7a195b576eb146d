#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "config/load.h"
#include "tests/unit/config/config_files.h"

// tests/config/NAME.in.yaml is loaded; NAME.ok is its canonical print, or NAME.err its problems;
// NAME.warn, if there is one, its warnings. KOI_UPDATE_GOLDEN=1 rewrites them: read the difference.

namespace koi::config::testing::golden_test {
namespace {

namespace fs = std::filesystem;

fs::path golden_dir() { return source_root() / "tests" / "config"; }

std::vector<std::string> golden_names() {
  constexpr std::string_view kSuffix = ".in.yaml";
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(golden_dir(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kSuffix)) names.push_back(name.substr(0, name.size() - kSuffix.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// The key files that the goldens name, below the directory.
void write_keys(const TempDir& dir) {
  using std::string_view_literals::operator""sv;
  dir.write("keys/good", "carp on the wire\n");
  dir.write("keys/other", "another fine key");
  dir.write("keys/hex", "hex:000102030405060708090a0b0c0d0e0f10111213\n");
  dir.write("keys/hex-short", "hex:000102");
  dir.write("keys/empty", "\n");
  dir.write("keys/sign", "0123456789abcdef0123456789abcdef");
  dir.write("keys/sign-hex", "hex:" + std::string(64, 'a') + std::string(64, '5') + "\n");
  dir.write("keys/sign-hex-short", "hex:" + std::string(62, 'a'));
  dir.write("keys/sign-long", std::string(32, 'a') + std::string(33, 'b'));
  dir.write("keys/sign-repeated", std::string(32, 'a'));
  dir.write("keys/long", "12345678901234567890\n");
  dir.write("keys/nul", "with a\0 inside"sv);
  dir.write("keys/short", "seven77");
  dir.write("keys/repeated", "xxxxxxxxxx");
  dir.write("keys/guessed", "Password");
  dir.write("keys/open", "carp on the wire\n", 0640);
  fs::create_symlink(dir.path() / "keys/good", dir.path() / "keys/link");
  fs::create_directory(dir.path() / "keys/directory");
}

void compare(const fs::path& golden, const std::string& seen) {
  if (std::getenv("KOI_UPDATE_GOLDEN") != nullptr) {
    if (seen.empty()) {
      fs::remove(golden);
    } else {
      std::ofstream(golden, std::ios::binary) << seen;
    }
  }
  EXPECT_EQ(seen, fs::exists(golden) ? read_file(golden) : "") << golden;
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, LoadsAsWrittenDown) {
  const TempDir dir;
  write_keys(dir);
  const fs::path base = golden_dir() / GetParam();
  const LoadOptions options{dir.path().string(), "test-box"};
  const Loaded loaded = load(base.string() + ".in.yaml", options);

  compare(base.string() + ".err", lines(loaded.errors));
  compare(base.string() + ".warn", lines(loaded.warnings));
  compare(base.string() + ".ok", loaded.ok() ? print(loaded.config) : "");
  if (!loaded.ok()) return;

  const std::string printed = print(loaded.config);
  const Loaded again = load(dir.write("printed.yaml", printed), options);
  EXPECT_EQ(lines(again.errors), "");
  EXPECT_TRUE(again.config == loaded.config);
  EXPECT_EQ(print(again.config), printed);
  for (const char* key : {"carp on", "another fine", "00010203", "seven77"}) {
    EXPECT_EQ(printed.find(key), std::string::npos) << "key bytes printed";
  }
}

INSTANTIATE_TEST_SUITE_P(Config, Golden, ::testing::ValuesIn(golden_names()),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Goldens, AreThere) { EXPECT_GE(golden_names().size(), 20U) << golden_dir(); }

// A problem that goes nowhere, or that nobody looks at, is not tested.
TEST(Goldens, EachResultHasItsInput) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(golden_dir(), error)) {
    const fs::path path = entry.path();
    if (path.extension() == ".yaml") continue;
    EXPECT_TRUE(fs::exists(golden_dir() / (path.stem().string() + ".in.yaml"))) << path;
  }
}

}  // namespace
}  // namespace koi::config::testing::golden_test
