#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/contract/counters.h"
#include "common/contract/view.h"
#include "common/drop_reason.h"
#include "common/wire/ethernet.h"
#include "dataplane/asker_memory.h"
#include "dataplane/dad_limit.h"
#include "dataplane/lease.h"
#include "dataplane/up_reporter.h"

/// What the packet functions take and return. They work on the bytes of one frame and know neither
/// mbufs nor rings, so that everything but mbuf_view.h is tested without DPDK.
namespace koi::dataplane {

class ConflictWatch;

/// The one view and the one moment of a burst.
struct BurstContext {
  const View& view;
  PortIndex port;
  WorkerLease& lease;
  UpReporter& reporter;
  ConflictWatch& conflicts;
  DadLimit& dad;
  AskerMemory& askers;

  const Topology& topology() const { return *view.topology; }
  const PortView& port_view() const { return topology().ports[port.value()]; }
  const MacAddress& port_mac() const { return port_view().mac; }
};

/// What becomes of a frame.
class Fate {
 public:
  enum class Kind : std::uint8_t {
    drop,    // reason()
    answer,  // the frame has become its own answer: send length() bytes, which may be more than it
             // had
    taken,   // went up: an advertisement; or what others may see too, where there is no host
    pass,    // on to the other side of the host port, as it is now
    // What a responder says; the host gate makes one of the above of it.
    not_ours,  // for the host if there is one, else dropped for reason()
    noted,     // went up, and is for the host too if there is one
    // What a quick look says: somebody else is to decide.
    undecided
  };

  Fate() = default;  // none yet

  static constexpr Fate drop(DropReason reason) {
    return Fate(Kind::drop, static_cast<std::uint8_t>(reason), 0);
  }
  static constexpr Fate answer(AnswerKind what, std::size_t length) {
    return Fate(Kind::answer, static_cast<std::uint8_t>(what), length);
  }
  static constexpr Fate taken() { return Fate(Kind::taken, 0, 0); }
  static constexpr Fate pass() { return Fate(Kind::pass, 0, 0); }
  static constexpr Fate not_ours(DropReason reason) {
    return Fate(Kind::not_ours, static_cast<std::uint8_t>(reason), 0);
  }
  static constexpr Fate undecided() { return Fate(Kind::undecided, 0, 0); }
  static constexpr Fate noted() { return Fate(Kind::noted, 0, 0); }

  constexpr bool operator==(const Fate&) const = default;

  constexpr Kind kind() const { return static_cast<Kind>(word_ & 0xff); }
  /// REQUIRES: kind() is drop or not_ours.
  constexpr DropReason reason() const { return static_cast<DropReason>(word_ >> 8 & 0xff); }
  /// REQUIRES: kind() is answer, as for length().
  constexpr AnswerKind what() const { return static_cast<AnswerKind>(word_ >> 8 & 0xff); }
  constexpr std::uint16_t length() const { return static_cast<std::uint16_t>(word_ >> 16); }

 private:
  constexpr Fate(Kind kind, std::uint8_t detail, std::size_t length)
      : word_(static_cast<std::uint32_t>(kind) | (std::uint32_t{detail} << 8) |
              (static_cast<std::uint32_t>(length) << 16)) {}
  std::uint32_t word_;  // one register: it is returned for every frame
};

}  // namespace koi::dataplane
