#include "controlplane/app/control_socket.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "tests/support/socket_peer.h"
#include "tests/support/temporary_folder.h"

namespace koi::app::control_socket_test {
namespace {

using test::SocketPeer;

class ControlSocketTest : public ::testing::Test {
 protected:
  void open(std::optional<gid_t> group = std::nullopt) {
    auto opened = ControlSocket::open(
        path,
        [this](const std::string& line, uid_t uid) {
          asker = uid;
          requests.push_back(line);
          if (line == "stream") {
            return Answer(Stream([this, alive = alive](std::size_t bytes, bool end) {
              unread = bytes;
              Part part = std::exchange(parts, {});
              part.last = end;
              return part;
            }));
          }
          if (line != "wait") return Answer("<" + line + ">");
          return Answer(Later([this] { return news; }));
        },
        {}, group);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    server = std::make_unique<ControlSocket>(std::move(opened).value());
  }
  /// Serves until nothing has happened for a while.
  void serve() {
    pollfd p{server->fd(), POLLIN, 0};
    while (poll(&p, 1, 50) == 1) server->serve();
  }

  test::TemporaryFolder folder;
  const std::string path = folder / "koid.sock";
  std::vector<std::string> requests;
  Part parts;                                            // the next one of those that say "stream"
  std::size_t unread = 0;                                // by who streams
  std::shared_ptr<int> alive = std::make_shared<int>();  // held by each stream
  std::optional<std::string> news;                       // what those that say "wait" wait for
  uid_t asker = static_cast<uid_t>(-1);
  std::unique_ptr<ControlSocket> server;
};

TEST_F(ControlSocketTest, OneReplyLineForEachRequestLine) {
  open();
  SocketPeer peer(path);
  ASSERT_TRUE(peer.write("one\ntw"));
  serve();
  ASSERT_TRUE(peer.write("o\n"));
  serve();
  EXPECT_EQ(peer.line(), "<one>");
  EXPECT_EQ(peer.line(), "<two>");
  EXPECT_EQ(asker, geteuid());
}

TEST_F(ControlSocketTest, AClientThatHasEndedStillGetsItsReplies) {
  open();
  SocketPeer peer(path);
  ASSERT_TRUE(peer.write("one\ntwo\n"));
  peer.end();
  serve();
  EXPECT_EQ(peer.line(), "<one>");
  EXPECT_EQ(peer.line(), "<two>");
  EXPECT_EQ(peer.line(), "");
}

TEST_F(ControlSocketTest, AReplyThatGoesOnIsSentPartByPart) {
  open();
  SocketPeer peer(path);
  ASSERT_TRUE(peer.write("stream\n"));
  serve();
  parts.bytes = "first\n";
  server->serve_parked();
  EXPECT_EQ(peer.line(), "first");
  server->serve_parked();  // nothing new
  parts.bytes = "second\n";
  server->serve_parked();
  EXPECT_EQ(peer.line(), "second");
  // What it asks meanwhile ends it, and is answered then.
  ASSERT_TRUE(peer.write("one\n"));
  serve();
  EXPECT_EQ(requests.size(), 1U);
  server->serve_parked();
  EXPECT_EQ(peer.line(), "<one>");
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(ControlSocketTest, AReplyThatGoesOnEndsWithItsClient) {
  open();
  {
    SocketPeer peer(path);
    ASSERT_TRUE(peer.write("stream\n"));
    serve();
    EXPECT_EQ(alive.use_count(), 2);
    parts.bytes = "last words\n";
    peer.end();  // its side only
    serve();
    server->serve_parked();
    EXPECT_EQ(peer.line(), "last words");
    server->serve_parked();
    EXPECT_EQ(peer.line(), "");  // closed
  }
  EXPECT_EQ(alive.use_count(), 1);
  {
    SocketPeer peer(path);
    ASSERT_TRUE(peer.write("stream\n"));
    serve();
    EXPECT_EQ(alive.use_count(), 2);
  }
  serve();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(ControlSocketTest, AReplyThatGoesOnKnowsWhatIsNotRead) {
  open();
  SocketPeer peer(path);
  ASSERT_TRUE(peer.write("stream\n"));
  serve();
  for (int i = 0; i < 10; ++i) {
    parts.bytes = std::string(100'000, 'x');
    server->serve_parked();
  }
  EXPECT_GT(unread, 300'000U);
  EXPECT_LT(unread, 1'000'000U);
}

TEST_F(ControlSocketTest, GroupMayUseItAndOthersNot) {
  open();
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660U);
}

TEST(MayCommandTest, RootKoidsOwnUserAndTheGroup) {
  EXPECT_TRUE(may_command({.uid = 0, .gid = 7, .groups = {}}, 100, 50));
  EXPECT_TRUE(may_command({.uid = 100, .gid = 7, .groups = {}}, 100, std::nullopt));
  EXPECT_TRUE(may_command({.uid = 9, .gid = 50, .groups = {}}, 100, 50));
  EXPECT_TRUE(may_command({.uid = 9, .gid = 7, .groups = {8, 50}}, 100, 50));
  EXPECT_FALSE(may_command({.uid = 9, .gid = 7, .groups = {8, 0}}, 100, 50));
  EXPECT_FALSE(may_command({.uid = 9, .gid = 7, .groups = {8, 50}}, 100, std::nullopt));
  EXPECT_FALSE(may_command(ControlPeer{}, 100, 50)) << "the kernel says nothing";
}

/// Other users' processes, on a socket whose mode lets them in.
class OtherUsersTest : public ControlSocketTest {
 protected:
  static constexpr gid_t kGroup = 4242;
  static constexpr uid_t kUser = 4343;

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to be another user";
    open(kGroup);
    std::filesystem::permissions(std::filesystem::path(path).parent_path(),
                                 std::filesystem::perms(0755));
    chmod(path.c_str(), 0666);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  }
  void TearDown() override { spdlog::set_default_logger(before); }

  /// What a process of that user with these groups is told when it sends that line, all of it.
  std::string told(const std::string& line, uid_t uid, std::vector<gid_t> groups) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      if (setgroups(groups.size(), groups.data()) != 0 || setresgid(uid, uid, uid) != 0 ||
          setresuid(uid, uid, uid) != 0) {
        _exit(1);
      }
      SocketPeer peer(path);
      peer.write(line + "\n");
      peer.end();
      std::string text;
      for (std::string next; !(next = peer.line()).empty();) text += next + "\n";
      _exit(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    close(ends[1]);
    for (int i = 0; i < 500 && waitpid(child, nullptr, WNOHANG) == 0; ++i) {
      pollfd p{server->fd(), POLLIN, 0};
      if (poll(&p, 1, 10) == 1) server->serve();
    }
    std::string text(4096, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read(ends[0], text.data(), 4096))));
    close(ends[0]);
    return text;
  }

  std::ostringstream log;
  std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
};

TEST_F(OtherUsersTest, TheSocketIsTheGroups) {
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, kGroup);
}

TEST_F(OtherUsersTest, AMemberOfTheGroupMayCommand) {
  EXPECT_EQ(told("one", kUser, {1, kGroup}), "<one>\n");
  EXPECT_EQ(asker, kUser);
  std::vector<gid_t> many(100, kGroup + 1);
  many.back() = kGroup;
  EXPECT_EQ(told("two", kUser, many), "<two>\n");
  EXPECT_EQ(log.str(), "");
}

TEST_F(OtherUsersTest, AnyoneElseGetsOneLineOnceInTheLogAndNothingDone) {
  for (int i = 0; i < 3; ++i) {
    const std::string text = told("maintenance", kUser, {1, 0});
    EXPECT_NE(text.find("no permission: the control socket is for root"), std::string::npos);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  }
  EXPECT_TRUE(requests.empty());
  const std::string once = log.str();
  EXPECT_EQ(std::count(once.begin(), once.end(), '\n'), 1) << once;
  EXPECT_NE(once.find("uid 4343"), std::string::npos);
  told("maintenance", kUser + 1, {});
  EXPECT_NE(log.str().find("uid 4344"), std::string::npos);
}

TEST_F(ControlSocketTest, ARequestOf64KibIsTheLongest) {
  open();
  {
    SocketPeer peer(path);
    const std::string longest(ControlSocket::kMaxRequest - 1, 'x');
    for (std::size_t at = 0; at < longest.size(); at += 4096) {
      ASSERT_TRUE(peer.write(longest.substr(at, 4096)));
      serve();
    }
    ASSERT_TRUE(peer.write("\n"));
    serve();
    EXPECT_EQ(peer.line().size(), longest.size() + 2);
  }
  SocketPeer peer(path);
  const std::string too_long(ControlSocket::kMaxRequest, 'x');
  for (std::size_t at = 0; at < too_long.size(); at += 4096) {
    peer.write(too_long.substr(at, 4096));
    serve();
  }
  EXPECT_NE(peer.line().find("64 KiB"), std::string::npos);
  EXPECT_EQ(peer.line(), "");  // closed
  EXPECT_EQ(requests.size(), 1U);
}

TEST_F(ControlSocketTest, AClientThatGoesAwayIsForgotten) {
  open();
  for (int i = 0; i < 200; ++i) {
    SocketPeer peer(path);
    ASSERT_TRUE(peer.connected());
    ASSERT_TRUE(peer.write("half a requ"));
    server->serve();
  }
  serve();
  SocketPeer peer(path);
  peer.write("still here\n");
  serve();
  EXPECT_EQ(peer.line(), "<still here>");
}

TEST_F(ControlSocketTest, MoreClientsThanItTakesAreTurnedAway) {
  open();
  std::vector<std::unique_ptr<SocketPeer>> peers;
  for (std::size_t i = 0; i < ControlSocket::kMaxClients; ++i) {
    peers.push_back(std::make_unique<SocketPeer>(path));
    serve();
  }
  SocketPeer one_more(path);
  serve();
  EXPECT_NE(one_more.line().find("too many clients"), std::string::npos);
  EXPECT_EQ(one_more.line(), "");
  peers.back()->write("first\n");
  serve();
  EXPECT_EQ(peers.back()->line(), "<first>");
}

TEST_F(ControlSocketTest, AParkedReplyComesInItsTurnAndHoldsUpNobodyElse) {
  open();
  SocketPeer waiting(path);
  SocketPeer other(path);
  ASSERT_TRUE(waiting.write("wait\nafter\n"));
  serve();
  server->serve_parked();
  ASSERT_TRUE(waiting.write("later\n"));
  ASSERT_TRUE(other.write("one\n"));
  serve();
  EXPECT_EQ(other.line(), "<one>");
  EXPECT_EQ(requests, (std::vector<std::string>{"wait", "one"}));
  news = "news";
  server->serve_parked();
  serve();
  EXPECT_EQ(waiting.line(), "news");
  EXPECT_EQ(waiting.line(), "<after>");
  EXPECT_EQ(waiting.line(), "<later>");
}

TEST_F(ControlSocketTest, AClientThatEndedAndWaitsGetsItsReply) {
  open();
  SocketPeer peer(path);
  ASSERT_TRUE(peer.write("wait\none\n"));
  peer.end();
  serve();
  news = "news";
  server->serve_parked();
  EXPECT_EQ(peer.line(), "news");
  EXPECT_EQ(peer.line(), "<one>");
  serve();
  EXPECT_EQ(peer.line(), "");
}

TEST_F(ControlSocketTest, HalfOfTheClientsMayWaitAndOnesThatGoAwayAreForgotten) {
  open();
  for (std::size_t round = 0; round < 2; ++round) {
    std::vector<std::unique_ptr<SocketPeer>> peers;
    for (std::size_t i = 0; i < ControlSocket::kMaxParked; ++i) {
      peers.push_back(std::make_unique<SocketPeer>(path));
      ASSERT_TRUE(peers.back()->write("wait\n"));
      server->serve();
    }
    serve();
    SocketPeer one_more(path);
    ASSERT_TRUE(one_more.write("wait\nstatus\n"));
    serve();
    EXPECT_NE(one_more.line().find("too many clients wait"), std::string::npos);
    EXPECT_EQ(one_more.line(), "<status>");
    peers.clear();
    serve();
    server->serve_parked();
  }
}

TEST_F(ControlSocketTest, AnotherKoidIsNotPushedAside) {
  open();
  const auto second = ControlSocket::open(path, [](const std::string&, uid_t) { return ""; });
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message.find("another koid"), std::string::npos);
  SocketPeer peer(path);
  peer.write("alive\n");
  serve();
  EXPECT_EQ(peer.line(), "<alive>");
}

TEST_F(ControlSocketTest, WhatADeadKoidLeftIsReplaced) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  open();
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path));  // and nothing is left behind
}

TEST_F(ControlSocketTest, AnythingElseAtThePathStays) {
  std::ofstream(path) << "precious";
  EXPECT_FALSE(ControlSocket::open(path, [](const std::string&, uid_t) { return ""; }).ok());
  EXPECT_EQ(std::filesystem::file_size(path), 8U);
}

}  // namespace
}  // namespace koi::app::control_socket_test
