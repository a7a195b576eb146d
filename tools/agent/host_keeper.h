#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/agent/host_plan.h"
#include "tools/agent/host_spec.h"
#include "tools/agent/kernel_watch.h"
#include "tools/agent/koid.h"
#include "tools/agent/netlink.h"
#include "tools/agent/part.h"

namespace koi::agent {

/// Keeps the kernel's interfaces as koid wants them: whenever koid tells, and when somebody else
/// has changed one. An interface that is not there is no mistake: it comes with koid; a VLAN's is
/// missed once. While koid is away nothing is done. Nothing is undone at the end: an agent that
/// dies takes no address away.
class HostKeeper final : public Part {
 public:
  /// From one look to the next, if it is for what the kernel told: two who disagree do not race.
  /// After each change of the keeper's own there is such a look; it finds all well.
  static constexpr Duration kPause = 100ms;

  /// Not owned.
  explicit HostKeeper(Koid& koid);

  void host_is(const HostSpec& host);

  void tick(Instant now) override;
  Instant next() const override { return again_; }
  void add_to(std::vector<pollfd>& fds) const override;
  void ready(std::span<const pollfd> fds) override;

 private:
  struct Problem {
    std::string port;
    std::string text;
    auto operator<=>(const Problem&) const = default;
  };
  void put_right();
  void put_right(const HostInterface& wanted, const KernelInterface& is);
  void look_for_problem(const HostInterface& wanted, int error, const std::string& what);
  void tell_problems();

  Koid& koid_;
  std::optional<Netlink> netlink_;
  std::optional<KernelWatch> watch_;
  std::vector<HostInterface> wanted_;
  std::set<std::string> left_;      // names of those that are gone, seen to
  std::set<unsigned> known_;        // numbers of the interfaces, at the last look
  std::set<Problem> problems_;      // of the last look, told
  std::set<Problem> new_problems_;  // of this one
  Instant again_ = Instant::max();
  Instant last_{};
};

/// "up, carrier on, added 192.0.2.1/32, removed 2001:db8::1/128": what was done, for the log.
std::string describe(const HostChanges& done);

}  // namespace koi::agent
