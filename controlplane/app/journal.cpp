#include "controlplane/app/journal.h"

#include <algorithm>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "controlplane/app/log.h"

namespace koi::app {
namespace {

using controlplane::DemotionCause;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kNoticeEvery{1};

/// What a person needs besides who it was.
const char* advice(election::Notice notice) {
  if (notice != election::Notice::clock_differs) return "";
  return ": its trailer is more than 30 s old; the boxes' clocks must agree within 30 s";
}

/// What journalctl -x explains, from service/journal/koi.catalog.
const char* message_id(election::Role from, election::Role to) {
  if (to == election::Role::master) return "d1c1b8c5d5f143b4bff4c68c6a296ffb";
  if (to == election::Role::init) return "a2379aff3b5f4f95b56b4948687ba0d6";
  return from == election::Role::master ? "da776ed5cb71472ea4ffce95cb3c96b0"
                                        : "2d524ac3e73d4c168c6a74e71aedb11a";
}

bool same(const DemotionCause& a, const DemotionCause& b) {
  return a.name == b.name && a.groups == b.groups && a.commanded == b.commanded;
}

}  // namespace

Journal::Journal(const Snapshot& snapshot) : snapshot_(snapshot) {}

Event Journal::of_slot(Event::Kind kind, SlotIndex slot) const {
  Event event;
  event.kind = kind;
  event.group = snapshot_.group_of(slot).name;
  event.vhid = snapshot_.view_of(slot).vhid.value();
  return event;
}

void Journal::koid(const std::string& what) {
  Event event;
  event.cause = what;
  add(std::move(event));
}

void Journal::role(const controlplane::RoleChange& change) {
  Event event = of_slot(Event::Kind::role, change.slot);
  event.time = wall_time(snapshot_, change.at);
  event.from = election::to_string(change.from);
  event.to = election::to_string(change.to);
  event.cause = election::to_string(change.cause);
  event.term = change.term.value();
  const controlplane::SlotPlan& plan = snapshot_.plan->slots[change.slot.value()];
  event.advskew = plan.parameters.advskew;
  event.demotion = snapshot_.demotions->total(plan.group_index);
  std::string heard = "none heard yet";
  if (change.since_heard >= Duration::zero()) {
    event.since_heard_ms = std::chrono::duration<double, std::milli>(change.since_heard).count();
    heard = fmt::format("last advertisement {:.3f} ms ago", *event.since_heard_ms);
  }
  const std::string since =
      event.since_heard_ms ? fmt::format("{:.3f}", *event.since_heard_ms) : "none";
  log_with_fields(fmt::format("group {} vhid {}: {} -> {}: {} (term {}, {})", event.group,
                              event.vhid, event.from, event.to, event.cause, *event.term, heard),
                  {{"MESSAGE_ID", message_id(change.from, change.to)},
                   {"KOI_GROUP", event.group},
                   {"KOI_VHID", std::to_string(event.vhid)},
                   {"KOI_FROM", event.from},
                   {"KOI_TO", event.to},
                   {"KOI_CAUSE", event.cause},
                   {"KOI_TERM", std::to_string(*event.term)},
                   {"KOI_SINCE_HEARD_MS", since},
                   {"KOI_ADVSKEW", std::to_string(*event.advskew)},
                   {"KOI_DEMOTION", std::to_string(*event.demotion)}});
  add(std::move(event));
}

void Journal::link(std::size_t port, bool up) {
  Event event;
  event.kind = Event::Kind::link;
  event.port = snapshot_.config->ports[port].name;
  event.to = up ? "up" : "down";
  spdlog::info("port {}: link {}", event.port, event.to);
  add(std::move(event));
}

void Journal::agent(bool present) {
  Event event;
  event.kind = Event::Kind::agent;
  event.to = present ? "present" : "absent";
  event.cause =
      present
          ? "is there"
          : "is not there: no hook runs, interfaces stay as they are, checks will count as failed";
  if (present) {
    spdlog::info("koi-agent {}", event.cause);
  } else {
    spdlog::warn("koi-agent {} (start it: systemctl start koi-agent)", event.cause);
  }
  add(std::move(event));
}

void Journal::peer(SlotIndex first, const char* what, const std::string& who, bool warn) {
  Event event = of_slot(Event::Kind::peer, first);
  event.cause = what;
  event.detail = who;
  spdlog::log(warn ? spdlog::level::warn : spdlog::level::info, "group {}: peer {}: {}",
              event.group, what, who);
  add(std::move(event));
}

void Journal::demotions() {
  const std::vector<DemotionCause>& now = snapshot_.demotions->list();
  if (std::equal(now.begin(), now.end(), demotions_.begin(), demotions_.end(),
                 [](const auto& a, const auto& b) { return same(a, b) && a.count == b.count; })) {
    return;  // as nearly always
  }
  const auto tell = [this](const DemotionCause& cause, unsigned from, unsigned to) {
    Event event;
    event.kind = Event::Kind::demotion;
    event.from = std::to_string(from);
    event.to = std::to_string(to);
    event.cause = cause.name;
    event.detail = cause.detail.empty() ? cause.owner : cause.owner + ": " + cause.detail;
    for (const std::uint16_t g : cause.groups.value_or(std::vector<std::uint16_t>())) {
      event.groups.push_back(snapshot_.config->groups[g].name);
    }
    add(std::move(event));
  };
  const auto counted = [](const std::vector<DemotionCause>& list, const DemotionCause& cause) {
    const auto there = std::find_if(list.begin(), list.end(),
                                    [&](const DemotionCause& c) { return same(c, cause); });
    return there == list.end() ? 0U : unsigned{there->count};
  };
  for (const DemotionCause& cause : demotions_) {
    if (counted(now, cause) == 0) tell(cause, cause.count, 0);
  }
  for (const DemotionCause& cause : now) {
    const unsigned before = counted(demotions_, cause);
    if (before != cause.count) tell(cause, before, cause.count);
  }
  demotions_ = now;
}

void Journal::notice(const controlplane::NoticeRaised& notice) {
  const auto now = steady_clock::now();
  Said& said = said_[{notice.slot, notice.notice}];
  if (now - said.at < kNoticeEvery) {
    ++said.since;
    return;
  }
  Event event = of_slot(Event::Kind::notice, notice.slot);
  event.cause = election::kNoticeNames[static_cast<std::size_t>(notice.notice)];
  event.detail = fmt::format("{} at {}{}", notice.source.to_string(), notice.mac.to_string(),
                             advice(notice.notice));
  event.repeats = said.since;
  said = {now, 0};
  Moment& logged = logged_[static_cast<std::size_t>(notice.notice)];
  if (now - logged >= kNoticeEvery) {
    logged = now;
    spdlog::warn("group {} vhid {}: {} from {}{}", event.group, event.vhid, event.cause,
                 notice.source.to_string(), advice(notice.notice));
  }
  add(std::move(event));
}

}  // namespace koi::app
