#include "controlplane/app/service.h"

#include <csignal>
#include <net/if.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "controlplane/app/host_json.h"
#include "controlplane/ties.h"
#include "service/notify.h"

namespace koi::app {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookEvery{10};  // links and reports are looked at this often
constexpr std::chrono::seconds kDropLogEvery{10};
constexpr std::chrono::seconds kShutdownPatience{1};
constexpr std::chrono::seconds kReserveRetry{1};
constexpr std::chrono::milliseconds kLastWords{50};

/// Other people's traffic is no news; everything else is.
bool is_news(DropReason reason) {
  switch (reason) {
    case DropReason::kEthertype:
    case DropReason::kNotOurMac:
    case DropReason::kNotMaster:
    case DropReason::kBalanceNone:
    case DropReason::kArpNotRequest:
    case DropReason::kArpAnnouncement:
    case DropReason::kArpNotOurs:
    case DropReason::kIpv4Fragment:
    case DropReason::kIpv4Options:
    case DropReason::kIpv4NotOurs:
    case DropReason::kIpv6Extensions:
    case DropReason::kIpv6Fragment:
    case DropReason::kIpv6NotOurs:
    case DropReason::kNdNotOurs:
    case DropReason::kNdAnnouncement:
    case DropReason::kIcmp6NotEcho:
    case DropReason::kCarpVhid:
      return false;
    default:
      return true;
  }
}

}  // namespace

Result<std::unique_ptr<Service>> Service::open(Setup setup) {
  std::unique_ptr<Service> service(new Service(std::move(setup)));
  Service& s = *service;
  s.demotions_.emplace(*s.setup_.snapshot.config, *s.setup_.state_file, steady_now());
  s.setup_.snapshot.demotions = &s.demotions_->ledger();
  s.agent_.emplace(needs_agent(*s.setup_.snapshot.config), steady_now(),
                   std::chrono::system_clock::now());
  s.setup_.snapshot.agent = &*s.agent_;
  s.trailers_.emplace(TrailerKeeper::Setup{.config = s.setup_.snapshot.config,
                                           .plan = s.setup_.snapshot.plan,
                                           .board = s.setup_.snapshot.board,
                                           .clock = s.setup_.snapshot.clock,
                                           .state_file = s.setup_.state_file});
  s.setup_.snapshot.trailers = &*s.trailers_;
  s.peers_.emplace(
      PeerKeeper::Setup{.plan = s.setup_.snapshot.plan, .clock = s.setup_.snapshot.clock});
  s.setup_.snapshot.peers = &*s.peers_;
  s.watchdog_.emplace(s.setup_.snapshot.workers.size(), service::watchdog_time(),
                      s.setup_.snapshot.clock->now(), service::tell_alive);
  s.demotion_sent_.resize(s.setup_.snapshot.config->groups.size());
  auto socket = ControlSocket::open(
      s.setup_.socket_path,
      [&s](const std::string& line, uid_t uid) { return s.handle(line, uid); },
      [&s](const char* what, uid_t uid) { s.warn_of_request(what, uid); });
  if (!socket) return socket.error();
  s.socket_.emplace(std::move(socket).value());

  for (std::size_t p = 0; p < s.setup_.links.size(); ++p) {
    const unsigned interface = if_nametoindex(s.setup_.links[p].kernel_interface.c_str());
    s.interfaces_.emplace(interface, [&s, p](bool up) { s.set_link(p, up); });
  }
  for (const LinkWatch& watch : s.setup_.watches) {
    s.interfaces_.emplace(if_nametoindex(watch.kernel_interface.c_str()), watch.changed);
  }
  auto link = KernelLink::open([&s](unsigned interface, bool up) {
    const auto [first, last] = s.interfaces_.equal_range(interface);
    for (auto found = first; found != last; ++found) found->second(up);
  });
  if (!link) return link.error();
  s.kernel_link_.emplace(std::move(link).value());
  s.drops_logged_ = total_drops(s.setup_.snapshot);
  s.next_drop_log_ = steady_clock::now() + kDropLogEvery;
  return service;
}

