#include "tools/ctl/socket_client.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/ctl/reply.h"

namespace koi::ctl::socket_client_test {
namespace {

using std::chrono::steady_clock;
using test::FakeDaemon;
using test::TemporaryFolder;

std::string error_of(const std::string& path, Duration deadline = 5s) {
  const Result<std::string> result = request(path, "{}", deadline);
  return result ? "no error" : result.error().message;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(SocketClient, SendsOneLineAndReturnsOneLine) {
  FakeDaemon daemon([](const std::string&) { return "{\"ok\":true}\nnot for us\n"; });
  const auto reply = request(daemon.path(), R"({"command":"status"})");
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(reply.value(), "{\"ok\":true}");
  EXPECT_EQ(daemon.requests(), std::vector<std::string>{R"({"command":"status"})"});
}

TEST(SocketClient, TakesRepliesLargerThanAnyBuffer) {
  const std::string large(3'000'000, 'x');
  FakeDaemon daemon([&](const std::string&) { return large + '\n'; });
  const auto reply = request(daemon.path(), "{}", 30s);
  ASSERT_TRUE(reply.ok()) << reply.error().message;
  EXPECT_EQ(reply.value(), large);
}

TEST(SocketClient, SaysThatThereIsNoSocket) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_of(folder / "none.sock"),
            "there is no socket " + folder / "none.sock" +
                ": is koid running (systemctl status koid), and is this the path in its "
                "configuration (--socket)?");
}

TEST(SocketClient, SaysThatNobodyListens) {
  const TemporaryFolder folder;
  const std::string path = folder / "dead.sock";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  EXPECT_EQ(error_of(path),
            "nobody listens on " + path + ": koid has ended, start it (systemctl start koid)");
}

TEST(SocketClient, NoticesThatTheDaemonCloses) {
  FakeDaemon silent([](const std::string&) { return ""; });
  EXPECT_TRUE(contains(error_of(silent.path()), "closed the connection on " + silent.path()));
  FakeDaemon half([](const std::string&) { return "{\"ok\":tr"; });
  EXPECT_TRUE(contains(error_of(half.path()), "without a whole reply"));
}

TEST(SocketClient, GivesUpAtTheDeadline) {
  FakeDaemon daemon([](const std::string&) { return std::nullopt; });
  const auto begin = steady_clock::now();
  EXPECT_EQ(error_of(daemon.path(), 100ms),
            "koid did not reply on " + daemon.path() +
                " within 0.1 s: it is overloaded or hung, see systemctl status koid");
  EXPECT_GE(steady_clock::now() - begin, 100ms);
  EXPECT_LT(steady_clock::now() - begin, 5s);
}

// A hung daemon whose backlog is full does not even let clients connect.
TEST(SocketClient, GivesUpAtTheDeadlineWhenItCannotConnect) {
  const TemporaryFolder folder;
  const std::string path = folder / "full.sock";
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  ASSERT_EQ(::bind(listener, to, sizeof address), 0);
  ASSERT_EQ(::listen(listener, 0), 0);
  std::vector<int> waiting;
  do {
    waiting.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_LT(waiting.size(), 16U);
  } while (::connect(waiting.back(), to, sizeof address) == 0);

  const auto begin = steady_clock::now();
  EXPECT_TRUE(contains(error_of(path, 100ms), "does not take connections on " + path));
  EXPECT_GE(steady_clock::now() - begin, 90ms);
  EXPECT_LT(steady_clock::now() - begin, 5s);
  for (const int fd : waiting) ::close(fd);
  ::close(listener);
}

TEST(SocketClient, KnowsWhichPathsCanBeASocket) {
  EXPECT_EQ(socket_path_problem("/run/koi/koid.sock"), "");
  EXPECT_EQ(socket_path_problem(std::string(107, 'x')), "");
  EXPECT_EQ(socket_path_problem(std::string(108, 'x')),
            "the path of the control socket has 108 bytes, the system allows 107");
  EXPECT_EQ(socket_path_problem(""), "the path of the control socket is empty");
  EXPECT_EQ(error_of(""), "the path of the control socket is empty");
}

TEST(Ask, TellsDoneFromRefusedFromNoDaemon) {
  FakeDaemon done([](const std::string&) { return "{\"ok\":true,\"n\":7}\n"; });
  const Reply reply = ask(done.path(), "status");
  EXPECT_EQ(reply.outcome, Outcome::done);
  EXPECT_EQ(number(reply.body, "n"), 7);
  EXPECT_EQ(done.requests(), std::vector<std::string>{R"({"command":"status"})"});

  FakeDaemon refusing([](const std::string&) { return "{\"ok\":false,\"error\":\"not now\"}\n"; });
  EXPECT_EQ(ask(refusing.path(), "demote").outcome, Outcome::refused);
  EXPECT_EQ(ask(refusing.path(), "demote").error, "not now");

  for (const char* rubbish : {"", "rubbish", "[1,2]", "null", "{}", "{\"ok\":1}", "{\"ok\":true",
                              "{\"ok\":true}}", "\xff\xfe", "\"ok\""}) {
    FakeDaemon daemon([&](const std::string&) { return std::string(rubbish) + '\n'; });
    const Reply bad = ask(daemon.path(), "status");
    EXPECT_EQ(bad.outcome, Outcome::no_daemon) << rubbish;
    EXPECT_EQ(bad.error, "what answers on " + daemon.path() +
                             " is not koid: its reply is no JSON object with \"ok\"");
  }
}

TEST(Reply, ReadsWhatIsMissingOrOfAnotherTypeAsNothing) {
  const Json json = Json::parse(R"({"s":"x","n":1.5,"i":3,"b":true,"z":null,"a":[1],"o":{"k":2}})");
  EXPECT_EQ(text(json, "s"), "x");
  EXPECT_EQ(text(json, "n"), "1.5");
  EXPECT_EQ(text(json, "i"), "3");
  EXPECT_EQ(text(json, "b"), "true");
  EXPECT_EQ(text(json, "z"), "?");
  EXPECT_EQ(text(json, "a", "-"), "-");
  EXPECT_EQ(text(json, "none"), "?");
  EXPECT_EQ(text(Json(3), "s"), "?");
  EXPECT_EQ(number(json, "n"), 1.5);
  EXPECT_EQ(number(json, "s"), std::nullopt);
  EXPECT_EQ(number(json, "b"), std::nullopt);
  EXPECT_TRUE(truth(json, "b"));
  EXPECT_FALSE(truth(json, "i"));
  EXPECT_FALSE(truth(json, "none"));
  EXPECT_EQ(list(json, "a").size(), 1U);
  EXPECT_EQ(list(json, "s").size(), 0U);
  EXPECT_EQ(number(list(json, "o"), "k"), 2);
  EXPECT_TRUE(field(Json::array(), "x").is_null());
}

}  // namespace
}  // namespace koi::ctl::socket_client_test
