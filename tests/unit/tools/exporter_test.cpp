#include "tools/exporter/exporter.h"

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <netinet/in.h>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "tests/unit/tools/counters_json.h"
#include "tests/unit/tools/fake_daemon.h"
#include "tools/exporter/collector.h"
#include "tools/exporter/gate.h"
#include "tools/exporter/listen.h"
#include "tools/exporter/metrics.h"

namespace koi::exporter::exporter_test {
namespace {

using test::FakeDaemon;
using test::TemporaryFolder;

std::string metrics_of(const std::string& json) {
  const ctl::Reply reply{ctl::Outcome::done, ctl::Json::parse(json), {}};
  return prometheus::TextSerializer().Serialize(families(reply));
}

std::string scrape(const Collector& collector) {
  return prometheus::TextSerializer().Serialize(collector.Collect());
}

constexpr const char* kAway =
    "# HELP koi_up 1 if koid answered this scrape with its counters, else 0.\n"
    "# TYPE koi_up gauge\n"
    "koi_up 0\n";

// C21.13 kept, C21.14 kept
TEST(Metrics, PeersAndHellos) {
  const std::string text = metrics_of(R"({"ok":true,"slots":[{"group":"lan","vhid":1,
    "hellos_sent":7,"hellos_received":{"accepted":5,"hello_old":1},
    "peers":[{"address":"192.0.2.3","last_seen_seconds":3.5,"differs":{"addresses":1,"hash":0}},
             {"address":"192.0.2.4","last_seen_seconds":60}]}]})");
  for (const char* line :
       {"koi_peer_last_seen_seconds{group=\"lan\",vhid=\"1\",peer=\"192.0.2.3\"} 3.5\n",
        "koi_peer_last_seen_seconds{group=\"lan\",vhid=\"1\",peer=\"192.0.2.4\"} 60\n",
        "koi_peer_differs{group=\"lan\",vhid=\"1\",peer=\"192.0.2.3\",what=\"addresses\"} 1\n",
        "koi_peer_differs{group=\"lan\",vhid=\"1\",peer=\"192.0.2.3\",what=\"hash\"} 0\n",
        "koi_hellos_sent_total{group=\"lan\",vhid=\"1\"} 7\n",
        "koi_hellos_received_total{group=\"lan\",vhid=\"1\",verdict=\"hello_old\"} 1\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST(Metrics, EveryCounterHasItsName) {
  EXPECT_EQ(metrics_of(test::kCounters),
            R"(# HELP koi_up 1 if koid answered this scrape with its counters, else 0.
# TYPE koi_up gauge
koi_up 1
# HELP koi_build_info Always 1, labelled with the version of koid.
# TYPE koi_build_info gauge
koi_build_info{version="0.1.0"} 1
# HELP koi_slot_master 1 if this box is MASTER of the virtual host, else 0.
# TYPE koi_slot_master gauge
koi_slot_master{group="lan-gateway",vhid="1"} 1
koi_slot_master{group="wan \"x\"",vhid="2"} 0
# HELP koi_slot_lease_seconds How much longer this box may answer for the virtual host unless it advertises again.
# TYPE koi_slot_lease_seconds gauge
koi_slot_lease_seconds{group="lan-gateway",vhid="1"} 2.8
koi_slot_lease_seconds{group="wan \"x\"",vhid="2"} 0
# HELP koi_transitions_total Changes of role of the virtual host, by their cause.
# TYPE koi_transitions_total counter
koi_transitions_total{group="lan-gateway",vhid="1",from="INIT",to="BACKUP",cause="link up"} 1
koi_transitions_total{group="lan-gateway",vhid="1",from="BACKUP",to="MASTER",cause="master-down timer"} 1
# HELP koi_takeover_seconds From the last advertisement heard of the old master to the first announcement of this box.
# TYPE koi_takeover_seconds histogram
koi_takeover_seconds_count 1
koi_takeover_seconds_sum 3.25
koi_takeover_seconds_bucket{le="0.5"} 0
koi_takeover_seconds_bucket{le="4"} 1
koi_takeover_seconds_bucket{le="+Inf"} 1
# HELP koi_adverts_sent_total Advertisements sent for the virtual host, by address family.
# TYPE koi_adverts_sent_total counter
koi_adverts_sent_total{group="lan-gateway",vhid="1",family="ipv4"} 5
koi_adverts_sent_total{group="lan-gateway",vhid="1",family="ipv6"} 0
koi_adverts_sent_total{group="wan \"x\"",vhid="2",family="ipv4"} 0
koi_adverts_sent_total{group="wan \"x\"",vhid="2",family="ipv6"} 0
# HELP koi_adverts_received_total Advertisements received for the virtual host, by what became of them.
# TYPE koi_adverts_received_total counter
koi_adverts_received_total{group="lan-gateway",vhid="1",verdict="accepted"} 2
koi_adverts_received_total{group="lan-gateway",vhid="1",verdict="carp_digest"} 3
koi_adverts_received_total{group="wan \"x\"",vhid="2",verdict="accepted"} 0
# HELP koi_notices_total What a person should know although no role changed: conflicts, oddities, by their name.
# TYPE koi_notices_total counter
koi_notices_total{group="lan-gateway",vhid="1",notice="address-claimed"} 4
koi_notices_total{group="lan-gateway",vhid="1",notice="deaf"} 0
# HELP koi_answers_total Requests answered on the port, by kind.
# TYPE koi_answers_total counter
koi_answers_total{port="lan",kind="arp"} 60
koi_answers_total{port="lan",kind="nd"} 0
koi_answers_total{port="lan",kind="icmp"} 5
koi_answers_total{port="wan",kind="arp"} 0
koi_answers_total{port="wan",kind="nd"} 0
koi_answers_total{port="wan",kind="icmp"} 0
# HELP koi_drops_total Frames dropped on the port, by reason.
# TYPE koi_drops_total counter
koi_drops_total{port="lan",reason="runt"} 3
koi_drops_total{port="lan",reason="arp_not_ours"} 12
koi_drops_total{port="lan",reason="ipv4_fragment"} 0
koi_drops_total{port="lan",reason="carp_digest"} 3
koi_drops_total{port="wan",reason="runt"} 0
# HELP koi_port_packets_total Frames received and sent on the port.
# TYPE koi_port_packets_total counter
koi_port_packets_total{port="lan",direction="rx"} 120
koi_port_packets_total{port="lan",direction="tx"} 70
koi_port_packets_total{port="wan",direction="rx"} 0
koi_port_packets_total{port="wan",direction="tx"} 0
# HELP koi_port_up 1 if the port has link, else 0.
# TYPE koi_port_up gauge
koi_port_up{port="lan"} 1
koi_port_up{port="wan"} 0
# HELP koi_demotion Demotion of this box, by its cause; 0 is none.
# TYPE koi_demotion gauge
koi_demotion{cause="command"} 240
# HELP koi_agent_up 1 if koi-agent is there, else 0; only where the configuration needs it.
# TYPE koi_agent_up gauge
koi_agent_up 0
# HELP koi_control_age_seconds Time since the last turn of the control thread began; far above 0.001 it hangs.
# TYPE koi_control_age_seconds gauge
koi_control_age_seconds 0.0001
# HELP koi_control_late_seconds How late the turns of the control thread began.
# TYPE koi_control_late_seconds histogram
koi_control_late_seconds_count 100
koi_control_late_seconds_sum 0.012
koi_control_late_seconds_bucket{le="1e-05"} 10
koi_control_late_seconds_bucket{le="0.001"} 99
koi_control_late_seconds_bucket{le="+Inf"} 100
# HELP koi_control_frames_dropped_total Advertisements and announcements that a worker's ring had no room for.
# TYPE koi_control_frames_dropped_total counter
koi_control_frames_dropped_total 2
# HELP koi_control_reports_dropped_total Reports of the control thread to the service thread that its ring had no room for.
# TYPE koi_control_reports_dropped_total counter
koi_control_reports_dropped_total 1
# HELP koi_worker_heartbeat_age_seconds Time since the worker last polled its ports.
# TYPE koi_worker_heartbeat_age_seconds gauge
koi_worker_heartbeat_age_seconds{worker="0"} 5e-05
# HELP koi_worker_received_total Frames received on the port by each worker that has a queue of it.
# TYPE koi_worker_received_total counter
koi_worker_received_total{worker="0",port="lan"} 7
)");
}

TEST(Metrics, AreNoneWithoutKoid) {
  for (const auto outcome : {ctl::Outcome::refused, ctl::Outcome::no_daemon}) {
    const ctl::Reply reply{outcome, ctl::Json::parse(test::kCounters), "away"};
    EXPECT_EQ(prometheus::TextSerializer().Serialize(families(reply)), kAway);
  }
}

TEST(Metrics, SurviveAKoidOfAnotherVersion) {
  const std::string up =
      "# HELP koi_up 1 if koid answered this scrape with its counters, else 0.\n"
      "# TYPE koi_up gauge\n"
      "koi_up 1\n";
  for (const char* reply :
       {R"({"ok":true})", R"({"ok":true,"version":1,"ports":null,"slots":"x","workers":{"a":1}})",
        R"({"ok":true,"ports":[1,{}],"slots":[[],{"group":"a"},{"vhid":1,"master":true}]})",
        R"({"ok":true,"agent":{"needed":false,"present":true}})", R"({"ok":true,"agent":7})",
        R"({"ok":true,"demotion":[1],"takeover":{"count":-1,"sum":0},"control_late":{"count":1}})",
        R"({"ok":true,"slots":[{"group":"a","vhid":1,"master":1,"adverts_sent":{"ipv4":"x"},
            "transitions":[{"count":1,"from":"INIT"}]}],"demotion":{"":1}})"}) {
    EXPECT_EQ(metrics_of(reply), up) << reply;
  }
  EXPECT_EQ(
      metrics_of(R"({"takeover":{"count":2,"sum":1,"buckets":[{"le":"+Inf","count":2},
                           {"le":3},{"count":1},{"le":1,"count":1},7]}})"),
      up + "# HELP koi_takeover_seconds From the last advertisement heard of the old master to "
           "the first announcement of this box.\n"
           "# TYPE koi_takeover_seconds histogram\n"
           "koi_takeover_seconds_count 2\n"
           "koi_takeover_seconds_sum 1\n"
           "koi_takeover_seconds_bucket{le=\"1\"} 1\n"
           "koi_takeover_seconds_bucket{le=\"+Inf\"} 2\n");
}

