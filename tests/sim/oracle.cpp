#include "tests/sim/oracle.h"

#include <algorithm>
#include <tuple>

#include "common/auth/replay.h"
#include "config/derived.h"
#include "controlplane/election/compare.h"
#include "controlplane/election/types.h"

namespace koi::sim {
namespace {

using election::Cause;
using election::Role;

constexpr Duration kCoverTolerance = 1ms;  // promise 1
/// Where the worse box's advertisement gets through first the better one replies, or falls silent:
/// within the tolerance if its control thread hangs, and once more if its worker does (C11.16).
constexpr Duration kReply = 2 * kCoverTolerance;
constexpr Duration kPromptly = 5ms;  // promise 2
/// How far apart two boxes' clocks may drift over a time.
Duration drift(Duration time) { return time / 1000; }

std::string us(Duration d) { return std::to_string(d.count() / 1000) + " us"; }

}  // namespace

Oracle::Oracle(const Setup& setup, Trace& trace, const Moment& now)
    : setup_(setup),
      trace_(trace),
      now_(now),
      members_(setup.boxes * setup.slots),
      slots_(setup.boxes * setup.slots),
      pairs_(setup.boxes * setup.boxes * setup.slots),
      last_any_(setup.slots, now),
      undisturbed_since_(now) {}

void Oracle::fail(const std::string& text) {
  if (failed()) return;
  violation_ = text;
  trace_.remark("VIOLATION: " + text);
}

// ---- I1: what could be answered ----------------------------------------------------------------

void Oracle::covers(std::size_t box, std::size_t slot, Term term, Moment from, Moment to) {
  Slot& s = at(box, slot);
  // Who stood still and could not answer meanwhile begins anew, in the same term.
  if (!s.reigned || s.term != term || from > s.last + kCoverTolerance) {
    close(box, slot);
    s.reigned = true;
    s.term = term;
    s.first = from;
    if (term == s.promoted_in && from < s.first_advertised) {
      fail("L11: box " + std::to_string(box) + " can answer for slot " + std::to_string(slot) +
           " in term " + std::to_string(term.value()) + ", of which it has not advertised");
    }
    trace_.note("answers", box, slot, from, [&] {
      return "box " + std::to_string(box) + " answers for slot " + std::to_string(slot) +
             " in term " + std::to_string(term.value());
    });
  }
  if (term == s.promoted_in && s.first_advertised != Moment::max() &&
      to - s.advertised > shortest_wait(slot)) {
    fail("L1: box " + std::to_string(box) + " can answer for slot " + std::to_string(slot) + " " +
         us(to - s.advertised) + " after its last advertisement");
  }
  if (s.left != Moment::max() && to > s.left + kCoverTolerance + 100us) {
    fail("I3: box " + std::to_string(box) + " can answer for slot " + std::to_string(slot) +
         ", but has been " + std::string(to_string(s.role)) + " for " + us(to - s.left));
  }
  const Moment since = std::max(last_any_[slot], undisturbed_since_);
  if (is_long(from - since)) suspicion_ = {slot, last_any_[slot], from};
  const Moment before = s.last;
  s.last = std::max(s.last, to);
  last_any_[slot] = std::max(last_any_[slot], to);
  for (std::size_t other = 0; other < setup_.boxes; ++other) {
    const Slot& o = at(other, slot);
    // What has been judged is not judged again: the wire may have become shorter since.
    if (other != box && o.reigned && o.last > before) check_double(box, other, slot);
  }
}

/// What is known of a reign that is over.
void Oracle::close(std::size_t box, std::size_t slot) {
  const Slot& s = at(box, slot);
  if (!s.reigned) return;
  trace_.note("answered", box, slot, s.last, [&] {
    return "box " + std::to_string(box) + " has answered for slot " + std::to_string(slot) +
           " for the last time in term " + std::to_string(s.term.value());
  });
}

void Oracle::finish() {
  for (std::size_t box = 0; box < setup_.boxes; ++box) {
    for (std::size_t slot = 0; slot < setup_.slots; ++slot) close(box, slot);
  }
}

void Oracle::check_double(std::size_t box, std::size_t other, std::size_t slot) {
  const Slot& a = at(box, slot);
  const Slot& b = at(other, slot);
  Moment began = std::max(a.first, b.first);
  const Moment ended = std::min(a.last, b.last);
  if (ended <= began) return;
  Duration allowed = 2 * wire_ + kCoverTolerance;
  if (setup_.lossy) {
    // Until an advertisement has come through, with none lost after it, there is no promise.
    const Pair& known = pair(box, other, slot);
    if (known.through < began || known.through > ended) return;
    began = known.through;
    if (known.of_worse) allowed = std::max(allowed, wire_ + kReply + kCoverTolerance);
  }
  // Others than koi do not reply to a worse advertisement: the better one's next one decides.
  if (!setup_.koi_dialect) {
    allowed += std::max(member(box, slot).interval, member(other, slot).interval);
  }
  longest_double_ = std::max(longest_double_, ended - began);
  if (ended - began <= allowed) return;
  fail("I1: boxes " + std::to_string(box) + " and " + std::to_string(other) +
       " both answered for slot " + std::to_string(slot) + " for " + us(ended - began) +
       (setup_.lossy ? " after an advertisement had come through" : "") + "; allowed are " +
       us(allowed));
}

void Oracle::through(std::size_t from, std::size_t to, std::size_t slot, Moment arrival,
                     std::uint8_t demoted) {
  Pair& known = pair(from, to, slot);
  const Moment began = std::max(at(from, slot).first, at(to, slot).first);
  // What it says counts: its sender may have been told otherwise since.
  const std::uint8_t sender = setup_.counts_demotion ? demoted : at(from, slot).demotion;
  if (known.through < began) known = {arrival, !is_better(from, sender, to, slot)};
}

/// Dialect koi: fewer demotions, then the shorter interval, then the higher rank.
bool Oracle::is_better(std::size_t box, std::uint8_t demoted, std::size_t other,
                       std::size_t slot) const {
  const auto key = [&](std::size_t b, std::uint8_t demotion) {
    return std::tuple(demotion, member(b, slot).interval, ~member(b, slot).rank);
  };
  return key(box, demoted) < key(other, at(other, slot).demotion);
}

void Oracle::arrives(std::size_t from, std::size_t box, std::size_t slot, Moment arrival) {
  Slot& s = at(box, slot);
  s.arrived[s.arrivals++ % s.arrived.size()] = {.at = arrival, .from = from};
}

void Oracle::queued(std::size_t box, std::size_t slot, Moment arrival) {
  for (Arrival& one : at(box, slot).arrived) {
    if (one.at == arrival) one.queued = std::min(one.queued, now_);
  }
}

void Oracle::overtaken(std::size_t from, std::size_t box, std::size_t slot, Moment arrival) {
  for (Arrival& one : at(box, slot).arrived) {
    if (one.from == from && one.at >= arrival) one = {};
  }
}

void Oracle::lost(std::size_t from, std::size_t to) {
  for (std::size_t slot = 0; slot < setup_.slots; ++slot) {
    pair(from, to, slot).through = Moment::min();
  }
}

void Oracle::configured(std::size_t box, const config::Config& config) {
  const config::Group& group = config.groups[0];
  Duration longest{};
  for (std::size_t slot = 0; slot < setup_.slots; ++slot) {
    Member& m = member(box, slot);
    const bool again = m.changed != Moment::min() && now_ - m.changed <= m.master_down;
    const std::uint8_t advskew = config::members_of(group)[slot].advskew;
    longest = std::max(longest, m.master_down);
    m.least_wait = again ? std::min(m.least_wait, m.master_down) : m.master_down;
    m.least_interval = again ? std::min(m.least_interval, m.interval) : m.interval;
    m.preempted = (again && m.preempted) || m.preempt;
    m.changed = now_;
    m.master_down = election::master_down_interval(group.advbase, advskew, 3);
    m.interval = election::send_interval(group.advbase, advskew);
    m.preempt = group.preempt;
    // Which one is better is not known of what is under way.
    for (std::size_t other = 0; other < setup_.boxes; ++other) {
      if (other != box) pair(box, other, slot).through = Moment::min();
    }
  }
  disturbed(now_ + longest + drift(longest));  // a timer that was armed before
}

// ---- I2: that somebody answers -----------------------------------------------------------------

void Oracle::disturbed(Moment until) { undisturbed_since_ = std::max(undisturbed_since_, until); }

bool Oracle::is_long(Duration silence) const {
  return silence > kPromptly && silence > longest_wait();  // mostly the first says no
}

Duration Oracle::longest_wait() const {
  Duration longest{};
  for (const Member& member : members_) longest = std::max(longest, member.master_down);
  return longest + drift(longest) + kPromptly + wire_;
}

bool Oracle::suspicious() const {
  if (suspicion_) return true;
  return std::any_of(last_any_.begin(), last_any_.end(), [&](Moment last) {
    return is_long(now_ - std::max(last, undisturbed_since_));
  });
}

void Oracle::settle_suspicion() {
  if (suspicion_) check_silence(suspicion_->slot, suspicion_->from, suspicion_->until);
  suspicion_.reset();
  for (std::size_t slot = 0; slot < setup_.slots; ++slot) {
    check_silence(slot, last_any_[slot], now_);
  }
}

void Oracle::check_silence(std::size_t slot, Moment from, Moment until) {
  Moment last = std::max(from, undisturbed_since_);
  for (std::size_t box = 0; box < setup_.boxes; ++box) {
    const Slot& s = at(box, slot);
    if (s.reigned && s.first < until) last = std::max(last, std::min(s.last, until));
  }
  if (!is_long(until - last)) return;
  fail("I2: nobody answered for slot " + std::to_string(slot) + " for " + us(until - last) +
       " although a box was well");
}

bool Oracle::answering(std::size_t box, std::size_t slot) const {
  const Slot& s = at(box, slot);
  return s.reigned && now_ - s.last < 1ms;
}

// ---- I3 ----------------------------------------------------------------------------------------

void Oracle::sent(std::size_t box, const TransmitFrame& frame) {
  if (frame.kind == FrameKind::own) return;  // no virtual MAC
  Slot& s = at(box, frame.slot.value());
  if (frame.kind == FrameKind::advertisement) {
    check_renewal(box, frame.slot.value(), s);
    s.advertised = now_;
    if (frame.term == s.promoted_in) s.first_advertised = std::min(s.first_advertised, now_);
  }
  const bool resigns = frame.kind == FrameKind::bow_out;
  if (resigns != (s.role == Role::master)) return;
  fail("I3: box " + std::to_string(box) + ", " + std::string(to_string(s.role)) + ", sent " +
       (resigns ? "a bow-out" : "a frame from the virtual MAC"));
}

/// How long the quickest box waits after an advertisement: who sent it is silent by then (T25).
Duration Oracle::shortest_wait(std::size_t slot) const {
  Duration shortest = Duration::max();
  for (std::size_t box = 0; box < setup_.boxes; ++box) {
    shortest = std::min(shortest, member(box, slot).master_down);
  }
  return shortest;
}

/// L4, L6: after that the reign is over, and is not revived.
void Oracle::check_renewal(std::size_t box, std::size_t slot, const Slot& s) {
  if (s.first_advertised == Moment::max() || now_ - s.advertised <= shortest_wait(slot)) return;
  fail("L4: box " + std::to_string(box) + " advertised for slot " + std::to_string(slot) +
       " again after " + us(now_ - s.advertised) + ", in the same reign");
}

void Oracle::answered(std::size_t box, std::size_t slot) {
  trace_.note("replies", box, slot);
  if (at(box, slot).role == Role::master) return;
  fail("I3: box " + std::to_string(box) + " answered, but is " +
       std::string(to_string(at(box, slot).role)));
}

// ---- I4: no change of role without a reason ----------------------------------------------------

void Oracle::learnt(std::size_t box, const UpMessage& message) {
  if (const auto* gap = std::get_if<PollGap>(&message)) {
    if (gap->frames_lost) frames_lost(box);
  } else if (std::holds_alternative<UpRingOverflow>(message)) {
    frames_lost(box);
  } else if (const auto* advert = std::get_if<VerifiedAdvert>(&message)) {
    heard(box, *advert);
  }
}

bool Oracle::knows(std::size_t box, std::size_t slot, Family family, std::uint64_t counter) const {
  const auto& highest = at(box, slot).highest[static_cast<std::size_t>(family)];
  return highest[auth::node_of(counter).value() % highest.size()] >= counter;
}

void Oracle::frames_lost(std::size_t box) {
  for (std::size_t slot = 0; slot < setup_.slots; ++slot) at(box, slot).frames_lost = true;
}

void Oracle::heard(std::size_t box, const VerifiedAdvert& advert) {
  Slot& s = at(box, advert.slot.value());
  if (trace_.wanted()) {
    trace_.remark("box " + std::to_string(box) + " learns of " + std::to_string(advert.advbase) +
                  "/" + std::to_string(advert.advskew) + ", demoted " +
                  std::to_string(advert.demote) + ", " +
                  (advert.family == Family::ipv4 ? "IPv4" : "IPv6") + ", number " +
                  std::to_string(advert.counter >> auth::kNodeIdBits) + " of node " +
                  std::to_string(auth::node_of(advert.counter).value()));
  }
  if (setup_.koi_dialect) {  // one that came to two workers decides nothing the second time
    auto& highest = s.highest[static_cast<std::size_t>(advert.family)]
                             [auth::node_of(advert.counter).value() % s.highest[0].size()];
    if (advert.counter <= highest) return;
    highest = advert.counter;
  }
  s.heard = now_;
  const Duration theirs = election::interval_of(advert);
  const bool more_demoted = setup_.counts_demotion && advert.demote > s.demotion;
  if (election::is_bow_out(advert)) {
    s.bow_out = true;
    if (setup_.koi_dialect) return;
    s.worse = true;                                   // elsewhere it is one more worse master
    s.peer_demoted = s.peer_demoted || more_demoted;  // the first one counts
    return;
  }
  if (more_demoted) {
    s.peer_demoted = true;
    if (theirs > member(box, advert.slot.value()).interval) s.worse = true;
    return;
  }
  s.ordinary = now_;
  s.bow_out = false;
  s.peer_demoted = false;
  s.worse = theirs > member(box, advert.slot.value()).interval;
}

void Oracle::commanded(std::size_t box, const controlplane::Command& command) {
  for (std::size_t slot = 0; slot < setup_.slots; ++slot) {
    at(box, slot).told = true;
    if (const auto* demotion = std::get_if<controlplane::SetDemotion>(&command)) {
      at(box, slot).demotion = demotion->count;
    }
  }
}

void Oracle::role(std::size_t box, const controlplane::RoleChange& change, Moment decided) {
  Slot& s = at(box, change.slot.value());
  ++role_changes_;
  trace_.note(to_string(change.to), box, static_cast<std::uint64_t>(change.cause), now_, [&] {
    return "box " + std::to_string(box) + " slot " + std::to_string(change.slot.value()) + ": " +
           std::string(to_string(change.from)) + " to " + std::string(to_string(change.to)) + ", " +
           std::string(to_string(change.cause)) + ", term " + std::to_string(change.term.value());
  });
  if (change.from != s.role) fail("I4: box " + std::to_string(box) + " changed from another role");
  if (change.to == Role::master) {
    check_promotion(box, s, change, decided);
    s.promoted = now_;
    s.promoted_in = change.term;
    s.promoted_after_bow_out = s.bow_out;
    s.first_advertised = Moment::max();
    s.left = Moment::max();
  } else if (change.from == Role::master) {
    check_step_down(box, s, change);
  }
  if (change.from == Role::master) {
    s.told = false;
    s.left = now_;
  }
  s.role = change.to;
  // C7.11: of a promotion that never let it answer, the reason remains; its timers still count.
  const bool came_to_nothing = change.from == Role::master &&
                               change.cause == Cause::lease_expired &&
                               !(s.reigned && s.term == change.term);
  s.bow_out = came_to_nothing && s.promoted_after_bow_out;
  s.peer_demoted = s.worse = s.frames_lost = false;
  if (change.to == Role::backup && !came_to_nothing) s.backup_since = decided;
}

void Oracle::check_promotion(std::size_t box, const Slot& s, const controlplane::RoleChange& change,
                             Moment decided) {
  const Member& m = member(box, change.slot.value());
  const bool before = std::max(s.ordinary, s.backup_since) <= m.changed;
  const Duration wait = before ? std::min(m.master_down, m.least_wait) : m.master_down;
  const Duration least = wait - drift(wait) - kCoverTolerance;
  const Duration silence = now_ - std::max(s.ordinary, s.backup_since);
  bool lawful = false;
  switch (change.cause) {
    case Cause::master_down:
    case Cause::deaf:
      lawful = silence >= least;
      // L9: what came before the timer fell due has been heard, however late control looks; L6: so
      // has what was waiting for it.
      for (const auto& [arrived, from, queued] : s.arrived) {
        const Moment due = std::min(decided, std::max(s.ordinary, s.backup_since) + least);
        const bool waited =
            (arrived < due - kCoverTolerance || queued < decided - kCoverTolerance) &&
            arrived > s.backup_since;
        if (!waited || decided - arrived >= least) continue;
        fail("I4: box " + std::to_string(box) + " became MASTER by " +
             std::string(to_string(change.cause)) + " over an advertisement that came " +
             us(decided - arrived) + " before");
      }
      break;
    case Cause::bow_out:
      lawful = s.bow_out || !setup_.koi_dialect;
      break;
    case Cause::peer_demoted:
      lawful = s.peer_demoted;
      break;
    case Cause::preempt:
      lawful = s.worse && (m.preempt || (before && m.preempted));
      break;
    default:
      break;
  }
  if (lawful) return;
  fail("I4: box " + std::to_string(box) + " became MASTER by " +
       std::string(to_string(change.cause)) + " without one; silent for " + us(silence));
}

void Oracle::check_step_down(std::size_t box, const Slot& s,
                             const controlplane::RoleChange& change) {
  const Member& m = member(box, change.slot.value());
  const Duration least_interval =
      s.advertised <= m.changed ? std::min(m.interval, m.least_interval) : m.interval;
  const Duration unsent = now_ - std::max(s.promoted, s.advertised);
  bool lawful = false;
  switch (change.cause) {
    case Cause::better_advertisement:
      lawful = s.heard >= s.promoted;
      break;
    case Cause::lease_expired:
      // Control may have been paused after it had dated its promotion.
      if (undisturbed_since_ >= now_) return;
      // The first one may have left too late for L4, or have been noted so.
      lawful = unsent >= (s.advertised < s.promoted ? 900us : least_interval) ||
               (s.first_advertised <= now_ && s.first_advertised - s.promoted >= 900us);
      break;
    case Cause::frames_lost:
      lawful = s.frames_lost;
      break;
    case Cause::demoted:
    case Cause::shutdown:
    case Cause::link_down:
      lawful = s.told;
      break;
    case Cause::tied:
      lawful = true;
      break;
    default:
      break;
  }
  if (lawful) return;
  fail("I4: box " + std::to_string(box) + " left MASTER by " +
       std::string(to_string(change.cause)) + " without one");
}

void Oracle::gone(std::size_t box) {
  for (std::size_t slot = 0; slot < setup_.slots; ++slot) {
    close(box, slot);
    const Moment last = at(box, slot).last;
    at(box, slot) = Slot{};
    at(box, slot).last = last;
  }
}

}  // namespace koi::sim
