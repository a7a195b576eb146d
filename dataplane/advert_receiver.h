#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "common/auth/replay.h"
#include "common/auth/trailer_sequence.h"
#include "common/contract/channel.h"
#include "common/contract/counters.h"
#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "common/wire/carp.h"
#include "common/wire/ethernet.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// An advertisement as it came, in either family.
struct ReceivedAdvert {
  IpAddress source;
  IpAddress destination;               // of the source's family
  std::uint8_t ttl = 0;                // hop limit
  std::span<const std::byte> payload;  // from the CARP header to the end of the packet

  Family family() const { return source.family(); }
};

/// Checks the advertisements one worker receives, in the order of protocol.md §3, and sends the
/// verified ones up. A forgery costs one HMAC here and nothing beyond.
class AdvertReceiver {
 public:
  AdvertReceiver(SlotBoard& board, WorkerLease& lease, Sender<UpMessage>& up,
                 WorkerCounters& counters);

  /// Of a packet with protocol 112 whose IP header is right.
  Fate receive(const ReceivedAdvert& packet, const wire::EthernetHeader& ethernet,
               const BurstContext& burst);

  /// Sends up what could not be sent when it was due: that an advertisement was lost to a full
  /// ring.
  /// Returns true iff nothing is left to be sent.
  bool flush();

  /// What was verified of a sender before koid was started. Before the first receive().
  void remember(SlotIndex slot, const IpAddress& source, std::uint64_t sequence) {
    sequences_[slot.value()].remember(source, sequence);
  }

 private:
  /// What one slot heard last in one family, where counters prove nothing (ReplayRule::none).
  struct LastHeard {
    IpAddress source;
    std::uint64_t counter = 0;
    std::uint8_t advbase = 0;
    std::uint8_t advskew = 0;
    std::uint8_t demote = 0;
    bool any = false;
  };

  /// What verify() is about, and what it finds out.
  struct Candidate {
    const SlotView& slot;
    SlotIndex index;
    const wire::CarpHeader& header;
    const ReceivedAdvert& packet;
    std::uint64_t sequence = 0;  // of a trailer that is right; 0: none
    std::uint8_t key_id = 0;
  };
  Verdict verify(Candidate& candidate, const BurstContext& burst);
  static Verdict verify_trailer(Candidate& candidate, const Topology& topology);
  Verdict verify_counter(const Candidate& candidate, const Topology& topology);
  void compare_with_last(SlotIndex index, VerifiedAdvert& advert);
  /// True iff a lawful peer sent it twice: to the group and to us.
  bool is_second_way(const SlotView& slot, SlotIndex index, const wire::CarpHeader& header,
                     Family family) const;
  bool send_up(const UpMessage& message);

  SlotBoard& board_;
  WorkerLease& lease_;
  Sender<UpMessage>& up_;
  WorkerCounters& counters_;
  // By SlotIndex, all of them: never grows on a worker. Each worker has its own; what reaches
  // another one a second time is caught by the election's guard.
  std::vector<auth::ReplayGuard> replay_;
  std::vector<auth::SequenceGuard> sequences_;  // of trailers
  // Per family: OpenBSD sends one counter twice, FreeBSD two (protocol.md §5), and either family
  // may be the later one to arrive.
  std::vector<std::array<LastHeard, kFamilies>> last_;
  bool overflowed_ = false;
};

}  // namespace koi::dataplane
