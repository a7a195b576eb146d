#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "controlplane/announce.h"
#include "tests/sim/moment.h"
#include "tests/sim/network.h"

namespace koi::sim {

class World;

/// A box that runs somebody else's CARP: the model of its election (tests/support), with frames
/// around it. It has no lease, and is not paused: boxes of others that hang are outside promise 1.
class Foreign {
 public:
  enum class Kind : std::uint8_t { openbsd, freebsd, ucarp };
  struct Setup {
    Kind kind = Kind::openbsd;
    std::uint8_t advbase = 1;
    std::uint8_t advskew = 0;
    bool preempt = false;
  };
  class Model;

  Foreign(World& world, std::size_t index, const Setup& setup);
  ~Foreign();

  bool alive() const { return alive_; }
  bool master() const;
  void start();
  void kill();

  /// A frame has arrived.
  void receive(const Packet& packet);
  /// When a timer of it is due; kNoMoment: none.
  Moment next() const;
  void run_next();
  /// What it could answer up to now goes to the oracle.
  void catch_up();

 private:
  void after(bool was_master);
  void send_advertisement();
  void hear(std::span<const std::byte> frame);
  void reply(const Packet& request);

  World& world_;
  const std::size_t index_;
  const Setup setup_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<controlplane::FrameMaker> frames_;
  auth::CarpAuth auth_;
  std::uint64_t counter_ = 0;
  std::uint64_t reign_ = 0;
  long sent_ = 0;
  Moment answered_{};
  bool alive_ = false;
};

}  // namespace koi::sim