TEST(Collector, AsksKoidAtEachScrape) {
  int n = 0;
  FakeDaemon daemon([&n](const std::string&) {
    return R"({"ok":true,"demotion":{"command":)" + std::to_string(++n) + "}}\n";
  });
  const Collector collector(daemon.path());
  EXPECT_TRUE(scrape(collector).ends_with("koi_demotion{cause=\"command\"} 1\n"));
  EXPECT_TRUE(scrape(collector).ends_with("koi_demotion{cause=\"command\"} 2\n"));
  EXPECT_EQ(daemon.requests(), std::vector<std::string>(2, R"({"command":"counters"})"));
}

TEST(Collector, ShowsThatKoidIsAwayAndSaysSoOnce) {
  const TemporaryFolder folder;
  const Collector collector(folder / "none.sock");
  testing::internal::CaptureStderr();
  EXPECT_EQ(scrape(collector), kAway);
  EXPECT_EQ(scrape(collector), kAway);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "koi-exporter: koi_up is 0: there is no socket " + folder / "none.sock" +
                ": is koid running (systemctl status koid), and is this the path in its "
                "configuration (--socket)?\n");

  FakeDaemon silent([](const std::string&) { return std::nullopt; });
  EXPECT_EQ(scrape(Collector(silent.path(), 50ms)), kAway);
}

