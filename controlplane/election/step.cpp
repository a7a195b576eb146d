#include "controlplane/election/step.h"

#include <algorithm>

#include "controlplane/election/compare.h"

namespace koi::election {
namespace {

constexpr std::uint8_t kAnnounceAgainAfter = 3;  // the first advertisement and two more
constexpr Duration kRetryAfter = 200us;
constexpr Duration kReannounceAfter = 1s;       // after a worse master was heard
constexpr Duration kReannounceAgainAfter = 4s;  // and that much later, hence at 5 s
constexpr Duration kBetweenDefences = 10s;

class Machine {
 public:
  Machine(const Parameters& parameters, State& state, Instant now)
      : p_(parameters), s_(state), now_(now) {}

  Actions take() const { return actions_; }

  // OpenBSD carp_proto_input_c(), FreeBSD carp_input_c(); protocol.md §7.
  void on(const VerifiedAdvert& ad) {
    // An OpenBSD peer also sends IPv6 ones for its automatic link-local address alone.
    if (s_.role == Role::init || !p_.has(ad.family)) return;
    if (is_duplicate(ad)) return raise(Notice::duplicate_advertisement);
    note_oddities(ad);
    s_.last_heard = now_;
    s_.unearned = 0;
    s_.probe_until = kNever;
    if (s_.role == Role::master) {
      master_hears(ad);
    } else {
      backup_hears(ad);
    }
  }

  void on(const TransmitRefused&) {
    if (s_.role != Role::master) return;
    s_.arm(Timer::advertisement, std::min(s_.timer(Timer::advertisement), now_ + kRetryAfter));
  }

  void on(const TimerDue& due) {
    s_.disarm(due.timer);
    if (s_.role == Role::master) {
      if (due.timer == Timer::advertisement) advertise();
      if (due.timer == Timer::refresh) announce();
      if (due.timer == Timer::reannounce) reannounce();
    } else if (s_.role == Role::backup) {
      if (due.timer == Timer::listen && due.deaf) ask_around();
      if (due.timer == Timer::takeover) become_master(s_.takeover_cause);
      if (due.timer == Timer::preempt) become_master(Cause::preempt);
      if (due.timer == Timer::master_down_ipv4) master_is_silent(Family::ipv4, due.deaf);
      if (due.timer == Timer::master_down_ipv6) master_is_silent(Family::ipv6, due.deaf);
    }
  }

  // protocol.md §6: INIT -> BACKUP always, never straight to MASTER.
  void on(const LinkUp&) {
    if (s_.role == Role::init) become_backup(Cause::link_up);
  }

  void on(const LinkDown&) {
    if (s_.role == Role::init) return;
    disarm_all();
    s_.stepping_down = false;
    forget_master();
    transition(Role::init, Cause::link_down);
  }

  void on(const DemotionChanged& change) {
    const std::uint8_t before = s_.demotion;
    s_.demotion = saturated(change.count);
    if (s_.demotion > before) {
      // A demoted or worse master is no reason any more for a box that is demoted itself.
      if (s_.takeover_cause == Cause::peer_demoted && s_.timer(Timer::takeover) != kNever) {
        s_.disarm(Timer::takeover);
        arm_master_down();  // the master that was to be relieved counts as heard
      }
      s_.disarm(Timer::preempt);
    }
    if (s_.role != Role::master || s_.demotion == before) return;
    if (before == 0) return step_down(Cause::demoted);
    advertise();  // the others decide by it: at once
  }

  void on(const StepDown& down) {
    if (s_.role == Role::master) step_down(down.cause);
  }

  void on(const WorkersSilent&) {
    if (!s_.stepping_down) return;
    s_.stepping_down = false;
    actions_.add(SendBowOut{});
  }

  void on(const LeaseExpired& lease) {
    if (s_.role != Role::master) return;
    const Cause promoted = s_.cause;
    const bool alone = s_.last_heard < s_.since;
    become_backup(Cause::lease_expired);
    if (lease.earned) {
      s_.unearned = 0;
    } else if (alone) {
      try_again(promoted);
    }
  }

  void on(const FramesLost&) {
    if (s_.role == Role::master) {
      become_backup(Cause::frames_lost);
    } else if (s_.role == Role::backup) {
      s_.disarm(Timer::takeover);
      s_.disarm(Timer::preempt);
      arm_master_down();
    }
  }

