#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

#include "tests/sim/box.h"
#include "tests/sim/client.h"
#include "tests/sim/foreign.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/trace.h"

namespace koi::sim {

/// Boxes, clients and the network between them, on one virtual clock. Everything that happens has
/// its moment; what happens at the same moment happens in a fixed order: plans, then boxes by
/// number.
class World {
 public:
  struct Setup {
    std::uint64_t seed = 1;
    std::vector<Box::Setup> boxes;
    std::vector<Foreign::Setup> foreigners;  // numbered behind the boxes
    std::size_t clients = 2;
    Oracle::Setup oracle;
    bool closely = false;  // leave no idle round out: the same run, only slower
  };
  World(const Setup& setup, std::FILE* trace);
  ~World();

  const Setup& setup() const { return setup_; }
  Moment now() const { return now_; }
  const Moment& now_reference() const { return now_; }
  Network& network() { return network_; }
  Oracle& oracle() { return oracle_; }
  Trace& trace() { return trace_; }
  Box& box(std::size_t i) { return *boxes_[i]; }
  std::size_t boxes() const { return boxes_.size(); }
  Foreign& foreigner(std::size_t i) { return *foreigners_[i]; }
  std::size_t foreigners() const { return foreigners_.size(); }
  /// Boxes of any kind: whoever the oracle knows.
  std::size_t oracle_boxes() const { return boxes_.size() + foreigners_.size(); }
  Client& client(std::size_t i) { return *clients_[i]; }
  std::size_t clients() const { return clients_.size(); }

  /// Called when a koi box has sent an advertisement; may be empty.
  std::function<void(std::size_t box, std::size_t slot)> on_advertisement;

  /// Called with the advertisements of koi boxes; may be empty.
  std::function<void(std::size_t box, const Packet& packet)> overhears;

  /// An advertisement of that box will not reach the others.
  void lose(std::size_t from);

  /// That is to happen then, before anything else of that moment.
  void at(Moment moment, std::function<void()> what);
  /// Ends early when an invariant is broken.
  void run_until(Moment end);
  /// What everybody could answer up to now is known to the oracle.
  void catch_up();
  void ask(std::size_t client);

 private:
  struct Plan {
    Moment at{};
    std::uint64_t number = 0;
    std::function<void()> what;
    bool operator<(const Plan& other) const {
      return at != other.at ? at > other.at : number > other.number;
    }
  };
  void deliver(Node from, Node to, const Packet& packet);
  void note_arrival(Node from, Node to, const Packet& packet);
  bool step(Moment end);

  const Setup setup_;
  Moment now_{};
  Trace trace_;
  Oracle oracle_;
  struct Newest {  // advertisement, by sender, receiver and slot, as koi's replay rule has it
    Moment arrival{};
    std::uint64_t counter = 0;
  };
  std::vector<Newest> newest_;
  Network network_;
  std::vector<std::unique_ptr<Box>> boxes_;
  std::vector<std::unique_ptr<Foreign>> foreigners_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::priority_queue<Plan> plans_;
  std::uint64_t planned_ = 0;
};

}  // namespace koi::sim