TEST(Listen, TakesALiteralAddressAndAPort) {
  for (const char* good : {"127.0.0.1:9477", "0.0.0.0:0", "10.1.2.3:65535"}) {
    const auto address = parse_listen(good);
    ASSERT_TRUE(address.ok()) << good;
    EXPECT_EQ(address.value().to_string(), good);
  }
  for (const char* bad : {"", "9477", ":9477", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                          "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80s", "127.0.0:80",
                          "localhost:80", "[::1]:80", "127.0.0.1:80,81", "127.0.0.1: 80"}) {
    const auto address = parse_listen(bad);
    ASSERT_FALSE(address.ok()) << bad;
    EXPECT_EQ(address.error().message,
              "--listen " + std::string(bad) + ": not an IPv4 ADDRESS:PORT, as 127.0.0.1:9477");
  }
}

/// Runs the exporter in this process; the signals that end it are blocked here meanwhile.
class Exporter : public testing::Test {
 protected:
  void SetUp() override {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &signals_, &before_), 0);
  }
  void TearDown() override {
    const timespec at_once{};
    while (::sigtimedwait(&signals_, nullptr, &at_once) > 0) {  // what nobody waited for
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  static std::string http_get(int port, const std::string& path) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string reply;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
      const std::string ask = "GET " + path + " HTTP/1.0\r\n\r\n";
      ::send(fd, ask.data(), ask.size(), MSG_NOSIGNAL);
      char chunk[4096];
      for (ssize_t n = 0; (n = ::recv(fd, chunk, sizeof chunk, 0)) > 0;) {
        reply.append(chunk, static_cast<std::size_t>(n));
      }
    }
    ::close(fd);
    return reply;
  }

  sigset_t signals_{};
  sigset_t before_{};
};

