#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include "tests/bench/lan_seen.h"

namespace koi::bench {

/// Asks by ARP for thousands of addresses at once, as tools/lab/asker.py does, and by its rules: an
/// address once a box has said a word for its group, for before that nobody knows the virtual MAC's
/// way; then again every 3 ms until it is answered; and all the time one address a millisecond
/// without a word. It sends nothing itself: the LAN carries what due() names.
class Client {
 public:
  using Request = std::array<std::uint8_t, 42>;  // an ARP request to a virtual MAC
  struct Asked {
    std::size_t left;  // addresses without an answer
    std::size_t sent;  // requests
  };

  explicit Client(std::vector<Request> requests);

  /// For all of them; at_once: without a word.
  void ask(bool at_once);
  bool wants_more() const { return left_ != 0; }
  Asked asked() const { return {left_, sent_}; }
  const Request& request(std::size_t which) const { return requests_[which]; }

  /// REQUIRES: an announcement or an answer. Whether it is about one of the addresses.
  bool knows(Frame frame) const { return which_.contains(sender_of(frame)); }
  void take(Frame frame, Kind kind);
  /// Which are to be sent now, valid until the next call.
  std::span<const std::uint16_t> due(Nanoseconds now);

 private:
  struct Again {
    Nanoseconds at;
    std::uint16_t which;
  };

  std::vector<Request> requests_;
  std::unordered_map<std::uint32_t, std::uint16_t> which_;  // by address
  std::array<std::vector<std::uint16_t>, 256> members_;     // by vhid
  std::array<bool, 256> heard_{};
  std::vector<bool> answered_, on_its_way_;
  std::deque<std::uint16_t> fresh_;
  std::deque<Again> again_;  // by time
  std::vector<std::uint16_t> batch_;
  std::size_t left_ = 0, sent_ = 0, open_ = 0;
  std::uint16_t cold_ = 0;  // the next to ask for without a word
  Nanoseconds cold_due_ = 0;
};

}  // namespace koi::bench
