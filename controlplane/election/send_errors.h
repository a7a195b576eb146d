#pragma once

#include <cstdint>

/// A box whose advertisements the driver refuses is no good MASTER, although its lease may last:
/// protocol.md §8. OpenBSD: 3 errors in a row count a demotion, 3 successes in a row clear it.
namespace koi::election {

inline constexpr std::uint8_t kSendErrorLimit = 3;

/// The send errors of one slot. An advertisement counts once, whatever its copies and families: as
/// refused iff any of them was. By value; one thread: control.
class SendErrors {
 public:
  /// A new advertisement is on its way; what comes from now on is about this one. One of which
  /// nothing was heard counts neither way.
  void queued() { judged_ = false; }

  /// The driver did not take a part of it (TransmitRefused of the slot's term).
  /// Returns iff demotes() changed.
  bool refused() {
    if (judged_) return false;
    judged_ = true;
    taken_ = 0;
    if (refused_ < kSendErrorLimit) ++refused_;
    return change_to(demotes_ || refused_ == kSendErrorLimit);
  }

  /// All of it was taken: the board's deadline of each family has moved since it was queued.
  /// Returns iff demotes() changed.
  bool taken() {
    if (judged_) return false;
    judged_ = true;
    refused_ = 0;
    if (taken_ < kSendErrorLimit) ++taken_;
    return change_to(demotes_ && taken_ < kSendErrorLimit);
  }

  /// Iff the slot adds to the cause "send errors" of this node's demotion.
  bool demotes() const { return demotes_; }

 private:
  bool change_to(bool demotes) {
    const bool changed = demotes != demotes_;
    demotes_ = demotes;
    return changed;
  }

  bool judged_ = true;        // the newest one; none is on its way at first
  std::uint8_t refused_ = 0;  // in a row, counts to the limit
  std::uint8_t taken_ = 0;    // likewise
  bool demotes_ = false;
};

}  // namespace koi::election
