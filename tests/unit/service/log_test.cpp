#include "controlplane/app/log.h"

#include <cstdio>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace koi::app::log_test {
namespace {

TEST(Log, LeadsToTheJournalWhereSystemdSaysSo) {
  std::FILE* file = std::tmpfile();
  const int fd = fileno(file);
  struct stat is {};
  ASSERT_EQ(fstat(fd, &is), 0);
  const std::string there = std::to_string(is.st_dev) + ":" + std::to_string(is.st_ino);
  EXPECT_TRUE(leads_to_journal(there.c_str(), fd));
  // Inherited by a program whose standard error is another one, or rubbish.
  EXPECT_FALSE(leads_to_journal(there.c_str(), STDIN_FILENO));
  EXPECT_FALSE(leads_to_journal((there + "0").c_str(), fd));
  EXPECT_FALSE(leads_to_journal("", fd));
  EXPECT_FALSE(leads_to_journal(nullptr, fd));
  EXPECT_FALSE(leads_to_journal(there.c_str(), -1));
  std::fclose(file);
}

/// What programs read is fixed: one line, each field by its name, what has spaces in quotes.
TEST(Log, HasTheFieldsBehindTheTextOnStandardError) {
  const auto before = spdlog::default_logger();
  testing::internal::CaptureStderr();
  unsetenv("JOURNAL_STREAM");
  start_log();
  spdlog::warn("plain");
  log_with_fields("text: 1", {{"A", "b"}, {"C_D", "e f"}, {"G", ""}});
  spdlog::shutdown();  // waits for the log's thread
  const std::string log = testing::internal::GetCapturedStderr();
  spdlog::set_default_logger(before);
  const std::string who = "koid[" + std::to_string(getpid()) + "] ";
  EXPECT_NE(log.find(who + "warning: plain\n"), std::string::npos) << log;
  EXPECT_NE(log.find(who + "info: text: 1 A=b C_D=\"e f\" G=\"\"\n"), std::string::npos) << log;
}

}  // namespace
}  // namespace koi::app::log_test