void Service::run() {
  journal_.koid("started, version " KOI_VERSION);
  publish_demotion();  // of maintenance, before the links come up
  while (!done_) {
    std::array<pollfd, 4> fds = {pollfd{setup_.signals, POLLIN, 0},
                                 pollfd{socket_->fd(), POLLIN, 0},
                                 pollfd{kernel_link_->fd(), POLLIN, 0},
                                 pollfd{setup_.bell ? setup_.bell->fd() : -1, POLLIN, 0}};
    poll(fds.data(), fds.size(), static_cast<int>(kLookEvery.count()));
    if (fds[3].revents != 0) setup_.bell->answer();
    if (fds[0].revents != 0) receive_signal();
    receive_reports();  // first, so that replies show the latest
    if (fds[1].revents != 0) socket_->serve();
    watch_links();
    demotions_->update(setup_.snapshot.link_up, steady_now());
    if (agent_->update(steady_now(), std::chrono::system_clock::now())) {
      journal_.agent(agent_->present());
    }
    reserve_counters();
    for (const auto& c : trailers_->update(steady_clock::now())) command(c);
    peers_->update(journal_);
    log_drops();
    tell_watchdog();
    while (!waiting_.empty() && setup_.commands->try_send(waiting_.front())) {
      waiting_.erase(waiting_.begin());
    }
    publish_demotion();
    socket_->serve_parked();
    captures_.update();
    if (steady_clock::now() > give_up_) {
      spdlog::warn("the control thread did not step down in time; ending all the same");
      done_ = true;
    }
  }
  say_last_words();
}

/// Those who follow the events ask again after each: once more for how it ended.
void Service::say_last_words() {
  captures_.shut_down();
  const auto end = steady_clock::now() + kLastWords;
  while (!hurried_ && steady_clock::now() < end) {
    pollfd asked{socket_->fd(), POLLIN, 0};
    if (poll(&asked, 1, static_cast<int>(kLastWords.count())) > 0) socket_->serve();
    socket_->serve_parked();
  }
}

void Service::close_socket() { socket_.reset(); }

void Service::publish_demotion() {
  journal_.demotions();
  // The latest number of each group, not every change: nothing piles up while control hangs. After
  // what waits, so that control sees links and demotions in their order; and groups are numbered
  // anew in a reload.
  if (!waiting_.empty() || reload_.under_way()) return;
  for (std::size_t g = 0; g < demotion_sent_.size(); ++g) {
    const std::uint8_t total = demotions_->ledger().total(g);
    if (total == demotion_sent_[g]) continue;
    if (!setup_.commands->try_send(
            controlplane::SetDemotion{static_cast<std::uint16_t>(g), total})) {
      return;
    }
    demotion_sent_[g] = total;
  }
}

void Service::command(const controlplane::Command& command) {
  if (!waiting_.empty() || !setup_.commands->try_send(command)) waiting_.push_back(command);
}

// ---- reports from control ----------------------------------------------------------------------

void Service::receive_reports() {
  controlplane::Report report;
  while (setup_.reports->try_receive(report)) {
    std::visit([this](const auto& r) { on(r); }, report);
  }
}

void Service::on(const controlplane::SlotReport& report) {
  Snapshot& s = setup_.snapshot;
  if (s.slots[report.slot.value()].since != report.since) {
    s.since[report.slot.value()] = wall_time(s, report.since);
  }
  if (const election::Role before = s.slots[report.slot.value()].role; before != report.role) {
    // The change itself was lost, for the ring was full.
    journal_.role({.slot = report.slot,
                   .from = before,
                   .to = report.role,
                   .cause = report.cause,
                   .at = report.since,
                   .since_heard = Duration(-1),
                   .term = report.term});
  }
  s.slots[report.slot.value()] = report;
}

