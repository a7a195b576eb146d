#pragma once

#include <csignal>
#include <fcntl.h>
#include <memory>
#include <string>
#include <sys/signalfd.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/service.h"
#include "controlplane/view_builder.h"
#include "tests/support/fake_channel.h"
#include "tests/support/fake_clock.h"
#include "tests/support/lab_config.h"
#include "tests/support/socket_peer.h"
#include "tests/support/temporary_folder.h"

namespace koi::test {

/// The service with nothing behind it: rings in memory, signals through a pipe. The rings belong to
/// the service's thread while it runs; the test looks at them before and after.
class ServiceRig : public ::testing::Test {
 protected:
  ServiceRig() {
    config.node = "fw-a";
    EXPECT_EQ(pipe2(signals, O_NONBLOCK), 0);
  }
  ~ServiceRig() override {
    close(signals[0]);
    close(signals[1]);
  }

  void open() {
    app::Service::Setup setup;
    setup.snapshot.config = &config;
    setup.snapshot.board = board.get();
    setup.snapshot.plan = &plan;
    setup.snapshot.control = &control;
    setup.snapshot.workers = {counters.get()};
    setup.snapshot.slots.resize(plan.slots.size());
    setup.snapshot.since.resize(plan.slots.size());
    setup.snapshot.link_up.resize(config.ports.size());
    setup.snapshot.clock = &clock;
    setup.snapshot.control_turn = &turn;
    setup.state_file = &state_file.value();
    setup.commands = &commands;
    setup.reports = &reports;
    setup.links = {{"", [] { return true; }}};
    setup.socket_path = folder / "sock";
    setup.signals = signals[0];
    auto opened = app::Service::open(std::move(setup));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    service = std::move(opened).value();
  }
  void start() {
    open();
    thread = std::thread([this] { service->run(); });
  }

  nlohmann::json ask(const std::string& line) {
    SocketPeer peer(folder / "sock");
    peer.write(line + "\n");
    return nlohmann::json::parse(peer.line(), nullptr, false);
  }

  void signal(int number) {
    signalfd_siginfo info{};
    info.ssi_signo = static_cast<std::uint32_t>(number);
    ASSERT_EQ(write(signals[1], &info, sizeof info), static_cast<ssize_t>(sizeof info));
  }
  /// Twice: at once, without waiting for control.
  void stop() {
    signal(SIGTERM);
    signal(SIGTERM);
    thread.join();
  }

  TemporaryFolder folder;
  config::Config config = lan_box(2);
  controlplane::Plan plan = controlplane::make_plan(config, {port_facts()});
  std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
  controlplane::ControlCounters control{1};
  std::unique_ptr<WorkerCounters> counters = std::make_unique<WorkerCounters>();
  FakeClock clock;
  std::atomic<std::int64_t> turn{clock.time.time_since_epoch().count()};
  Result<app::StateFile> state_file = app::StateFile::open(folder / "state");
  FakeChannel<controlplane::Command> commands;
  FakeChannel<controlplane::Report> reports;
  int signals[2] = {-1, -1};
  std::unique_ptr<app::Service> service;
  std::thread thread;
};

}  // namespace koi::test
