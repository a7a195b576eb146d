#pragma once

#include <algorithm>
#include <cstdint>

namespace koi::test {

/// UCarp's election of its one virtual host, written from protocol.md §6 to §8 as an oracle: it
/// calls none of our code. Time is in microseconds. Of two equal boxes the one with the lower
/// address stays, but compared as a little-endian machine holds them; and a MASTER sends one more
/// advertisement before it steps down.
class UcarpModel {
 public:
  enum State { kInit, kBackup, kMaster };
  static constexpr long long kOff = -1;

  long advbase = 1;
  long advskew = 0;
  bool preempt = false;
  std::uint32_t address = 0;  // its own, host order

  State state = kInit;
  long long ad_due = kOff;
  long long down_due[2] = {kOff, kOff};  // of IPv4; it has no IPv6
  long ads_sent = 0;

  long shown_advskew() const { return advskew; }
  long shown_demote() const { return 0; }

  void link_up(long long now) {
    if (state == kInit) to_backup(now);
  }

  void time(long long now) {
    if (state == kBackup && over(down_due[0], now)) {
      state = kMaster;
      down_due[0] = kOff;
      advertise(now);
    }
    if (state == kMaster && over(ad_due, now)) advertise(now);
  }

  void hear(long long now, long base, long skew, std::uint32_t source) {
    const long long mine = interval(advbase, advskew), theirs = interval(base, skew);
    const bool theirs_first = swapped(source) < swapped(address);
    if (state == kMaster) {
      if (mine > theirs || (mine == theirs && theirs_first)) {
        advertise(now);
        to_backup(now);
      }
    } else if (state == kBackup) {
      if ((preempt && mine < theirs) || interval(3 * advbase, 0) < theirs) {
        state = kMaster;
        down_due[0] = kOff;
        advertise(now);
      } else {
        down_due[0] = now + interval(3 * advbase, advskew);
      }
    }
  }

 private:
  static long long interval(long base, long skew) {
    return base * 1000000LL + skew * 1000000LL / 256;
  }
  static std::uint32_t swapped(std::uint32_t address) { return __builtin_bswap32(address); }
  static bool over(long long due, long long now) { return due != kOff && due <= now; }
  void to_backup(long long now) {
    state = kBackup;
    ad_due = kOff;
    down_due[0] = now + interval(3 * advbase, advskew);
  }
  void advertise(long long now) {
    ++ads_sent;
    ad_due = now + interval(advbase, advskew);
  }
};

}  // namespace koi::test
