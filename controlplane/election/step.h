#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "common/contract/messages.h"
#include "controlplane/election/demotion.h"
#include "controlplane/election/types.h"

/// The election of one slot as a function: no clock, no I/O, no thread (design.md, "The election is
/// a function"). The daemon, the tests and the simulator run this same code.
namespace koi::election {

// ---- events ------------------------------------------------------------------------------------

struct TimerDue {
  Timer timer;
  bool deaf = false;  // the slot's port has received no frame at all for the master-down time, or
                      // when Timer::listen is due for Parameters::ask_after()
};
struct LinkUp {};
struct LinkDown {};
struct DemotionChanged {
  unsigned count;
};  // ours, all causes together; above 255 is 255
struct StepDown {
  Cause cause;
};                        // on purpose: L10
struct WorkersSilent {};  // L10: no worker can answer any more
struct LeaseExpired {     // L6
  bool earned = true;     // false: no advertisement of this term left in time (L4)
};
struct FramesLost {};  // L8
struct ConflictSeen {
  ConflictKind kind;
};  // somebody else uses what is ours

using Event =
    std::variant<VerifiedAdvert, TransmitRefused, TimerDue, LinkUp, LinkDown, DemotionChanged,
                 StepDown, WorkersSilent, LeaseExpired, FramesLost, ConflictSeen>;

// ---- actions -----------------------------------------------------------------------------------

/// What a person should know although no role changed.
enum class Notice : std::uint8_t {
  duplicate_advertisement,  // came a second time, through another worker
  bow_out_refused,          // koi: not from the address last heard as master
  advbase_differs,          // L5: all boxes must have the same
  counter_went_back,        // lawful with this dialect, and what a replay looks like
  parameters_changed,       // the counter came before with other parameters: likewise
  family_quiet,             // one family's master is silent while the other's is heard
  deaf,                     // the port hears nothing at all: no takeover, as configured
  address_claimed,          // a foreign ARP or Neighbor Advertisement for a shared address
  virtual_mac_used,         // a foreign frame from our virtual MAC
  vrrp_heard,               // VRRP with our number, hence with our virtual MAC
  digest_differs,           // CARP with our vhid and another key or address list
  forgery_suspected,        // koi: a counter or sequence that was heard before, refused
  trailer_refused,          // the HMAC is right, the signed trailer missing or not
  clock_differs             // the trailer is right, but older than 30 s, of an unknown sender
};
inline constexpr std::array<std::string_view, 14> kNoticeNames = {"duplicate-advertisement",
                                                                  "bow-out-refused",
                                                                  "advbase-differs",
                                                                  "counter-went-back",
                                                                  "parameters-changed",
                                                                  "family-quiet",
                                                                  "deaf",
                                                                  "address-claimed",
                                                                  "virtual-mac-used",
                                                                  "vrrp-heard",
                                                                  "digest-differs",
                                                                  "forgery-suspected",
                                                                  "trailer-refused",
                                                                  "clock-differs"};

constexpr Notice notice_of(ConflictKind kind) {
  constexpr std::array<Notice, kConflictKinds> kNotices = {
      Notice::address_claimed, Notice::virtual_mac_used,  Notice::vrrp_heard,
      Notice::digest_differs,  Notice::forgery_suspected, Notice::trailer_refused,
      Notice::clock_differs};  // by ConflictKind
  return kNotices[static_cast<std::size_t>(kind)];
}

struct ChangeRole {
  Role from;
  Role to;
  Cause cause;
};
struct SendAdvertisement {};  // one in each family of the group
struct SendBowOut {};         // likewise
struct Announce {};           // gratuitous ARP or unsolicited NA for every address; in a balanced
                              // group the loop sends none (protocol.md §9)
struct Probe {};              // ask (ARP, ND) a peer or gateway: does the port hear anything?
struct Raise {
  Notice notice;
};

using Action = std::variant<ChangeRole, SendAdvertisement, SendBowOut, Announce, Raise, Probe>;

/// The actions of one step, to be carried out in this order.
class Actions {
 public:
  void add(const Action& action) {
    if (size_ < items_.size()) items_[size_++] = action;
  }
  const Action* begin() const { return items_.data(); }
  const Action* end() const { return items_.data() + size_; }
  std::size_t size() const { return size_; }

 private:
  std::array<Action, 8> items_;  // no step has more than six
  std::size_t size_ = 0;
};

/// One step. now: for an advertisement, read after it was taken from the ring; for a timer, the
/// turn's (L6). Timers are in the state: the caller brings TimerDue when one is due and, where
/// may_promote() says so, L9 is kept; a timer that did not lead to a change is armed anew.
Actions step(const Parameters& parameters, State& state, const Event& event, Instant now);

}  // namespace koi::election
