#pragma once

#include <algorithm>

namespace koi::test {

/// FreeBSD's election of one virtual host (10 and later; NetBSD's but for the demotion), written
/// from protocol.md §6 to §8 as an oracle: it calls none of our code. Time is in microseconds.
///
/// Advertisements of advskew that is a multiple of 4 have whole microseconds, so that rounding
/// decides nothing.
class FreebsdModel {
 public:
  enum State { kInit, kBackup, kMaster };
  static constexpr long long kOff = -1;

  long advbase = 1;  // at least 1
  long advskew = 0;
  bool preempt = false;
  bool v4 = true, v6 = false;  // families with addresses

  State state = kInit;
  long demotion = 0;  // one global integer; each cause adds 240
  long long ad_due = kOff;
  long long down_due[2] = {kOff, kOff};  // of IPv4 and of IPv6
  long ads_sent = 0;

  // What an advertisement carries: the sum, between 0 and 240; byte 4 is a pad.
  long shown_advskew() const { return std::max(0L, std::min(240L, advskew + demotion)); }
  long shown_demote() const { return 0; }

  void link_up(long long now) {
    if (state == kInit) to_backup(now);
  }
  void link_down() {
    state = kInit;
    stop();
  }

  void time(long long now) {
    if (state == kBackup && (over(down_due[0], now) || over(down_due[1], now))) to_master(now);
    if (state == kMaster && over(ad_due, now)) advertise(now);
  }

  /// family: 0 for IPv4, 1 for IPv6. The pad is ignored.
  void hear(long long now, int family, long base, long skew, long /*pad*/) {
    const long long mine = interval(advbase, shown_advskew()), theirs = interval(base, skew);
    if (state == kMaster) {
      if (mine >= theirs) to_backup(now);
    } else if (state == kBackup) {
      if ((preempt && mine < theirs) || interval(3 * advbase, shown_advskew()) < theirs) {
        to_master(now);
      } else {
        down_due[family] = now + master_down();
      }
    }
  }

  /// A change schedules an advertisement of every master.
  void set_demote(long long now, long causes) {
    const bool changes = demotion != 240 * causes;
    demotion = 240 * causes;
    if (changes && state == kMaster) advertise(now);
  }

  void advertise(long long now) {
    ++ads_sent;
    ad_due = now + interval(advbase, shown_advskew());
  }
  void to_backup(long long now) {
    state = kBackup;
    stop();
    if (v4) down_due[0] = now + master_down();
    if (v6) down_due[1] = now + master_down();
  }

 private:
  static long long interval(long base, long skew) {
    return base * 1000000LL + skew * 1000000LL / 256;
  }
  static bool over(long long due, long long now) { return due != kOff && due <= now; }
  long long master_down() const { return interval(3 * advbase, advskew); }  // not demoted
  void stop() { ad_due = down_due[0] = down_due[1] = kOff; }
  void to_master(long long now) {
    state = kMaster;
    stop();
    advertise(now);
  }
};

}  // namespace koi::test
