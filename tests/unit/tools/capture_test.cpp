#include "tools/ctl/capture.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"

namespace koi::ctl::capture_test {
namespace {

using test::FakeDaemon;
using test::TemporaryFolder;
using ::testing::HasSubstr;

const std::string kEnd = R"({"ok":true,"ended":"count","captured":2,"seconds":1.5,)"
                         R"("dropped":{"budget":3,"ring_full":4,"reader":5}})"
                         "\n";

std::string part(const std::string& bytes) {
  return "{\"ok\":true,\"bytes\":" + std::to_string(bytes.size()) + "}\n" + bytes;
}

struct Ran {
  Printed printed;
  std::string out;      // on standard output, as it came
  std::string request;  // that koid got
};

Ran koictl(const std::optional<std::string>& reply, std::vector<std::string> arguments,
           bool terminal = false, Duration deadline = 5s) {
  Ran run;
  FakeDaemon daemon([&](const std::string& request) {
    run.request = request;
    return reply;
  });
  arguments.insert(arguments.begin(), {"--socket", daemon.path(), "capture"});
  Surroundings surroundings;
  surroundings.deadline = deadline;
  surroundings.terminal = terminal;
  surroundings.print = [&run](std::string_view text) {
    run.out += text;
    return true;
  };
  run.printed = ctl::run(arguments, surroundings);
  return run;
}

std::string content(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Capture, WritesWhatComesAndSaysWhatThereWas) {
  const std::string one("block\n\0one", 10);
  const Ran run = koictl(part(one) + part("two") + kEnd, {"--port", "lan"});
  EXPECT_EQ(run.printed.exit_code, ExitCode::done);
  EXPECT_EQ(run.out, one + "two");
  EXPECT_EQ(run.printed.out, "");
  EXPECT_EQ(run.printed.err,
            "2 frames captured in 1.50 s: as many as asked for\n"
            "3 over what a worker copies in a millisecond, 4 the ring had no room, 5 not read in "
            "time\n");
}

TEST(Capture, AsksForWhatTheCommandLineSays) {
  EXPECT_EQ(Json::parse(koictl(kEnd, {"--port", "lan"}).request),
            Json::parse(R"({"command":"capture","port":"lan"})"));
  const Ran run = koictl(kEnd, {"--group", "gw", "--count", "7", "--seconds", "2m", "--snaplen",
                                "64", "--bytes", "1000"});
  EXPECT_EQ(Json::parse(run.request),
            Json::parse(R"({"command":"capture","group":"gw","count":7,"snaplen":64,)"
                        R"("bytes":1000,"seconds":120.0})"));
}

TEST(Capture, ReadsPartsHoweverTheyAreCut) {
  const std::string bytes = "x\ny{}\n";
  const std::string all = part(bytes) + part("z") + kEnd;
  for (std::size_t cut = 1; cut <= all.size(); ++cut) {
    std::string file;
    CaptureReader reader([&file](std::string_view some) {
      file += some;
      return true;
    });
    bool more = true;
    for (std::size_t at = 0; at < all.size(); at += cut) {
      ASSERT_TRUE(more) << cut;
      more = reader.feed(std::string_view(all).substr(at, cut));
    }
    EXPECT_FALSE(more);
    EXPECT_EQ(file, bytes + "z");
    ASSERT_TRUE(reader.ended());
    EXPECT_EQ(reader.ended()->outcome, Outcome::done);
  }
}

TEST(Capture, ARefusalLeavesAFileOfBeforeAsItIs) {
  const TemporaryFolder folder;
  const std::string file = folder.write("trace", "precious");
  const Ran run = koictl("{\"ok\":false,\"error\":\"no port \\\"x\\\"; there are lan\"}\n",
                         {"--port", "x", "--write", file});
  EXPECT_EQ(run.printed.exit_code, ExitCode::refused);
  EXPECT_EQ(run.printed.err, "koictl: koid refused: no port \"x\"; there are lan\n");
  EXPECT_EQ(content(file), "precious");
}

TEST(Capture, TheFileIsItsOwnersAlone) {
  const TemporaryFolder folder;
  const std::string file = folder / "trace";
  EXPECT_EQ(koictl(part("bytes") + kEnd, {"--port", "lan", "--write", file}).printed.exit_code,
            ExitCode::done);
  EXPECT_EQ(content(file), "bytes");
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(Capture, AFullDiskIsSaid) {
  const Ran run = koictl(part("bytes") + kEnd, {"--port", "lan", "--write", "/dev/full"});
  EXPECT_EQ(run.printed.exit_code, ExitCode::usage);
  EXPECT_THAT(run.printed.err, HasSubstr("/dev/full cannot be written: No space left"));
  const Ran nowhere = koictl(part("bytes") + kEnd, {"--port", "lan", "--write", "/no/where"});
  EXPECT_THAT(nowhere.printed.err, HasSubstr("/no/where cannot be written: No such file"));
}

TEST(Capture, AKoidThatGoesAwayLeavesWhatThereWas) {
  const TemporaryFolder folder;
  const std::string file = folder / "trace";
  const Ran run = koictl(part("bytes") + "{\"ok\":true,\"by", {"--port", "lan", "--write", file});
  EXPECT_EQ(run.printed.exit_code, ExitCode::no_daemon);
  EXPECT_THAT(run.printed.err, HasSubstr("koid went away amid the capture; what there was is in"));
  EXPECT_EQ(content(file), "bytes");
}

TEST(Capture, AKoidThatSaysNothingIsNotWaitedFor) {
  const Ran run = koictl(std::nullopt, {"--port", "lan"}, false, 300ms);
  EXPECT_EQ(run.printed.exit_code, ExitCode::no_daemon);
  EXPECT_THAT(run.printed.err, HasSubstr("did not reply"));
}

TEST(Capture, UsageErrors) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{},
                                             {"--port", "a", "--group", "b"},
                                             {"--port", "a", "--count", "0"},
                                             {"--port", "a", "--snaplen", "x"},
                                             {"--port", "a", "--seconds", "-1"}}) {
    const Ran run = koictl(kEnd, wrong);
    EXPECT_EQ(run.printed.exit_code, ExitCode::usage);
    EXPECT_NE(run.printed.err, "");
    EXPECT_EQ(run.request, "");
  }
  const Ran terminal = koictl(kEnd, {"--port", "lan"}, true);
  EXPECT_EQ(terminal.printed.exit_code, ExitCode::usage);
  EXPECT_THAT(terminal.printed.err, HasSubstr("--write"));
}

TEST(Capture, WhoReadsNoMoreEndsItQuietly) {
  FakeDaemon daemon([](const std::string&) { return part("bytes") + part("more") + kEnd; });
  Surroundings surroundings;
  int asked = 0;
  surroundings.print = [&asked](std::string_view) {
    ++asked;
    errno = EPIPE;
    return false;
  };
  const Printed printed =
      ctl::run({"--socket", daemon.path(), "capture", "--port", "lan"}, surroundings);
  EXPECT_EQ(printed.exit_code, ExitCode::done);
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace koi::ctl::capture_test
