#include "controlplane/app/service.h"

#include <csignal>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "tests/unit/service/service_rig.h"

namespace koi::app::service_test {
namespace {

using controlplane::Command;
using nlohmann::json;
using test::ServiceRig;

class ServiceTest : public ServiceRig {};

TEST_F(ServiceTest, StatusIsTheLatestReportAndTheBoard) {
  controlplane::SlotReport report;
  report.role = election::Role::master;
  report.cause = election::Cause::master_down;
  report.term = Term(7);
  report.since = clock.time - 1s;
  reports.try_send(report);
  board->slot(SlotIndex(0)).term.store(7);
  board->slot(SlotIndex(0)).deadline[0].store(Stamp(7, clock.time + 2s).word());
  start();
  const json status = ask(R"({"command":"status"})");
  stop();
  ASSERT_TRUE(status.value("ok", false)) << status.dump();
  EXPECT_EQ(status["node"], "fw-a");
  const json& group = status["groups"][0];
  EXPECT_EQ(group["name"], "lan-gateway");
  EXPECT_EQ(group["addresses"], json::array({"192.0.2.10"}));
  const json& slot = group["slots"][0];
  EXPECT_EQ(slot["role"], "MASTER");
  EXPECT_EQ(slot["cause"], "master-down timer");
  EXPECT_EQ(slot["term"], 7);
  EXPECT_EQ(slot["master"]["address"], "192.0.2.2");
  EXPECT_EQ(slot["master"]["mac"], "00:00:5e:00:01:01");
  EXPECT_NEAR(slot["lease_ms"].get<double>(), 2000, 0.1);
  // RFC 3339, UTC, with milliseconds
  EXPECT_EQ(slot["since"].get<std::string>().size(),
            std::string("2026-01-02T03:04:05.678Z").size());
}

TEST_F(ServiceTest, CountersAreLive) {
  counters->drop(PortIndex(0), DropReason::kCarpDigest, 3);
  counters->ports[0].answers[0].add(5);
  control.slots[0].transitions[0][1][static_cast<std::size_t>(election::Cause::link_up)].add();
  start();
  const json all = ask(R"({"command":"counters"})");
  const json of_ports = ask(R"({"command":"counters","of":"ports"})");
  EXPECT_TRUE(ask(R"({"command":"counters","of":["ports"]})").contains("slots"));
  stop();
  EXPECT_EQ(of_ports, (json{{"ok", true}, {"node", all["node"]}, {"ports", all["ports"]}}));
  EXPECT_EQ(all["ports"][0]["drops"]["carp_digest"], 3);
  EXPECT_EQ(all["ports"][0]["drops"].size(), kDropReasons);
  EXPECT_EQ(all["ports"][0]["answers"]["arp"], 5);
  EXPECT_GE(all["workers"][0]["heartbeat_age_seconds"].get<double>(), 0);
  EXPECT_EQ(
      all["slots"][0]["transitions"],
      json::array({{{"from", "INIT"}, {"to", "BACKUP"}, {"cause", "link up"}, {"count", 1}}}));
}

TEST_F(ServiceTest, ExplainsAnAddress) {
  start();
  EXPECT_EQ(ask(R"({"command":"explain","address":"192.0.2.10"})")["places"][0]["group"],
            "lan-gateway");
  EXPECT_EQ(ask(R"({"command":"explain","address":"192.0.2.99"})")["ok"], false);
  stop();
}

TEST_F(ServiceTest, DemoteAndUndemoteOnce) {
  start();
  EXPECT_EQ(ask(R"({"command":"demote"})")["demotion"]["total"], 1);
  EXPECT_EQ(ask(R"({"command":"demote"})")["demotion"]["total"], 1);
  EXPECT_EQ(ask(R"({"command":"undemote"})")["demotion"]["total"], 0);
  stop();
  const auto sent = commands.take<controlplane::SetDemotion>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].count, 1);
  EXPECT_EQ(sent[1].count, 0);
}