TEST_F(Exporter, ServesUntilASignalAndRefusesAPortThatIsTaken) {
  FakeDaemon daemon([](const std::string&) { return std::string("{\"ok\":true}\n"); });
  for (const int signal : {SIGTERM, SIGINT}) {
    std::promise<int> listening;
    std::future<int> exit_code = std::async(std::launch::async, [&] {
      return run({"--socket", daemon.path(), "--listen", "127.0.0.1:0"},
                 [&](int port) { listening.set_value(port); });
    });
    std::future<int> got = listening.get_future();
    ASSERT_EQ(got.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    const int port = got.get();
    const std::string reply = http_get(port, "/metrics");
    EXPECT_NE(reply.find("200 OK"), std::string::npos) << reply;
    EXPECT_NE(reply.find("\nkoi_up 1\n"), std::string::npos) << reply;

    const std::string taken = "127.0.0.1:" + std::to_string(port);
    testing::internal::CaptureStderr();
    EXPECT_EQ(run({"--listen", taken}), kExitCannotListen);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "koi-exporter: cannot listen on " + taken + ": Address already in use\n");

    ::kill(::getpid(), signal);
    ASSERT_EQ(exit_code.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(exit_code.get(), kExitDone);
  }
}

TEST_F(Exporter, TurnsAwayMoreScrapesThanItsFew) {
  std::promise<void> go;
  FakeDaemon daemon([until = go.get_future().share()](const std::string&) {
    until.wait();
    return std::string("{\"ok\":true}\n");
  });
  std::promise<int> listening;
  std::future<int> exit_code = std::async(std::launch::async, [&] {
    return run({"--socket", daemon.path(), "--listen", "127.0.0.1:0"},
               [&](int port) { listening.set_value(port); });
  });
  const int port = listening.get_future().get();
  constexpr int kTurnedAway = 3;
  std::atomic<int> refused{0};
  std::atomic<int> served{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kScrapes + kTurnedAway; ++i) {
    clients.emplace_back([&] {
      const std::string reply = http_get(port, "/metrics");
      if (reply.find(" 503 ") != std::string::npos) ++refused;
      if (reply.find("\nkoi_up 1\n") != std::string::npos) ++served;
    });
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  while (refused < kTurnedAway && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(served, 0);  // koid has not answered anybody yet
  go.set_value();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(refused, kTurnedAway);
  EXPECT_EQ(served, kScrapes);
  EXPECT_EQ(daemon.requests().size(), std::size_t{kScrapes});
  EXPECT_NE(http_get(port, "/metrics").find(" 200 "), std::string::npos);  // all are over
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(exit_code.get(), kExitDone);
}

TEST_F(Exporter, ExitsWith2OnWrongUsage) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--listen", "frob"}), kExitUsage);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "koi-exporter: --listen frob: not an IPv4 ADDRESS:PORT, as 127.0.0.1:9477\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--frob"}), kExitUsage);
  EXPECT_EQ(run({"--socket", ""}), kExitUsage);
  EXPECT_NE(testing::internal::GetCapturedStderr(), "");
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"--help"}), kExitDone);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("--listen"), std::string::npos);
}

}  // namespace
}  // namespace koi::exporter::exporter_test
