#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/contract/channel.h"
#include "controlplane/app/bell.h"
#include "controlplane/app/captures.h"
#include "controlplane/app/control_socket.h"
#include "controlplane/app/demotions.h"
#include "controlplane/app/handover.h"
#include "controlplane/app/journal.h"
#include "controlplane/app/kernel_link.h"
#include "controlplane/app/peer_keeper.h"
#include "controlplane/app/reload.h"
#include "controlplane/app/snapshot.h"
#include "controlplane/app/state_file.h"
#include "controlplane/app/trailer_keeper.h"
#include "controlplane/app/watchdog.h"
#include "controlplane/service_messages.h"

namespace koi::app {

/// The service thread: signals, control socket, link state, state file, log. Everything that may
/// block or be slow, so that control and workers need not. It ends when the daemon is to stop.
class Service {
 public:
  struct PortLink {
    std::string kernel_interface;  // empty: ask the driver
    std::function<bool()> driver_says;
  };
  /// Whoever wants to know of a kernel interface besides.
  struct LinkWatch {
    std::string kernel_interface;
    std::function<void(bool up)> changed;
  };
  struct Setup {
    Snapshot snapshot;                // slots and link_up are kept up to date here
    StateFile* state_file = nullptr;  // not owned, as the rings
    Sender<controlplane::Command>* commands = nullptr;
    Receiver<controlplane::Report>* reports = nullptr;
    Bell* bell = nullptr;         // on the reports; may be missing
    std::vector<PortLink> links;  // by PortIndex
    std::vector<LinkWatch> watches{};
    CaptureSource* capture = nullptr;  // none: nothing is captured; not owned
    Reload::Setup reload;              // no configuration: this one does not reload
    std::string socket_path;
    int signals = -1;  // a signalfd for SIGTERM, SIGINT, SIGHUP; not owned
  };

  /// Opens the control socket and the link watch, so that start-up can still fail cleanly.
  static Result<std::unique_ptr<Service>> open(Setup setup);

  /// Returns after a signal to stop, once every slot has stepped down (L10), or did not in time.
  void run();
  /// Removes the control socket. After run(), on the same thread.
  void close_socket();

  /// The reply to one line of the control socket; uid is its sender's. The thread of run(), which
  /// calls it.
  Answer handle(const std::string& line, uid_t uid);

 private:
  explicit Service(Setup setup)
      : setup_(std::move(setup)),
        journal_(setup_.snapshot),
        reload_(setup_.reload),
        captures_(setup_.capture, setup_.snapshot) {}

  std::string handle_demotion(const std::string& name, const nlohmann::json& request,
                              const std::string& owner);
  void publish_demotion();
  void receive_reports();
  void on(const controlplane::SlotReport& report);
  void on(const controlplane::RoleChange& change);
  void on(const controlplane::NoticeRaised& notice);
  void on(const controlplane::SelfNoticed& noticed);
  void on(const controlplane::SignedHeard& heard) { trailers_->on(heard); }
  void on(const controlplane::PeerReport& report) { peers_->on(report, journal_); }
  void on(const controlplane::NeedCounters& need);
  void on(const controlplane::AllDown& down);
  void on(const controlplane::PlanTaken& taken);
  void on(const controlplane::PlanReleased& released);
  Answer handle_handover(const nlohmann::json& request, const std::string& owner);
  std::string handover_reply(const Handover& handover, const Result<nlohmann::json>& masters,
                             Instant began);
  Answer handle_reload(const nlohmann::json& request, const std::string& owner);
  std::string begin_reload(Reload::Proposal&& proposal, const std::string& owner);
  void reload_by_signal();
  void tell_of_reload(const Reload::Proposal& proposal, const std::string& owner);
  void say_last_words();
  void receive_signal();
  void watch_links();
  void set_link(std::size_t port, bool up);
  void command(const controlplane::Command& command);
  void reserve_counters();
  void warn_of_request(const char* what, uid_t uid, const std::string& detail = {});
  void log_drops();
  void tell_watchdog();

  Setup setup_;
  Journal journal_;
  std::optional<Demotions> demotions_;
  std::optional<AgentWatch> agent_;
  std::optional<TrailerKeeper> trailers_;
  std::optional<PeerKeeper> peers_;
  std::optional<Watchdog> watchdog_;
  Reload reload_;
  std::string reloaded_;            // what the reload under way has changed, for the journal
  std::vector<int> demotion_sent_;  // to control, by group; -1: it is to be told in any case
  Captures captures_;
  std::optional<ControlSocket> socket_;
  std::optional<KernelLink> kernel_link_;
  std::vector<controlplane::Command> waiting_;  // for room in the ring
  std::vector<std::array<std::uint64_t, kDropReasons>> drops_logged_;
  std::chrono::steady_clock::time_point next_drop_log_{};
  std::chrono::steady_clock::time_point give_up_ = std::chrono::steady_clock::time_point::max();
  // By the kernel's numbers: a name may be changed under us.
  std::multimap<unsigned, std::function<void(bool up)>> interfaces_;
  struct Warned {
    std::chrono::steady_clock::time_point at{};
    std::uint64_t since = 0;  // so many have come since and were not logged
  };
  std::map<std::string_view, Warned> requests_warned_;  // by what was wrong
  // When to reserve counters; never unless control has asked.
  std::chrono::steady_clock::time_point reserve_at_ = std::chrono::steady_clock::time_point::max();
  bool done_ = false;
  bool hurried_ = false;
};

}  // namespace koi::app
