#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/demotion.h"
#include "controlplane/view_builder.h"
#include "tests/sim/process.h"

namespace koi::sim {

class World;

/// A koi box: its machine, which lives on when koid dies, and koid when it runs. The service thread
/// is modelled here: it hands on commands, and demotes the box for what control notices of itself.
class Box {
 public:
  struct Setup {
    config::Config config;
    unsigned workers = 1;
    bool with_ears = false;
    std::int64_t ppm = 0;
    std::uint64_t seed = 0;
  };
  Box(World& world, std::size_t index, const Setup& setup);

  std::size_t index() const { return index_; }
  const config::Config& config() const { return config_; }
  bool alive() const { return process_ != nullptr; }
  bool connected() const { return link_up_; }
  Process* process() { return process_.get(); }
  controlplane::PortFacts facts(std::uint8_t receivers) const;
  bool always_closely() const;

  // Faults.
  void start();
  void kill();
  void shut_down();  // steps down first (L10), then ends
  /// As `koictl demote` and the health checks do: each cause by its name, in any order, also while
  /// koid does not run. count: as asked for; the ledger saturates it.
  void demote(const std::string& cause, std::int64_t count);
  void undemote(const std::string& cause);
  void undemote_all();
  void link(bool up);
  /// As `koictl reload` does, with the same groups: at once, or with the next start.
  void reload(const config::Config& config);
  void step_wall_clock(Duration by) { wall_clock_ += by; }
  /// who: 0 control, then workers; none: all of them, the whole box.
  void pause(std::optional<std::size_t> who, const Pause& pause);

  /// A frame of that node is on its way.
  void receive(std::size_t from, const Packet& packet);

  // What its process tells.
  void learns(const UpMessage& message);
  void reports(const controlplane::Report& report);
  void covers(std::size_t slot, Term term, Moment from, Moment to);
  void queued(const Packet& advertisement);
  void answer(Packet& packet);
  void transmit(const TransmitFrame& frame);

 private:
  void on(const controlplane::RoleChange& change);
  void on(const controlplane::SelfNoticed& noticed);
  void on(const controlplane::NeedCounters&);
  void on(const controlplane::AllDown&);
  void on(const controlplane::PlanTaken&);
  void on(const controlplane::PlanReleased&);
  template <class Other>
  void on(const Other&) {}
  void command(const controlplane::Command& command);
  /// Some milliseconds later, if the process still lives then.
  void soon(std::function<void()> what);
  void begin_state_sync(std::optional<std::size_t> port);
  template <class Predicate>
  void clear(Predicate chosen);
  void tell_demotion();

  World& world_;
  const std::size_t index_;
  const Setup setup_;
  config::Config config_;
  std::optional<config::Config> next_config_;  // that it is going over to
  std::unique_ptr<Process> process_;
  std::uint64_t life_ = 0;
  std::uint64_t ceiling_ = 0;  // in the state file
  Duration wall_clock_{};
  controlplane::DemotionLedger ledger_;
  bool link_up_ = true;
};

}  // namespace koi::sim
