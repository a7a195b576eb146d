#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/contract/counters.h"
#include "common/contract/view.h"
#include "common/drop_reason.h"
#include "common/wire/ethernet.h"
#include "dataplane/lease.h"

/// What the packet functions take and return. They work on the bytes of one frame and know neither
/// mbufs nor rings, so that everything but mbuf_view.h is tested without DPDK.
namespace koi::dataplane {

/// The one view and the one moment of a burst.
struct BurstContext {
  const View& view;
  PortIndex port;
  const WorkerLease& lease;

  const Topology& topology() const { return *view.topology; }
  const MacAddress& port_mac() const { return topology().ports[port.value()].mac; }
};

/// What becomes of a frame.
class Fate {
 public:
  enum class Kind : std::uint8_t {
    drop,    // reason()
    answer,  // the frame has become its own answer: send length() bytes of it
    taken    // an advertisement that went up
  };

  static constexpr Fate drop(DropReason reason) { return Fate(Kind::drop, reason, {}, 0); }
  static constexpr Fate answer(AnswerKind what, std::size_t length) {
    return Fate(Kind::answer, {}, what, static_cast<std::uint16_t>(length));
  }
  static constexpr Fate taken() { return Fate(Kind::taken, {}, {}, 0); }

  Kind kind() const { return kind_; }
  DropReason reason() const { return reason_; }
  AnswerKind what() const { return what_; }
  std::uint16_t length() const { return length_; }

 private:
  constexpr Fate(Kind kind, DropReason reason, AnswerKind what, std::uint16_t length)
      : kind_(kind), reason_(reason), what_(what), length_(length) {}
  Kind kind_;
  DropReason reason_;
  AnswerKind what_;
  std::uint16_t length_;
};

}  // namespace koi::dataplane
