// The signed trailers' share of the service thread: state file, clock, status.
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/auth/trailer_sequence.h"
#include "tests/unit/service/service_rig.h"

namespace koi::app::service_trailer_test {
namespace {

using controlplane::Command;
using nlohmann::json;

std::uint64_t sequence_now(Duration later = 0s) {
  return auth::trailer_sequence(std::chrono::system_clock::now().time_since_epoch() + later);
}

class ServiceTrailer : public test::ServiceRig {
 protected:
  ServiceTrailer() {
    config.groups[0].trailer = {
        .mode = config::TrailerMode::enforce,
        .key = config::TrailerKey{.file = "a", .id = 3, .key = test::secret(std::string(32, 'k'))},
        .accept = {}};
    plan = controlplane::make_plan(config, {test::port_facts()});
  }
  void hear(std::uint64_t sequence) {
    reports.try_send(controlplane::SignedHeard{.slot = SlotIndex(0),
                                               .source = test::ip4("192.0.2.3"),
                                               .sequence = sequence,
                                               .key_id = 3,
                                               .at = clock.time});
  }
  json on_disk() { return json::parse(std::ifstream(folder / "state")); }
};

TEST_F(ServiceTrailer, StatusSaysTheModeAndWhoSigned) {
  hear(sequence_now());
  start();
  const json status = ask(R"({"command":"status"})");
  stop();
  const json& group = status["groups"][0];
  EXPECT_EQ(group["trailer"], json({{"mode", "enforce"}, {"key_id", 3}}));
  ASSERT_EQ(group["slots"][0]["signed"].size(), 1U);
  EXPECT_EQ(group["slots"][0]["signed"][0]["address"], "192.0.2.3");
  EXPECT_EQ(group["slots"][0]["signed"][0]["key_id"], 3);
}

// C19.3 kept, C19.6 kept
TEST_F(ServiceTrailer, KeepsSequencesOnDiskAndGivesBackWhatWasNotUsed) {
  const std::uint64_t began = sequence_now();
  hear(began + 7);
  start();
  ask(R"({"command":"status"})");  // a turn is over
  const json during = on_disk();
  EXPECT_EQ(during["trailers"]["heard"], json::array({{{"port", "lan"},
                                                       {"vlan", 0},
                                                       {"vhid", 1},
                                                       {"source", "192.0.2.3"},
                                                       {"sequence", began + 7}}}));
  EXPECT_GE(during["trailers"]["ceiling"].get<std::uint64_t>(), sequence_now(20s));
  board->own_sequence.store(began + 100);
  stop();
  bool told = false;
  for (const Command& command : commands.messages) {
    if (const auto* ceiling = std::get_if<controlplane::SetSequenceCeiling>(&command)) {
      told = true;
      EXPECT_EQ(ceiling->sequence, during["trailers"]["ceiling"].get<std::uint64_t>());
    }
  }
  EXPECT_TRUE(told);
}

// C19.6 kept: after a restart the records are there for the slots that still are.
TEST_F(ServiceTrailer, RecordsOfAnEarlierRun) {
  ASSERT_TRUE(state_file.value()
                  .set_trailers(5, {{"lan", 0, 1, "192.0.2.3", 77},
                                    {"lan", 0, 2, "192.0.2.3", 78},
                                    {"lan", 9, 1, "192.0.2.3", 79},
                                    {"wan", 0, 1, "192.0.2.3", 80},
                                    {"lan", 0, 1, "rubbish", 81}})
                  .ok());
  const auto records = records_of(config, plan, state_file.value());
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].slot, SlotIndex(0));
  EXPECT_EQ(records[0].source, IpAddress(test::ip4("192.0.2.3")));
  EXPECT_EQ(records[0].sequence, 77U);
  config.groups[0].trailer->mode = config::TrailerMode::off;
  plan = controlplane::make_plan(config, {test::port_facts()});
  EXPECT_TRUE(records_of(config, plan, state_file.value()).empty());
}

TEST_F(ServiceTrailer, AtTheEndTheCeilingIsWhatWasSent) {
  TrailerKeeper keeper({.config = &config,
                        .plan = &plan,
                        .board = board.get(),
                        .clock = &clock,
                        .state_file = &state_file.value()});
  ASSERT_TRUE(reserve_trailers(state_file.value()).ok());
  EXPECT_GE(state_file.value().trailer_ceiling(), sequence_now(20s));
  const std::uint64_t sent = state_file.value().first_trailer() + 3;
  board->own_sequence.store(sent);
  keeper.finish();
  EXPECT_TRUE(keeper.update(std::chrono::steady_clock::now()).empty());  // reserves none again
  EXPECT_EQ(on_disk()["trailers"]["ceiling"], sent);
  EXPECT_EQ(StateFile::open(folder / "state").value().first_trailer() > sent, true);
}

// The clock of koi is another; where the wall clock is, control is told when it has moved.
TEST_F(ServiceTrailer, TellsControlOfASteppedClock) {
  TrailerKeeper keeper({.config = &config,
                        .plan = &plan,
                        .board = board.get(),
                        .clock = &clock,
                        .state_file = &state_file.value()});
  const auto offsets = [&] {
    std::vector<Duration> told;
    for (const Command& command : keeper.update(std::chrono::steady_clock::now())) {
      if (const auto* utc = std::get_if<controlplane::SetUtc>(&command))
        told.push_back(utc->offset);
    }
    return told;
  };
  offsets();
  clock.advance(3600s);  // as if the wall clock had gone back an hour
  const auto told = offsets();
  ASSERT_EQ(told.size(), 1U);
  const Duration utc = told[0] + clock.time.time_since_epoch();
  const Duration now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_LT(std::chrono::abs(utc - now), Duration(1s));
}

}  // namespace
}  // namespace koi::app::service_trailer_test
