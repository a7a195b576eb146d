#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tools/agent/host_spec.h"
#include "tools/agent/koid.h"
#include "tools/agent/part.h"
#include "tools/agent/pending_request.h"

namespace koi::agent {

/// A change of a slot's role, as koid's event tells it.
struct RoleChange {
  std::uint64_t sequence = 0;
  std::string group;
  unsigned vhid = 0;
  std::string from;
  std::string to;
  std::string cause;
};

/// Follows koid: what the host is to be like, and each change of role in order. It asks for events
/// and lets koid keep the reply until there is one; that it asks once a second at least is how koid
/// knows that the agent is there.
///
/// An agent that has just started tells the present role of each slot with hooks, from INIT, with
/// the cause "agent-started". Later on nothing is left out while koid has it in its recorder: what
/// happened while koid could not be reached comes late, what a koid that started anew has done
/// comes from its first event on. When events are lost all the same, the present roles are told
/// again, with the cause "events-lost".
class Follower final : public Part {
 public:
  static constexpr Duration kWait = 1s;      // of one request for events
  static constexpr Duration kPatience = 2s;  // then koid hangs
  static constexpr Duration kRetry = 250ms;  // when koid is away
  static constexpr Duration kAskAgain = 5s;  // what the host is to be like, if nothing happens

  struct Listeners {
    std::function<void(const HostSpec&)> host;  // before the changes that led to it
    std::function<void(const RoleChange&)> role;
  };

  /// Not owned.
  Follower(Koid& koid, Listeners listeners) : koid_(koid), listeners_(std::move(listeners)) {}

  void tick(Instant now) override;
  Instant next() const override;
  void add_to(std::vector<pollfd>& fds) const override { fds.push_back({events_.fd(), POLLIN, 0}); }
  void ready(std::span<const pollfd> fds) override;

 private:
  bool ask_host(Instant now);
  bool ask_events(Instant now);
  void koid_is_away(const std::string& why, Instant now);
  void take_events(const ctl::Json& reply, Instant now);
  void tell_present_roles(const char* cause);

  Koid& koid_;
  const Listeners listeners_;
  HostSpec host_;
  PendingRequest events_;
  std::string boot_;            // of the koid that is followed; empty: none yet
  std::uint64_t sequence_ = 0;  // the last event dealt with
  Instant give_up_{};           // on the reply to come
  Instant retry_{};
  Instant ask_again_{};
};

}  // namespace koi::agent
