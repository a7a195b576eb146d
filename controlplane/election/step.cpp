#include "controlplane/election/step.h"

#include <algorithm>

namespace koi::election {
namespace {

constexpr std::uint8_t kAnnounceAgainAfter = 3;  // the first advertisement and two more
constexpr Duration kRetryAfter = 200us;

constexpr std::array kAllFamilies = {Family::ipv4, Family::ipv6};

class Machine {
 public:
  Machine(const Parameters& parameters, State& state, Instant now)
      : p_(parameters), s_(state), now_(now) {}

  Actions take() const { return actions_; }

  // OpenBSD carp_proto_input_c(), FreeBSD carp_input_c(); protocol.md §7.
  void on(const VerifiedAdvert& ad) {
    if (s_.role == Role::init) return;
    if (is_duplicate(ad)) return raise(Notice::duplicate_advertisement);
    note_oddities(ad);
    s_.last_heard = now_;
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
    const Timer timer = due.timer;
    s_.disarm(timer);
    if (s_.role == Role::master) {
      if (timer == Timer::advertisement) advertise();
      if (timer == Timer::refresh) announce();
    } else if (s_.role == Role::backup) {
      if (timer == Timer::takeover) become_master(s_.takeover_cause);
      if (timer == Timer::master_down_ipv4 || timer == Timer::master_down_ipv6) {
        // design.md, dialect koi: while one family is heard, the other's silence changes no role.
        if (p_.is_koi() && another_family_is_heard(timer)) {
          s_.arm(timer, now_ + p_.master_down());
          return raise(Notice::family_quiet);
        }
        become_master(Cause::master_down);
      }
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
    s_.master_known = false;
    transition(Role::init, Cause::link_down);
  }

  void on(const DemotionChanged& change) {
    const std::uint8_t before = s_.demotion;
    s_.demotion = change.count;
    // A demoted master is no reason any more for a box that is demoted itself.
    if (change.count > before && s_.takeover_cause == Cause::peer_demoted) {
      s_.disarm(Timer::takeover);
    }
    if (s_.role != Role::master || change.count == before) return;
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

  void on(const LeaseExpired&) {
    if (s_.role == Role::master) become_backup(Cause::lease_expired);
  }

  void on(const FramesLost&) {
    if (s_.role == Role::master) {
      become_backup(Cause::frames_lost);
    } else if (s_.role == Role::backup) {
      s_.disarm(Timer::takeover);
      arm_master_down();
    }
  }

 private:
  // RFC says: nothing, CARP has none. OpenBSD: step down for an equal advertisement; both boxes
  // may. We do, between koi boxes: the higher source address stays.
  bool is_better_than_us(const VerifiedAdvert& ad) const {
    if (ad.demote != s_.demotion && reads_demote()) return ad.demote < s_.demotion;
    const Duration mine = send_interval_of_ours();
    const Duration theirs = interval_of(ad);
    if (mine != theirs || !p_.is_koi()) return mine >= theirs;
    if (ad.source != p_.source) return ad.source > p_.source;
    return auth::node_of(ad.counter) > p_.node;  // two boxes with one address: still one stays
  }

  void master_hears(const VerifiedAdvert& ad) {
    if (is_bow_out(ad)) return;
    if (is_better_than_us(ad)) {
      remember_master(ad);
      return become_backup(Cause::better_advertisement);
    }
    if (p_.is_koi()) advertise();  // a worse master: tell it at once
  }

  void backup_hears(const VerifiedAdvert& ad) {
    if (is_bow_out(ad) && p_.is_koi()) return bow_out_heard(ad);
    const bool from_better = s_.demotion > ad.demote && reads_demote();
    remember_master(ad);
    if (p_.preempt && send_interval_of_ours() < interval_of(ad) && !from_better) {
      return become_master(Cause::preempt);
    }
    if (reads_demote() && ad.demote > s_.demotion) {
      return arm_takeover(Cause::peer_demoted, takeover_delay(p_.advskew));
    }
    // "guaranteed to time out": also how the BSDs and UCarp understand a bow-out.
    if (!p_.is_koi() && p_.advbase != 0 &&
        master_down_interval(p_.advbase, effective_advskew(p_, s_), 3) < interval_of(ad)) {
      return arm_takeover(Cause::bow_out, Duration::zero());
    }
    s_.disarm(Timer::takeover);
    s_.arm(master_down_timer(ad.family), now_ + p_.master_down());
  }

  // design.md, dialect koi: only from the address last heard as master, at every advbase.
  void bow_out_heard(const VerifiedAdvert& ad) {
    if (!s_.master_known || s_.master.address != ad.source) return raise(Notice::bow_out_refused);
    arm_takeover(Cause::bow_out, takeover_delay(p_.advskew));
  }

  void arm_takeover(Cause cause, Duration delay) {
    if (s_.timer(Timer::takeover) != kNever) return;  // the first one counts
    s_.takeover_cause = cause;
    s_.arm(Timer::takeover, now_ + delay);
  }

  void become_master(Cause cause) {  // L11: term and view, advertisement, announcement
    disarm_all();
    s_.stepping_down = false;
    s_.master_known = false;
    s_.sent_since_promotion = 0;
    transition(Role::master, cause);
    advertise();
    announce();
  }

  void become_backup(Cause cause) {
    disarm_all();
    arm_master_down();
    transition(Role::backup, cause);
  }

  void step_down(Cause cause) {  // L10: first silent, then the bow-out
    become_backup(cause);
    s_.master_known = false;
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
    actions_.add(Announce{});
    if (p_.announce_refresh > Duration::zero()) s_.arm(Timer::refresh, now_ + p_.announce_refresh);
  }

  bool is_duplicate(const VerifiedAdvert& ad) {
    if (!p_.is_koi()) return false;
    return s_.guard.check(ad.counter, p_.node, UINT64_MAX) != auth::ReplayGuard::Result::fresh;
  }

  void note_oddities(const VerifiedAdvert& ad) {
    if (ad.counter_went_back) raise(Notice::counter_went_back);
    if (!ad.same_parameters) raise(Notice::parameters_changed);
    const bool lawful = p_.is_koi() || ad.advbase != 0;  // only koi boxes use advbase 0 (§16)
    if (lawful && !is_bow_out(ad) && ad.advbase < s_.smallest_advbase) {
      s_.smallest_advbase = ad.advbase;  // L5: never forgotten while we run
      if (ad.advbase < p_.advbase) raise(Notice::advbase_differs);
    }
  }

  void remember_master(const VerifiedAdvert& ad) {
    s_.master_known = true;
    s_.master = HeardMaster{ad.source, ad.source_mac, ad.advbase, ad.advskew, ad.demote, now_};
  }

  bool another_family_is_heard(Timer timer) const {
    for (const Family f : kAllFamilies) {
      if ((p_.families & family_bit(f)) == 0 || master_down_timer(f) == timer) continue;
      const Instant other = s_.timer(master_down_timer(f));
      if (other != kNever && other > now_) return true;
    }
    return false;
  }

  void arm_master_down() {
    for (const Family f : kAllFamilies) {
      if ((p_.families & family_bit(f)) != 0) s_.arm(master_down_timer(f), now_ + p_.master_down());
    }
  }

  bool reads_demote() const {
    return p_.dialect == config::Dialect::koi || p_.dialect == config::Dialect::openbsd;
  }
  Duration send_interval_of_ours() const {
    return std::chrono::seconds(p_.advbase) + skew(effective_advskew(p_, s_));
  }
  static Duration interval_of(const VerifiedAdvert& ad) {
    return std::chrono::seconds(ad.advbase) + skew(ad.advskew);
  }
  static bool is_bow_out(const VerifiedAdvert& ad) {
    return ad.advbase == 255 && ad.advskew == 255;
  }
  void disarm_all() { s_.timers.fill(kNever); }
  void raise(Notice notice) { actions_.add(Raise{notice}); }

  const Parameters& p_;
  State& s_;
  const Instant now_;
  Actions actions_;
};

}  // namespace

Actions step(const Parameters& parameters, State& state, const Event& event, Instant now) {
  Machine machine(parameters, state, now);
  std::visit([&](const auto& e) { machine.on(e); }, event);
  return machine.take();
}

}  // namespace koi::election