void Service::on(const controlplane::RoleChange& change) {
  // Not only by the report that follows: who is told of the change may ask for the role at once.
  controlplane::SlotReport& slot = setup_.snapshot.slots[change.slot.value()];
  slot.role = change.to;
  slot.cause = change.cause;
  slot.term = change.term;
  journal_.role(change);
}

void Service::on(const controlplane::NoticeRaised& notice) { journal_.notice(notice); }

void Service::on(const controlplane::SelfNoticed& noticed) {
  std::string name = "late control";
  std::optional<std::vector<std::uint16_t>> groups;  // none: the whole node
  switch (noticed.cause) {
    case controlplane::SelfCause::late_control:
      break;
    case controlplane::SelfCause::stalled_worker:
      name = fmt::format("stalled worker {}", noticed.index);
      break;
    case controlplane::SelfCause::send_errors: {
      const SlotIndex slot(noticed.index);
      const Snapshot& s = setup_.snapshot;
      name = fmt::format("send errors {} vhid {}", s.group_of(slot).name,
                         s.view_of(slot).vhid.value());
      const std::uint16_t group = s.plan->slots[noticed.index].group_index;
      groups = controlplane::tied_groups(s.config->groups)[group];
      break;
    }
  }
  demotions_->self_noticed(name, std::move(groups), noticed.on);
}

void Service::on(const controlplane::NeedCounters&) {
  reserve_at_ = steady_clock::now();
  reserve_counters();
}

void Service::reserve_counters() {
  if (steady_clock::now() < reserve_at_) return;
  if (const Status s = setup_.state_file->reserve_more(); !s) {
    spdlog::error(s.error().message);
    reserve_at_ = steady_clock::now() + kReserveRetry;
    return;
  }
  reserve_at_ = steady_clock::time_point::max();
  command(controlplane::SetCounterCeiling{setup_.state_file->ceiling()});
}

void Service::on(const controlplane::AllDown&) {
  trailers_->finish();
  done_ = true;
}

// ---- a new configuration -----------------------------------------------------------------------

void Service::reload_by_signal() {
  constexpr const char* kOwner = "SIGHUP";
  if (setup_.reload.config == nullptr || reload_.under_way()) {
    spdlog::warn("SIGHUP: a reload is under way; ask again");
    return;
  }
  Reload::Proposal proposal = reload_.propose();
  tell_of_reload(proposal, kOwner);
  if (proposal.refusal.empty()) begin_reload(std::move(proposal), kOwner);
}

/// Every line of it, for this is where a person looks.
void Service::tell_of_reload(const Reload::Proposal& proposal, const std::string& owner) {
  for (const config::Problem& warning : proposal.warnings) spdlog::warn(warning.to_string());
  for (const config::Problem& error : proposal.errors) spdlog::error(error.to_string());
  for (const config::Change& change : proposal.changes) {
    const bool refused = change.effect == config::Effect::refused;
    if (refused == proposal.refusal.empty()) continue;
    spdlog::log(refused ? spdlog::level::err : spdlog::level::info, "reload: {}: {} -> {} ({}){}{}",
                change.key, change.from, change.to, config::to_string(change.effect),
                change.note.empty() ? "" : ": ", change.note);
  }
  if (!proposal.refusal.empty()) {
    spdlog::error("reload ({}): {}", owner, proposal.refusal);
    journal_.koid(fmt::format("reload refused ({}): {}", owner, proposal.refusal));
  } else if (proposal.changes.empty()) {
    spdlog::info("reload ({}): nothing has changed in {}", owner, setup_.reload.file);
  }
}

