#include "controlplane/app/state_file.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace koi::app {
namespace {

std::uint64_t utc_microseconds() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// C6.2 kept
TEST(StateFile, StartsAtTheWallClockAndReservesAhead) {
  const test::TemporaryFolder folder;
  const std::uint64_t before = utc_microseconds();
  const auto file = StateFile::open(folder / "state");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_GE(file.value().first_sequence(), before);
  EXPECT_LE(file.value().first_sequence(), utc_microseconds());
  EXPECT_EQ(file.value().ceiling(), file.value().first_sequence() + StateFile::kReserve);
  EXPECT_EQ(read(folder / "state"),
            "{\"ceiling\":" + std::to_string(file.value().ceiling()) + "}\n");
  struct stat info {};
  ASSERT_EQ(stat((folder / "state").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

// design.md, dialect koi: strictly above the ceiling, also when the wall clock went back.
// C6.2 refused
TEST(StateFile, StartsAboveTheCeilingWhateverTheClockSays) {
  const test::TemporaryFolder folder;
  const std::uint64_t ahead = utc_microseconds() + 3600ULL * 1'000'000;
  write(folder / "state", "{\"ceiling\":" + std::to_string(ahead) + "}\n");
  const auto file = StateFile::open(folder / "state");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file.value().first_sequence(), ahead + 1);
}

TEST(StateFile, EachStartIsAboveAllBefore) {
  const test::TemporaryFolder folder;
  std::uint64_t ceiling = 0;
  for (int start = 0; start < 5; ++start) {
    auto file = StateFile::open(folder / "state");
    ASSERT_TRUE(file.ok());
    EXPECT_GT(file.value().first_sequence(), ceiling);
    ASSERT_TRUE(file.value().reserve_more().ok());
    ceiling = file.value().ceiling();
    EXPECT_EQ(read(folder / "state"), "{\"ceiling\":" + std::to_string(ceiling) + "}\n");
  }
}

TEST(StateFile, ADamagedFileIsAnErrorThatNamesIt) {
  const test::TemporaryFolder folder;
  for (const char* text :
       {"", "rubbish", "{}", "[1]", "{\"ceiling\":-1}", "{\"ceiling\":\"7\"}", "{\"ceiling\":1.5}",
        "{\"ceiling\":9007199254740992}", "{\"ceiling\":18446744073709551614}",
        "{\"ceiling\":18446744073709551615}", "{\"ceiling\":7,\"maintenance\":true}",
        "{\"ceiling\":7,\"maintenance\":{\"owner\":\"me\"}}",
        "{\"ceiling\":7,\"maintenance\":{\"owner\":\"me\",\"since\":-1}}",
        "{\"ceiling\":7,\"maintenance\":{\"owner\":\"me\",\"since\":9000000001}}"}) {
    write(folder / "state", text);
    const auto file = StateFile::open(folder / "state");
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_NE(file.error().message.find(folder / "state"), std::string::npos);
    EXPECT_EQ(read(folder / "state"), text) << "must be left as it was";
  }
}

// Of the form that older versions wrote, and of today's: written by hand, not by us.
TEST(StateFile, ReadsMaintenance) {
  const test::TemporaryFolder folder;
  write(folder / "state", "{\"ceiling\":7}\n");
  EXPECT_FALSE(StateFile::open(folder / "state").value().maintenance().has_value());
  write(folder / "state",
        "{\"maintenance\":{\"since\":1767330909,\"owner\":\"koictl by uid 7\"},\"ceiling\":7}");
  const auto file = StateFile::open(folder / "state");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(file.value().maintenance().has_value());
  EXPECT_EQ(file.value().maintenance()->owner, "koictl by uid 7");
  EXPECT_EQ(file.value().maintenance()->since.time_since_epoch(), std::chrono::seconds(1767330909));
}

TEST(StateFile, MaintenanceStaysUntilItIsEnded) {
  const test::TemporaryFolder folder;
  auto file = StateFile::open(folder / "state");
  ASSERT_TRUE(file.ok());
  const StateFile::Maintenance maintenance{
      "me", std::chrono::system_clock::time_point(std::chrono::milliseconds(1767330909678))};
  ASSERT_TRUE(file.value().set_maintenance(maintenance).ok());
  const std::string with = ",\"maintenance\":{\"owner\":\"me\",\"since\":1767330909}}\n";
  EXPECT_EQ(read(folder / "state"),
            "{\"ceiling\":" + std::to_string(file.value().ceiling()) + with);
  ASSERT_TRUE(file.value().reserve_more().ok());  // does not lose it
  EXPECT_EQ(read(folder / "state"),
            "{\"ceiling\":" + std::to_string(file.value().ceiling()) + with);
  ASSERT_TRUE(file.value().set_maintenance(std::nullopt).ok());
  EXPECT_EQ(read(folder / "state"),
            "{\"ceiling\":" + std::to_string(file.value().ceiling()) + "}\n");
}

TEST(StateFile, AFolderThatCannotBeIsAnError) {
  const test::TemporaryFolder folder;
  write(folder / "plain", "");
  EXPECT_FALSE(StateFile::open(folder / "plain/state").ok());
}

TEST(StateFile, MakesItsFolder) {
  const test::TemporaryFolder folder;
  EXPECT_TRUE(StateFile::open(folder / "var/lib/koi/state").ok());
}

TEST(StateFile, AFailedReservationLeavesTheCeiling) {
  const test::TemporaryFolder folder;
  auto file = StateFile::open(folder / "a/state");
  ASSERT_TRUE(file.ok());
  const std::uint64_t ceiling = file.value().ceiling();
  std::filesystem::remove_all(folder / "a");
  EXPECT_FALSE(file.value().reserve_more().ok());
  EXPECT_EQ(file.value().ceiling(), ceiling);
}

}  // namespace
}  // namespace koi::app