TEST_F(ServiceTest, DemoteNamesTheAskerAndEndsByItself) {
  start();
  const json reply = ask(R"({"command":"demote","cause":"upgrade","seconds":0.1})");
  const json shown = ask(R"({"command":"status"})")["demotion"];
  ASSERT_EQ(shown["list"].size(), 1U);
  EXPECT_EQ(shown["list"][0]["owner"], "koictl by uid " + std::to_string(geteuid()));
  EXPECT_EQ(reply["demotion"]["causes"]["upgrade"], 1);
  json now = shown;
  for (int i = 0; i < 2000 && now["total"] != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    now = ask(R"({"command":"counters"})");
    now = {{"total", now["demotion"].value("upgrade", 0)}};
  }
  stop();
  const auto sent = commands.take<controlplane::SetDemotion>();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].count, 1);
  EXPECT_EQ(sent[1].count, 0);
}

TEST_F(ServiceTest, MaintenanceOfTheLastRunCountsBeforeTheLinksComeUp) {
  ASSERT_TRUE(state_file.value().set_maintenance(StateFile::Maintenance{"me", {}}).ok());
  start();
  EXPECT_EQ(ask(R"({"command":"status"})")["demotion"]["causes"]["maintenance"], 128);
  EXPECT_EQ(ask(R"({"command":"maintenance","on":false})")["demotion"]["total"], 0);
  stop();
  const std::vector<Command> all = commands.take_all();
  ASSERT_GE(all.size(), 3U);
  EXPECT_EQ(std::get<controlplane::SetDemotion>(all[0]).count, 128);
  EXPECT_TRUE(std::holds_alternative<controlplane::SetLink>(all[1]));
  EXPECT_EQ(std::get<controlplane::SetDemotion>(all[2]).count, 0);
}

TEST_F(ServiceTest, ControlKnowsOfTheSyncWaitBeforeTheLink) {
  config.groups[0].sync_wait = 30s;
  start();
  EXPECT_EQ(ask(R"({"command":"status"})")["demotion"]["causes"]["state-sync"], 1);
  EXPECT_EQ(ask(R"({"command":"undemote","cause":"state-sync"})")["ok"], true);
  stop();
  const std::vector<Command> all = commands.take_all();
  ASSERT_GE(all.size(), 3U);
  EXPECT_EQ(std::get<controlplane::SetDemotion>(all[0]).count, 1);
  EXPECT_TRUE(std::holds_alternative<controlplane::SetLink>(all[1]));
  EXPECT_EQ(std::get<controlplane::SetDemotion>(all[2]).count, 0);
}

TEST_F(ServiceTest, ControlGetsOneNumberForEachGroup) {
  config.ports.push_back(test::lan_port(3));
  config.ports.back().name = "wan";
  config::Track track;
  track.name = "tcp 192.0.2.9 port 22";
  track.kind = config::Track::Kind::tcp;
  track.address = test::ip4("192.0.2.9");
  track.weight = 3;
  for (const char* name : {"g1", "g2"}) {
    config.groups.push_back(test::lan_group());
    config.groups.back().name = name;
  }
  config.groups[1].port = "wan";
  config.groups[1].tie = {"g2"};
  config.groups[2].track = {track};
  start();
  EXPECT_EQ(ask(R"({"command":"checks"})")["checks"][0]["name"], track.name);
  EXPECT_EQ(ask(R"({"command":"check","name":"tcp 192.0.2.9 port 22","healthy":false})"),
            (json{{"ok", true}}));
  EXPECT_EQ(ask(R"({"command":"check","name":"nobody","healthy":false})")["ok"], false);
  ask(R"({"command":"demote"})");
  stop();
  std::vector<int> latest(3);
  for (const auto& s : commands.take<controlplane::SetDemotion>()) latest.at(s.group) = s.count;
  EXPECT_EQ(latest, (std::vector<int>{1, 4, 5}));  // wan has no link: g2, tied to it, has one more
}

TEST_F(ServiceTest, RubbishIsRefusedAndChangesNothing) {
  start();
  for (const char* request : {"", "rubbish", "[]", "{}", R"({"command":7})", "{\"command\":\"x\"}",
                              "\xff\xfe", R"({"command":"shutdown"})"}) {
    const json reply = ask(request);
    EXPECT_EQ(reply.value("ok", true), false) << request;
    EXPECT_FALSE(reply.value("error", "").empty()) << request;
  }
  stop();
  EXPECT_TRUE(commands.take<controlplane::SetDemotion>().empty());
}