  void on(const ConflictSeen& conflict) {  // never a role change because of it
    const bool is_claim = conflict.kind == ConflictKind::address_claim;
    // A UCarp answers with its interface's own MAC: as the master by right, and when it takes over
    // it says so before its advertisement; a defence would have the clients keep ours.
    const bool may_be_ucarp = p_.dialect == config::Dialect::ucarp && is_claim;
    if (may_be_ucarp && s_.role != Role::master) return;
    raise(notice_of(conflict.kind));
    const bool defend = is_claim || conflict.kind == ConflictKind::virtual_mac;
    if (!defend || may_be_ucarp || s_.role != Role::master || now_ < s_.next_defence) return;
    s_.next_defence = now_ + kBetweenDefences;
    announce();
  }

 private:
  void master_hears(const VerifiedAdvert& ad) {
    if (is_bow_out(ad)) {
      // Its sender was a MASTER, too, and the switches have just learnt our virtual MAC from it.
      if (p_.is_koi()) worse_master_heard();
      return;
    }
    if (!is_better(p_, s_, ad)) return worse_master_heard();
    become_backup(Cause::better_advertisement);
    note_better(ad);
    remember_master(ad);
  }

  // A partition healed: the others and the switches are to know at once who stays. Between koi
  // boxes by an advertisement, too; UCarp and the BSDs send none out of turn.
  void worse_master_heard() {
    if (p_.is_koi()) advertise();
    if (s_.timer(Timer::reannounce) != kNever) return;  // under way: not from the start again
    s_.reannounced = false;
    s_.arm(Timer::reannounce, now_ + kReannounceAfter);
    announce();
  }

  void reannounce() {
    if (!s_.reannounced) s_.arm(Timer::reannounce, now_ + kReannounceAgainAfter);
    s_.reannounced = true;
    announce();
  }

  // OpenBSD's order (protocol.md §7); a preempt that waits comes last.
  void backup_hears(const VerifiedAdvert& ad) {
    if (is_bow_out(ad) && p_.is_koi()) return bow_out_heard(ad);
    const bool overruled = note_better(ad);
    if (!overruled) remember_master(ad);
    const bool preempts = !overruled && may_preempt(p_, s_, ad);
    if (preempts && p_.preempt_delay == Duration::zero() && !p_.tied) {
      return become_master(Cause::preempt);
    }
    if (!overruled && is_more_demoted(p_, s_, ad)) return arm_takeover(Cause::peer_demoted);
    if (!p_.is_koi() && will_time_out(p_, s_, ad)) return arm_takeover(Cause::bow_out);
    s_.disarm(Timer::takeover);
    s_.silent_at[index_of(ad.family)] = now_ + p_.master_down();
    s_.arm(master_down_timer(ad.family), now_ + p_.master_down());
    s_.arm(Timer::listen, now_ + p_.ask_after());
    if (!preempts) return s_.disarm(Timer::preempt);
    if (s_.timer(Timer::preempt) == kNever) s_.arm(Timer::preempt, now_ + p_.preempt_delay);
  }

  // design.md, dialect koi: only from the address last heard as master, at every advbase.
  void bow_out_heard(const VerifiedAdvert& ad) {
    const HeardMaster::Source& master = s_.master.source(ad.family);
    if (!s_.master_known || !master.known || master.address != ad.source) {
      return raise(Notice::bow_out_refused);
    }
    s_.better_until = Instant{};
    arm_takeover(Cause::bow_out);
  }

  /// C8.14, between koi boxes: where several rise at once, the best of them silences the others; a
  /// third one that heard it must not rise over the next one's advertisement. Returns true iff this
  /// advertisement is such a one.
  bool note_better(const VerifiedAdvert& ad) {
    if (!p_.is_koi()) return false;
    const NodeId node = auth::node_of(ad.counter);
    if (is_better(p_, s_, ad)) {
      s_.better_node = node;
      s_.better_until = now_ + p_.master_down();
    } else if (node == s_.better_node) {
      s_.better_until = Instant{};  // it is not better any more
    }
    return now_ < s_.better_until && node != s_.better_node;
  }

  /// After a delay between koi boxes, so that the best of several rises first; else at once.
  void arm_takeover(Cause cause) {
    s_.disarm(Timer::preempt);
    if (s_.timer(Timer::takeover) != kNever) return;  // the first one counts
    s_.takeover_cause = cause;
    s_.arm(Timer::takeover, now_ + (p_.is_koi() ? takeover_delay(p_.advskew) : Duration::zero()));
  }

  // design.md, dialect koi: while one family is heard, the other's silence changes no role. Its
  // timer then ends with the other's, for the advertisements of one tick are not quite simultaneous
  // and the last of them counts.
  void master_is_silent(Family family, bool deaf) {
    const Family other = family == Family::ipv4 ? Family::ipv6 : Family::ipv4;
    const Instant other_silent = s_.silent_at[index_of(other)];
    if (p_.is_koi() && p_.has(other) && other_silent > now_) {
      s_.arm(master_down_timer(family), other_silent);
      if (other_silent - now_ > p_.master_down() / 4) raise(Notice::family_quiet);
      return;
    }
    if (!deaf) return become_master(Cause::master_down);
    ask_around();  // unless that was done in time
    if (now_ < s_.probe_until) return s_.arm(master_down_timer(family), s_.probe_until);
    if (p_.takeover_when_deaf) return become_master(Cause::deaf);
    raise(Notice::deaf);
    s_.probe_until = kNever;
    arm_master_down();
  }

