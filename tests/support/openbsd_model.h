#pragma once

#include <algorithm>

namespace koi::test {

/// OpenBSD's election of one virtual host, written from protocol.md §6 to §8 as an oracle: it calls
/// none of our code. Time is in microseconds, as in the kernel's struct timeval.
///
/// Advertisements of advskew that is a multiple of 4 have whole microseconds, so that rounding
/// decides nothing.
class OpenbsdModel {
 public:
  enum State { kInit, kBackup, kMaster };
  static constexpr long long kOff = -1;

  long advbase = 1;
  long advskew = 0;
  bool preempt = false;
  bool v4 = true, v6 = false;  // families with addresses

  State state = kInit;
  long demote = 0;  // D
  long long ad_due = kOff;
  long long down_due[2] = {kOff, kOff};  // of IPv4 and of IPv6
  long ads_sent = 0;

  // What an advertisement carries. OpenBSD leaves its advskew as it is.
  long shown_advskew() const { return advskew; }
  long shown_demote() const { return demote; }

  void link_up(long long now) {  // INIT -> BACKUP always
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

  /// family: 0 for IPv4, 1 for IPv6.
  void hear(long long now, int family, long base, long skew, long d) {
    const long long mine = interval(advbase, advskew), theirs = interval(base, skew);
    if (state == kMaster) {
      if ((mine >= theirs && d <= demote) || d < demote) to_backup(now);
    } else if (state == kBackup) {
      if (preempt && mine < theirs && d >= demote) {
        to_master(now);
      } else if (d > demote) {
        to_master(now);
      } else if (advbase != 0 && 3 * advbase * 1000000LL + us(advskew) < theirs) {
        to_master(now);
      } else {
        down_due[family] = now + master_down();
      }
    }
  }

  /// Sum over the interface's groups; the first one makes every master advertise at once.
  void set_demote(long long now, long sum) {
    const bool first = demote == 0 && sum > 0;
    demote = std::min(sum, 255L);
    if (first && state == kMaster) advertise(now);
  }

  void advertise(long long now) {
    ++ads_sent;
    ad_due = now + (advbase == 0 && advskew == 0 ? us(1) : interval(advbase, advskew));
  }
  void to_backup(long long now) {
    state = kBackup;
    stop();
    if (v4) down_due[0] = now + master_down();
    if (v6) down_due[1] = now + master_down();
  }

 private:
  static long long us(long skew) { return skew * 1000000LL / 256; }
  static long long interval(long base, long skew) { return base * 1000000LL + us(skew); }
  static bool over(long long due, long long now) { return due != kOff && due <= now; }
  long long master_down() const {
    if (advbase == 0) return 3 * us(std::max(advskew, 1L));
    return 3 * advbase * 1000000LL + us(advskew);
  }
  void stop() { ad_due = down_due[0] = down_due[1] = kOff; }
  void to_master(long long now) {
    state = kMaster;
    stop();
    advertise(now);
  }
};

}  // namespace koi::test
