#pragma once

#include <cstdint>

#include "common/contract/channel.h"
#include "common/contract/messages.h"
#include "common/time.h"

namespace koi::dataplane {

/// What a worker tells control beside advertisements and gaps: conflicts, neighbors, queries. They
/// come from packets that anybody can send, so they are few: a flood of them must neither take the
/// up ring from an advertisement nor the control core from the election.
class UpReporter {
 public:
  /// So many messages in each interval; the others are forgotten. What matters is sent again by
  /// whoever sent it: a claim is repeated, a query too, and control asks a neighbor again.
  static constexpr std::uint32_t kBudget = 64;
  static constexpr Duration kInterval = 10ms;

  /// Of these, hellos: 1,000 a second, so that a flood of them costs no more HMACs than that, and
  /// leaves room for the others.
  static constexpr std::uint32_t kHelloBudget = 10;

  explicit UpReporter(Sender<UpMessage>& up) : up_(up) {}

  void begin_poll(Instant now) {
    now_ = now;
    if (now - interval_began_ < kInterval) return;
    interval_began_ = now;
    left_ = kBudget;
    hellos_left_ = kHelloBudget;
  }

  /// Returns false iff the message was forgotten.
  bool offer(const UpMessage& message) {
    if (left_ == 0) return false;
    --left_;
    return up_.try_send(message);
  }

  /// Before a hello is looked at closely. Returns false iff it is one too many.
  bool admit_hello() {
    if (hellos_left_ == 0) return false;
    --hellos_left_;
    return true;
  }

  /// Of the poll that began last.
  Instant now() const { return now_; }

 private:
  Sender<UpMessage>& up_;
  Instant now_{};
  Instant interval_began_{};
  std::uint32_t left_ = kBudget;
  std::uint32_t hellos_left_ = kHelloBudget;
};

}  // namespace koi::dataplane