/// Returns why it cannot begin; empty: it has, or there is nothing to do.
std::string Service::begin_reload(Reload::Proposal&& proposal, const std::string& owner) {
  if (proposal.changes.empty()) return {};
  reloaded_ = fmt::format("reloaded by {}: {} change(s)", owner, proposal.changes.size());
  Result<controlplane::TakePlan> next = reload_.begin(std::move(proposal));
  if (!next) {
    spdlog::error("reload ({}): {}; nothing was changed", owner, next.error().message);
    return next.error().message + "; nothing was changed";
  }
  next.value().next->demotions =
      demotions_->with(reload_.next_config(), reload_.regrouping(), steady_now());
  service::tell_reloading();
  for (const controlplane::Command& c : trailers_->before(next.value().next->plan)) command(c);
  command(next.value());
  return {};
}

void Service::on(const controlplane::PlanTaken&) {
  journal_.demotions();  // by the numbers of before
  const nlohmann::json host = host_json(setup_.snapshot, journal_.recorder());
  reload_.taken();
  Snapshot& s = setup_.snapshot;
  s.slots.resize(s.plan->slots.size());
  s.since.resize(s.plan->slots.size(), std::chrono::system_clock::now());
  demotions_->config_changed(reload_.regrouping(), steady_now());
  journal_.renumbered();
  demotion_sent_.assign(s.config->groups.size(), -1);
  note_dropped(host, s);
  agent_->need(needs_agent(*s.config));
  trailers_->config_changed();
  peers_->config_changed();
  spdlog::info(reloaded_);
  journal_.koid(reloaded_);
}

void Service::on(const controlplane::PlanReleased&) {
  reload_.released();
  service::tell_ready(reloaded_);
  publish_demotion();
}

// ---- signals, links, log -----------------------------------------------------------------------

void Service::receive_signal() {
  signalfd_siginfo info{};
  while (read(setup_.signals, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) {
      reload_by_signal();
      continue;
    }
    if (give_up_ != steady_clock::time_point::max()) {
      done_ = hurried_ = true;  // asked twice
      continue;
    }
    const char* name = info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
    spdlog::info("{}: stepping down", name);
    journal_.koid(fmt::format("{}: stepping down", name));
    service::tell_stopping();
    give_up_ = steady_clock::now() + kShutdownPatience;
    command(controlplane::ShutDown{});
  }
}

void Service::tell_watchdog() {
  const Snapshot& s = setup_.snapshot;
  const Instant turn(Duration(s.control_turn->load(std::memory_order_relaxed)));
  if (const std::string what = watchdog_->update(s.clock->now(), *s.board, turn); !what.empty()) {
    spdlog::error("{}: the service manager's watchdog is told no more", what);
  }
}

void Service::watch_links() {
  kernel_link_->receive();
  for (std::size_t p = 0; p < setup_.links.size(); ++p) {
    if (setup_.links[p].kernel_interface.empty()) set_link(p, setup_.links[p].driver_says());
  }
}

void Service::set_link(std::size_t port, bool up) {
  if (setup_.snapshot.link_up[port] == up) return;
  setup_.snapshot.link_up[port] = up;
  journal_.link(port, up);
  if (up) {  // before control hears of the link
    demotions_->link_is_back(port, steady_now());
    publish_demotion();
  }
  command(controlplane::SetLink{PortIndex(static_cast<std::uint8_t>(port)), up});
}

void Service::log_drops() {
  // One line per port and interval, never one per packet.
  if (steady_clock::now() < next_drop_log_) return;
  next_drop_log_ = steady_clock::now() + kDropLogEvery;
  const auto totals = total_drops(setup_.snapshot);
  for (std::size_t p = 0; p < totals.size(); ++p) {
    std::string text;
    for (std::size_t r = 0; r < kDropReasons; ++r) {
      const std::uint64_t more = totals[p][r] - drops_logged_[p][r];
      if (more == 0 || !is_news(static_cast<DropReason>(r))) continue;
      text += fmt::format(" {} {}", kDropReasonLabels[r], more);
    }
    if (!text.empty()) {
      spdlog::info("port {}: dropped in {} s:{}", setup_.snapshot.config->ports[p].name,
                   kDropLogEvery.count(), text);
    }
  }
  drops_logged_ = totals;
}

}  // namespace koi::app