  void ask_around() {
    if (s_.probe_until != kNever) return;
    s_.probe_until = now_ + probe_time(p_.advbase, p_.advskew);
    actions_.add(Probe{});
  }

  void become_master(Cause cause) {  // L11: term and view, advertisement, announcement
    disarm_all();
    s_.stepping_down = false;
    forget_master();
    s_.sent_since_promotion = 0;
    transition(Role::master, cause);
    advertise();
    announce();
  }

  // C7.11: nobody was heard and nobody answered since there was reason to rise, so there is still.
  void try_again(Cause cause) {
    const Duration wait = std::min(retry_after(s_.unearned), p_.master_down());
    if (cause == Cause::master_down || cause == Cause::deaf) {
      arm_master_down(wait);
    } else if (cause == Cause::bow_out) {
      s_.arm(Timer::takeover, now_ + wait);
    } else {
      return;  // a live master's next advertisement is to be heard
    }
    if (s_.unearned < UINT8_MAX) ++s_.unearned;
  }

  void become_backup(Cause cause) {
    disarm_all();
    arm_master_down();
    transition(Role::backup, cause);
  }

  void step_down(Cause cause) {  // L10: first silent, then the bow-out
    become_backup(cause);
    s_.stepping_down = true;
  }

  /// The one place where a role changes.
  void transition(Role to, Cause cause) {
    actions_.add(ChangeRole{s_.role, to, cause});
    s_.role = to;
    s_.cause = cause;
    s_.since = now_;
  }

  void advertise() {
    actions_.add(SendAdvertisement{});
    s_.arm(Timer::advertisement, now_ + send_interval(p_.advbase, effective_advskew(p_, s_)));
    if (s_.sent_since_promotion < kAnnounceAgainAfter &&
        ++s_.sent_since_promotion == kAnnounceAgainAfter) {
      announce();  // protocol.md §9: again after two advertisements
    }
  }

  void announce() {
    if (announced_) return;  // once in a step
    announced_ = true;
    actions_.add(Announce{});
    if (p_.announce_refresh > Duration::zero()) s_.arm(Timer::refresh, now_ + p_.announce_refresh);
  }

  bool is_duplicate(const VerifiedAdvert& ad) {
    if (!p_.is_koi()) return false;
    return s_.guards[index_of(ad.family)].check(ad.counter, ad.family, p_.node, UINT64_MAX) !=
           auth::ReplayGuard::Result::fresh;
  }

  void note_oddities(const VerifiedAdvert& ad) {
    if (ad.counter_went_back) raise(Notice::counter_went_back);
    if (!ad.same_parameters) raise(Notice::parameters_changed);
    // C7.10: beside others a replay may say 0, and our lease would end before it is renewed.
    const bool lawful = p_.is_koi() || ad.advbase != 0;
    if (lawful && !is_bow_out(ad) && ad.advbase < s_.smallest_advbase) {
      s_.smallest_advbase = ad.advbase;  // L5: never forgotten while we run
      if (ad.advbase < p_.advbase) raise(Notice::advbase_differs);
    }
  }

  void remember_master(const VerifiedAdvert& ad) {
    s_.master.note(ad, now_, p_.master_down());
    s_.master_known = true;
  }

  void forget_master() {
    s_.master_known = false;
    s_.master = HeardMaster{};
    s_.better_until = Instant{};
  }

  void arm_master_down() {
    s_.arm(Timer::listen, now_ + p_.ask_after());
    arm_master_down(p_.master_down());
  }
  void arm_master_down(Duration wait) {
    for (const Family f : kFamilies) {
      if (!p_.has(f)) continue;
      s_.silent_at[index_of(f)] = now_ + wait;
      s_.arm(master_down_timer(f), now_ + wait);
    }
  }

  void disarm_all() {
    s_.timers.fill(kNever);
    s_.probe_until = kNever;
  }
  void raise(Notice notice) { actions_.add(Raise{notice}); }

  const Parameters& p_;
  State& s_;
  const Instant now_;
  Actions actions_;
  bool announced_ = false;
};

}  // namespace

Actions step(const Parameters& parameters, State& state, const Event& event, Instant now) {
  Machine machine(parameters, state, now);
  std::visit([&](const auto& e) { machine.on(e); }, event);
  return machine.take();
}

}  // namespace koi::election
