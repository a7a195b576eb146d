#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tools/ctl/reply.h"

namespace koi::ctl {

/// What `koictl events` is asked for.
struct EventsWanted {
  std::optional<std::uint64_t> after;  // those after this number; default: all that are kept,
                                       // with follow the last kFirst
  std::string group;                   // of this group only; empty: of all
  bool follow = false;
  bool json = false;  // one object per line, as koid gives it
  static constexpr std::uint64_t kFirst = 10;
};

/// Prints events as they come. Returns an outcome other than done iff koid does not answer at the
/// start, and why. With follow it goes on until `print` returns false: it waits for a koid that
/// went away, asking every `retry`, and says so.
Reply show_events(const std::string& socket, const EventsWanted& wanted, Duration deadline,
                  const std::function<bool(std::string_view)>& print, Duration retry = 1s);

}  // namespace koi::ctl
