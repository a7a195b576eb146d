#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/contract/messages.h"
#include "config/config.h"
#include "controlplane/service_messages.h"
#include "tests/sim/moment.h"
#include "tests/sim/network.h"
#include "tests/sim/trace.h"

namespace koi::sim {

/// Judges a run by the invariants of the promises, from what the boxes could answer, what they sent
/// and what they say of themselves. It knows the configuration, and nothing of how koi decides.
///
/// I1 is about what could be answered: at each poll of each worker it is asked whether it may
/// answer, for each slot (in a balanced group each client has its slot, the same on every box). A
/// reign lasts from the first to the last such moment of one term, without a hole of over 1 ms.
class Oracle {
 public:
  struct Member {  // what is configured of a slot on a box
    Duration master_down{};
    Duration interval{};
    bool preempt = false;
    // What goes by the configuration of before may still be under way until then.
    Moment changed = Moment::min();
    Duration least_wait{};      // timers that were armed before may be so short,
    Duration least_interval{};  // or a MASTER's interval
    bool preempted = false;     // it might, before
    std::uint32_t rank = 0;     // of two equal boxes the higher stays: by its IPv4 address, in a
                                // group of both families by its node-id
  };
  struct Setup {
    std::size_t boxes = 0;
    std::size_t slots = 1;
    bool koi_dialect = true;
    bool counts_demotion = true;  // byte 4 counts: koi and OpenBSD
    bool lossy = false;           // some advertisements are lost: I1's second form
  };

  Oracle(const Setup& setup, Trace& trace, const Moment& now);

  Member& member(std::size_t box, std::size_t slot) { return members_[box * setup_.slots + slot]; }
  const Member& member(std::size_t box, std::size_t slot) const {
    return members_[box * setup_.slots + slot];
  }
  void wire(Duration one_way) { wire_ = one_way; }

  // What happens.
  void covers(std::size_t box, std::size_t slot, Term term, Moment from, Moment to);
  void through(std::size_t from, std::size_t to, std::size_t slot, Moment arrival,
               std::uint8_t demoted);
  /// An ordinary advertisement will be in the box's queue then,
  void arrives(std::size_t from, std::size_t box, std::size_t slot, Moment arrival);
  /// unless a later one of the same sender is there before it.
  void overtaken(std::size_t from, std::size_t box, std::size_t slot, Moment arrival);
  /// It is in the up ring.
  void queued(std::size_t box, std::size_t slot, Moment arrival);
  void lost(std::size_t from, std::size_t to);
  void sent(std::size_t box, const TransmitFrame& frame);
  void answered(std::size_t box, std::size_t slot);
  void learnt(std::size_t box, const UpMessage& message);
  void commanded(std::size_t box, const controlplane::Command& command);
  /// decided: the moment it is dated with, of a promotion before the inputs (L6).
  void role(std::size_t box, const controlplane::RoleChange& change, Moment decided);
  void gone(std::size_t box);
  /// From now on the box goes by that.
  void configured(std::size_t box, const config::Config& config);
  /// Something that may cost an answer: from now on promise 2 counts anew.
  void disturbed(Moment until);

  /// True iff it looks as if nobody had answered for too long: then, once every box has been caught
  /// up, settle_suspicion().
  bool suspicious() const;
  void settle_suspicion();
  /// The run is over.
  void finish();

  // What may be asked.
  election::Role role_of(std::size_t box, std::size_t slot) const { return at(box, slot).role; }
  /// REQUIRES: the box has been caught up.
  bool answering(std::size_t box, std::size_t slot) const;
  Moment last_answer(std::size_t slot) const { return last_any_[slot]; }
  Duration longest_wait() const;
  /// Longer than that.
  bool is_long(Duration silence) const;
  /// When this box took an advertisement of anybody from its ring last.
  Moment heard_at(std::size_t box, std::size_t slot) const { return at(box, slot).heard; }
  /// True iff the box has heard this or a later counter of the same sender since it started.
  bool knows(std::size_t box, std::size_t slot, Family family, std::uint64_t counter) const;
  std::uint64_t role_changes() const { return role_changes_; }
  bool failed() const { return !violation_.empty(); }
  const std::string& violation() const { return violation_; }
  void fail(const std::string& text);
  Duration longest_double() const { return longest_double_; }

 private:
  struct Arrival {
    Moment at{};
    std::size_t from = 0;           // box
    Moment queued = Moment::max();  // for control, by a worker
  };
  struct Slot {  // of a box
    election::Role role = election::Role::init;
    Term term;  // of the reign that follows
    Moment first{};
    Moment last = Moment::min();
    bool reigned = false;
    Moment left = Moment::max();  // MASTER
    // What has come to the box, and what control has learnt (I4).
    std::array<Arrival, 8> arrived{};  // a few of the last ones
    std::size_t arrivals = 0;
    Moment heard = Moment::min();
    Moment ordinary = Moment::min();  // an advertisement that is no bow-out and not demoted
    Moment backup_since = Moment::min();
    bool bow_out = false;
    Moment promoted = Moment::min();
    Moment advertised = Moment::min();
    bool promoted_after_bow_out = false;
    Term promoted_in;                                        // of the last promotion
    Moment first_advertised = Moment::max();                 // in that reign
    std::array<std::array<std::uint64_t, 16>, 2> highest{};  // counters, by family and node
    bool frames_lost = false;
    bool told = false;  // a command, a demotion
    std::uint8_t demotion = 0;
    bool peer_demoted = false;
    bool worse = false;
  };
  struct Pair {
    Moment through = Moment::min();  // the first advertisement that came, since one was lost last
    bool of_worse = false;           // it was the worse box's: the better one has to reply
  };

  Slot& at(std::size_t box, std::size_t slot) { return slots_[box * setup_.slots + slot]; }
  const Slot& at(std::size_t box, std::size_t slot) const {
    return slots_[box * setup_.slots + slot];
  }
  Pair& pair(std::size_t a, std::size_t b, std::size_t slot) {
    return pairs_[(std::min(a, b) * setup_.boxes + std::max(a, b)) * setup_.slots + slot];
  }
  void close(std::size_t box, std::size_t slot);
  void heard(std::size_t box, const VerifiedAdvert& advert);
  void frames_lost(std::size_t box);
  bool is_better(std::size_t box, std::uint8_t demoted, std::size_t other, std::size_t slot) const;
  void check_silence(std::size_t slot, Moment from, Moment until);
  Duration shortest_wait(std::size_t slot) const;
  void check_renewal(std::size_t box, std::size_t slot, const Slot& s);
  void check_double(std::size_t box, std::size_t other, std::size_t slot);
  void check_promotion(std::size_t box, const Slot& s, const controlplane::RoleChange& change,
                       Moment decided);
  void check_step_down(std::size_t box, const Slot& s, const controlplane::RoleChange& change);

  Setup setup_;
  Trace& trace_;
  const Moment& now_;
  Duration wire_{};
  std::vector<Member> members_;
  std::vector<Slot> slots_;
  std::vector<Pair> pairs_;
  std::vector<Moment> last_any_;  // by slot
  Moment undisturbed_since_{};
  struct Suspicion {
    std::size_t slot;
    Moment from;   // of a silence
    Moment until;  // when somebody answered
  };
  std::optional<Suspicion> suspicion_;
  std::uint64_t role_changes_ = 0;
  Duration longest_double_{};
  std::string violation_;
};

}  // namespace koi::sim
