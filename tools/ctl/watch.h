#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/time.h"
#include "tools/ctl/reply.h"

namespace koi::ctl {

/// What `koictl watch` shows.
struct Watch {
  std::string socket;
  Duration deadline = kReplyDeadline;        // of each reply
  std::chrono::milliseconds interval{1000};  // what is shown is no older, while koid answers
  bool terminal = false;  // in place and in colours; else one block after another
  static constexpr std::size_t kEvents = 8;
};

/// Prints the status and the last events, again with each event and after each interval, until
/// `print` returns false. Returns an outcome other than done iff koid does not answer at the start;
/// later it says so in place of the status, and goes on.
Reply watch(const Watch& wanted, const std::function<bool(std::string_view)>& print);

}  // namespace koi::ctl