TEST_F(ServiceTest, RubbishIsOneLineOfItsKindInTheLog) {
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  auto logger = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log));
  logger->set_pattern("%l: %v");
  logger->set_level(spdlog::level::warn);
  spdlog::set_default_logger(logger);
  start();
  for (const char* request :
       {"rubbish", "[]", "{\"command\":\"x\\u001b\\\"y\"}", "{\"command\":\"x\"}", ""}) {
    EXPECT_EQ(ask(request).value("ok", true), false) << request;
  }
  {
    test::SocketPeer peer(folder / "sock");
    peer.write(std::string(ControlSocket::kMaxRequest, 'x'));
    EXPECT_NE(peer.line().find("64 KiB"), std::string::npos);
  }
  stop();
  spdlog::set_default_logger(before);
  const std::string who =
      "warning: control socket: refused a request of uid " + std::to_string(geteuid()) + ": ";
  EXPECT_EQ(log.str(), who + "no JSON object with a \"command\"\n" +  //
                           who + "an unknown command \"x?\"y\"\n" +   //
                           who + "longer than 64 KiB\n");
  EXPECT_TRUE(commands.take<controlplane::SetDemotion>().empty());
}

TEST_F(ServiceTest, TellsControlOfTheLinkOnceAndStepsDownOnASignal) {
  start();
  signal(SIGHUP);  // does not end it
  EXPECT_TRUE(ask(R"({"command":"status"})").value("ok", false));
  stop();
  std::vector<Command> all = commands.take_all();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(std::get<controlplane::SetLink>(all[0]).up);
  EXPECT_TRUE(std::holds_alternative<controlplane::ShutDown>(all[1]));
}

TEST_F(ServiceTest, ASignalWithoutAnAnswerEndsItAfterASecond) {
  start();
  const auto before = std::chrono::steady_clock::now();
  signal(SIGTERM);
  thread.join();
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
  EXPECT_EQ(commands.take<controlplane::ShutDown>().size(), 1U);
}

TEST_F(ServiceTest, NothingIsChangedWhileControlHangs) {
  clock.advance(10s);
  start();
  const json reply = ask(R"({"command":"demote"})");
  stop();
  EXPECT_FALSE(reply.value("ok", true));
  EXPECT_NE(reply.value("error", "").find("hangs"), std::string::npos);
  EXPECT_TRUE(commands.take<controlplane::SetDemotion>().empty());
}

/// The watchdog looks at control's own turns, and none of them is due to this thread's.
TEST_F(ServiceTest, TheWatchdogIsWithheldWhenControlHangs) {
  ASSERT_EQ(setenv("WATCHDOG_USEC", "3000000", 1), 0);
  std::ostringstream log;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
  open();
  clock.advance(11s);
  board->worker(WorkerIndex(0)).polled.store(clock.time.time_since_epoch().count());
  thread = std::thread([this] { service->run(); });
  ask(R"({"command":"status"})");
  ask(R"({"command":"status"})");  // a whole turn lies between them
  stop();
  spdlog::set_default_logger(before);
  unsetenv("WATCHDOG_USEC");
  EXPECT_NE(log.str().find("control hangs"), std::string::npos) << log.str();
}

TEST_F(ServiceTest, AllDownEndsIt) {
  reports.try_send(controlplane::AllDown{});
  start();
  thread.join();
}

TEST_F(ServiceTest, ReservesCountersOnDiskAndTellsControl) {
  const std::uint64_t before = state_file.value().ceiling();
  reports.try_send(controlplane::NeedCounters{});
  start();
  ask(R"({"command":"status"})");
  stop();
  const auto sent = commands.take<controlplane::SetCounterCeiling>();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].sequence, before + StateFile::kReserve);
}

TEST_F(ServiceTest, CommandsWaitForRoomInTheRing) {
  commands.capacity = 0;
  int tries = 0;
  commands.on_send = [&](const Command&) {
    if (++tries > 3) commands.capacity = 10;
  };
  start();
  ask(R"({"command":"demote"})");
  // The service looks at the ring again at least every 10 ms; each request is one more turn.
  for (int i = 0; i < 10; ++i) ask(R"({"command":"status"})");
  stop();
  EXPECT_EQ(commands.take<controlplane::SetDemotion>().size(), 1U);
}

}  // namespace
}  // namespace koi::app::service_test
