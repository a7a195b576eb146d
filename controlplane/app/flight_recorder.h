#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace koi::app {

/// One thing that happened to this box. Only what is known is filled in.
struct Event {
  enum class Kind : std::uint8_t {
    koid,      // it started, it is ending: `cause`
    role,      // of a slot: `from`, `to`, `cause` and the numbers behind it
    link,      // of a port: `to` is up or down
    demotion,  // `cause` counts `to` now, `from` before; `detail` names its owner
    agent,     // koi-agent came or went: `to`
    peer,      // another box of the group: `cause` is seen, seen again, silent, differs or agrees
    notice,    // `cause` is its name, `detail` whom it is about
    hook,      // koi-agent ran the program `detail`; `cause` is what came of it
    host       // koi-agent on a port's kernel interface: `cause`
  };

  std::uint64_t sequence = 0;                    // given by the recorder
  std::chrono::system_clock::time_point time{};  // none: when it is recorded
  Kind kind = Kind::koid;
  std::string group;                // name; empty: of no single group
  std::vector<std::string> groups;  // demotion of several
  std::string port;                 // name
  std::uint8_t vhid = 0;            // 0: of no slot
  std::string from;
  std::string to;
  std::string cause;
  std::string detail;
  std::optional<std::uint64_t> term;
  std::optional<double> since_heard_ms;  // since the last advertisement of anybody
  std::optional<unsigned> advskew;       // configured
  std::optional<unsigned> demotion;      // of the group, all causes together
  std::optional<std::uint64_t> of;       // hook: the sequence of the role change
  std::uint32_t repeats = 0;             // notice: so many of the same before, not recorded
};

nlohmann::json to_json(const Event& event);

/// The last events, with numbers that grow by one from 1 at koid's start. What others can cause at
/// will (notices, what koi-agent tells) has a share of its own, so that no flood of it pushes out
/// a change of role. Service thread only.
class FlightRecorder {
 public:
  static constexpr std::size_t kEvents = 10'000;
  static constexpr std::size_t kOfOthers = 2'000;  // notice, hook, host: at most so many of them

  FlightRecorder();

  /// Another one at each start of koid: followers notice that the numbers begin anew.
  const std::string& boot() const { return boot_; }
  /// The newest event's number; 0: none yet.
  std::uint64_t last() const { return last_; }

  void add(Event event);

  struct Page {
    std::vector<const Event*> events;  // ascending; valid until the next add()
    std::uint64_t lost = 0;            // after `sequence`, before the last one here: gone
  };
  /// Those after that number, the oldest `limit` of them.
  Page after(std::uint64_t sequence, std::size_t limit) const;

 private:
  std::string boot_;
  std::uint64_t last_ = 0;
  std::deque<Event> own_;  // ascending, as the next
  std::deque<Event> others_;
};

}  // namespace koi::app
