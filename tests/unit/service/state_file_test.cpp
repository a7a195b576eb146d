#include "controlplane/app/state_file.h"

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace koi::app::state_file_test {
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
  for (
      const char* text :
      {"",
       "rubbish",
       "{}",
       "[1]",
       "{\"ceiling\":-1}",
       "{\"ceiling\":\"7\"}",
       "{\"ceiling\":1.5}",
       "{\"ceiling\":9007199254740992}",
       "{\"ceiling\":18446744073709551614}",
       "{\"ceiling\":18446744073709551615}",
       "{\"ceiling\":7,\"maintenance\":true}",
       "{\"ceiling\":7,\"maintenance\":{\"owner\":\"me\"}}",
       "{\"ceiling\":7,\"maintenance\":{\"owner\":\"me\",\"since\":-1}}",
       "{\"ceiling\":7,\"maintenance\":{\"owner\":\"me\",\"since\":9000000001}}",
       R"({"ceiling":7,"trailers":7})",
       R"({"ceiling":7,"trailers":{"ceiling":7}})",
       R"({"ceiling":7,"trailers":{"ceiling":18446744073709551615,"heard":[]}})",
       R"({"ceiling":7,"trailers":{"ceiling":7,"heard":[7]}})",
       R"({"ceiling":7,"trailers":{"ceiling":7,"heard":[{"port":"lan","vlan":0,"vhid":256,"source":"192.0.2.3","sequence":1}]}})",
       R"({"ceiling":7,"trailers":{"ceiling":7,"heard":[{"port":"lan","vlan":0,"vhid":1,"source":"192.0.2.3","sequence":-1}]}})"}) {
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

// C19.3 kept, C19.3 refused: of trailers the first sequence is above the ceiling, and not below
// UTC.
TEST(StateFile, TrailersStartAboveTheirCeilingAndNotBelowTheClock) {
  const test::TemporaryFolder folder;
  const std::uint64_t seconds = utc_microseconds() / 1'000'000;
  auto fresh = StateFile::open(folder / "state");
  EXPECT_GE(fresh.value().first_trailer() >> 32, seconds);
  EXPECT_LE(fresh.value().first_trailer() >> 32, utc_microseconds() / 1'000'000);
  EXPECT_EQ(fresh.value().trailer_ceiling(), 0U);
  const std::uint64_t ahead = (seconds + 3600) << 32;
  write(folder / "state",
        R"({"ceiling":7,"trailers":{"ceiling":)" + std::to_string(ahead) + R"(,"heard":[]}})");
  EXPECT_EQ(StateFile::open(folder / "state").value().first_trailer(), ahead + 1);
}

// C19.6 kept
TEST(StateFile, KeepsWhatWasHeard) {
  const test::TemporaryFolder folder;
  const std::string trailers =
      R"("trailers":{"ceiling":7695558000000000000,"heard":[)"
      R"({"port":"lan","sequence":7695558000000000005,"source":"fe80::3","vhid":255,"vlan":4094}]})";
  write(folder / "state", R"({"ceiling":7,)" + trailers + "}");
  auto file = StateFile::open(folder / "state");
  ASSERT_TRUE(file.ok()) << file.error().message;
  const auto records = file.value().trailer_records();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].port, "lan");
  EXPECT_EQ(records[0].vlan, 4094);
  EXPECT_EQ(records[0].vhid, 255);
  EXPECT_EQ(records[0].source, "fe80::3");
  EXPECT_EQ(records[0].sequence, 7695558000000000005U);
  // Other changes leave it, and it is written as it was read.
  ASSERT_TRUE(file.value().reserve_more().ok());
  EXPECT_EQ(read(folder / "state"),
            R"({"ceiling":)" + std::to_string(file.value().ceiling()) + "," + trailers + "}\n");
  ASSERT_TRUE(file.value().set_trailers(9, {}).ok());
  EXPECT_EQ(file.value().trailer_ceiling(), 9U);
  EXPECT_EQ(read(folder / "state"), R"({"ceiling":)" + std::to_string(file.value().ceiling()) +
                                        R"(,"trailers":{"ceiling":9,"heard":[]}})" + "\n");
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
}  // namespace koi::app::state_file_test
