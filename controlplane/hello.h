#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "common/auth/trailer_sequence.h"
#include "common/contract/messages.h"
#include "controlplane/counters.h"
#include "controlplane/hello_plan.h"
#include "controlplane/service_messages.h"

namespace koi::controlplane {

/// Who else is in the groups with a trailer, by hellos (CARP.md §21): sends ours to the peers that
/// are configured or were heard, and keeps what theirs say. It decides nothing and no role depends
/// on it.
///
/// Pure: time comes in, frames and reports go out. Control thread.
class HelloExchange {
 public:
  static constexpr std::size_t kMostPeers = 16;  // of a group; configured ones are always kept
  /// So far apart are two hellos at least, whoever they are for: 250 a second, so that those of
  /// many groups neither fill a ring nor go beyond what a receiver takes (UpReporter).
  static constexpr Duration kPace = 4ms;
  /// To one peer, if something is to be said before its time.
  static constexpr Duration kSoon = 1s;
  static constexpr Duration kForgetAfter = 86'400s;  // one that was heard, and is not configured
  static constexpr Duration kFrameLasts = 1s;        // not-after

  /// What a hello says of this box at the moment.
  struct Self {
    std::uint32_t masters = 0;
    std::uint32_t backups = 0;
    std::uint8_t demotion = 0;
  };
  /// What the loop knows.
  struct Source {
    std::function<std::optional<Self>(const HelloPlan&)> self;  // nothing: not now (no link)
    std::function<std::optional<MacAddress>(const HelloPlan&, const IpAddress&)> mac;
    std::function<std::uint64_t()> sequence;  // of a trailer: above all that were sent
  };

  HelloExchange(NodeId node, Source source) : node_(node), source_(std::move(source)) {}

  /// Other groups from now on. Those that stay keep whom they have heard.
  void follow(const std::vector<HelloPlan>& plans, Instant now);

  /// An advertisement with a right trailer. first: its group's first slot. Returns what to report:
  /// a peer that is new.
  std::optional<PeerReport> on_advertisement(SlotIndex first, const IpAddress& from,
                                             const MacAddress& mac, Instant now);

  struct Taken {
    HelloVerdict verdict;
    std::optional<PeerReport> report;  // iff accepted
    std::optional<PeerReport> gone;    // whom it took the place of
  };
  /// oldest: the sequence that a sender's must reach of which nothing is known (C19.7). Nothing iff
  /// there is no such group any more.
  std::optional<Taken> on_hello(const HelloHeard& hello, std::uint64_t oldest, Instant now);

  /// The group's roles have changed: its peers are told soon.
  void changed(SlotIndex first, Instant now);

  struct Due {
    SlotIndex first;
    std::optional<TransmitFrame> frame;  // nothing: it could not be sent, and is tried again soon
    std::optional<PeerReport> gone;      // nor will it be: the peer is forgotten
  };
  /// The hello that is due, one in a call.
  std::optional<Due> due(Instant now);
  /// When due() will have something. Instant::max(): not before another call.
  Instant next_due() const { return next_; }

 private:
  struct Peer {
    IpAddress address;
    bool configured = false;
    MacAddress mac{};  // where it was heard; zero: not yet
    Instant added{};
    Instant heard{};  // its last hello; Instant{}: none
    Instant sent{};   // ours to it, likewise
    Instant next{};   // the next one to it; Instant::max(): none
  };
  struct Group {
    HelloPlan plan;
    std::vector<Peer> peers;
    auth::SequenceGuard guard;
  };

  Group* find(SlotIndex first);
  Peer* find_or_add(Group& group, const IpAddress& address, Instant now,
                    std::optional<PeerReport>& gone);
  std::optional<TransmitFrame> hello_to(const Group& group, const Peer& peer, Instant now);
  static PeerReport gone(const Group& group, const Peer& peer);
  static void soon(const Group& group, Peer& peer, Instant now);
  void bring_forward(const Group& group, const Peer& peer);
  void find_next();

  const NodeId node_;
  const Source source_;
  std::vector<Group> groups_;  // ascending first
  Instant paced_{};            // no hello before
  Instant next_ = Instant::max();
};

/// A hello, whole: from the group's port, its own MAC and address. REQUIRES: the plan has a signer;
/// to.family() has a source there.
TransmitFrame hello_frame(const HelloPlan& plan, const wire::Hello& hello, std::uint64_t sequence,
                          const IpAddress& to, const MacAddress& mac);

}  // namespace koi::controlplane
