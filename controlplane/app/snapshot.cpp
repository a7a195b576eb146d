#include "controlplane/app/snapshot.h"

#include <chrono>
#include <functional>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/words.h"
#include "controlplane/app/demotions.h"
#include "controlplane/app/peer_keeper.h"

namespace koi::app {
namespace {

using controlplane::SlotReport;
using election::Role;
using nlohmann::json;

json slot_json(const Snapshot& s, SlotIndex slot, Instant now) {
  const SlotReport& report = s.slots[slot.value()];
  const SlotView& view = s.view_of(slot);
  const election::Parameters& parameters = s.plan->slots[slot.value()].parameters;
  json master = nullptr;
  if (report.role == Role::master) {
    master = {{"address", source_of(view).to_string()}, {"mac", view.sends_from.to_string()}};
  } else if (report.master_known) {
    master = {{"address", report.master.to_string()}, {"mac", report.master_mac.to_string()}};
  }
  return {{"vhid", view.vhid.value()},
          {"role", election::to_string(report.role)},
          {"since", utc(s.since[slot.value()])},
          {"cause", election::to_string(report.cause)},
          {"term", report.term.value()},
          {"master", master},
          {"advbase", parameters.advbase},
          {"advskew", parameters.advskew},
          {"effective_advskew", report.effective_advskew},
          {"demotion", report.demotion},
          {"lease_ms", seconds(lease_left(s, slot, now)) * 1000}};
}

/// Of the group's own key; who signed last, and with which key, is each slot's.
json trailer_json(const config::Trailer& trailer) {
  json out = {{"mode", config::word(trailer.mode)}};
  if (trailer.key) out["key_id"] = trailer.key->id;
  return out;
}

/// Since koid was started: what the state file says of before has no moment.
json signed_json(const Snapshot& s, SlotIndex slot) {
  json out = json::array();
  for (const auto& [source, heard] : s.trailers->heard(slot)) {
    if (heard.at == std::chrono::system_clock::time_point()) continue;
    out.push_back(
        {{"address", source.to_string()}, {"key_id", heard.key_id}, {"at", utc(heard.at)}});
  }
  return out;
}

std::uint64_t sum(const Snapshot& s,
                  const std::function<const Counter&(const WorkerCounters&)>& of) {
  std::uint64_t total = 0;
  for (const WorkerCounters* w : s.workers) total += of(*w).get();
  return total;
}

json port_json(const Snapshot& s, std::size_t p) {
  json drops = json::object();
  for (std::size_t r = 0; r < kDropReasons; ++r) {
    drops[std::string(kDropReasonLabels[r])] =
        sum(s, [&](const WorkerCounters& w) -> const Counter& { return w.ports[p].drops[r]; });
  }
  json answers;
  constexpr std::array<const char*, kAnswerKinds> kNames = {"arp", "nd", "icmp"};
  for (std::size_t k = 0; k < kAnswerKinds; ++k) {
    answers[kNames[k]] =
        sum(s, [&](const WorkerCounters& w) -> const Counter& { return w.ports[p].answers[k]; });
  }
  const auto of_port = [&](Counter PortCounters::*which) {
    return sum(s, [&](const WorkerCounters& w) -> const Counter& { return w.ports[p].*which; });
  };
  return {{"name", s.config->ports[p].name},
          {"up", static_cast<bool>(s.link_up[p])},
          {"packets",
           {{"rx", of_port(&PortCounters::received)},
            {"tx", of_port(&PortCounters::transmitted)},
            {"to_host", of_port(&PortCounters::to_host)},
            {"from_host", of_port(&PortCounters::from_host)}}},
          {"answers", answers},
          {"drops", drops}};
}

/// Of the ports of which that worker has a queue: whether frames spread.
json received_json(const Snapshot& s, std::size_t worker) {
  json received = json::object();
  for (std::size_t p = 0; p < s.config->ports.size(); ++p) {
    if ((s.plan->topology->ports[p].receivers >> worker & 1) == 0) continue;
    received[s.config->ports[p].name] = s.workers[worker]->ports[p].received.get();
  }
  return received;
}

json transitions_json(const controlplane::ControlCounters::Slot& slot) {
  json list = json::array();
  for (std::size_t from = 0; from < 3; ++from) {
    for (std::size_t to = 0; to < 3; ++to) {
      for (std::size_t cause = 0; cause < election::kCauses; ++cause) {
        const std::uint64_t count = slot.transitions[from][to][cause].get();
        if (count == 0) continue;
        list.push_back({{"from", election::kRoleNames[from]},
                        {"to", election::kRoleNames[to]},
                        {"cause", election::kCauseNames[cause]},
                        {"count", count}});
      }
    }
  }
  return list;
}

json slot_counters_json(const Snapshot& s, SlotIndex slot, Instant now) {
  json received;
  for (std::size_t v = 0; v < kVerdictLabels.size(); ++v) {
    received[std::string(kVerdictLabels[v])] =
        sum(s, [&](const WorkerCounters& w) -> const Counter& {
          return w.slots[slot.value()].received[v];
        });
  }
  json notices;
  const auto& control = s.control->slots[slot.value()];
  for (std::size_t n = 0; n < election::kNoticeNames.size(); ++n) {
    notices[std::string(election::kNoticeNames[n])] = control.notices[n].get();
  }
  const auto sent = [&](Family family) {
    return sum(s, [&](const WorkerCounters& w) -> const Counter& {
      return w.slots[slot.value()].sent[static_cast<std::size_t>(family)];
    });
  };
  json out = {{"group", s.group_of(slot).name},
              {"vhid", s.view_of(slot).vhid.value()},
              // As the workers see it: a MASTER whose lease is over answers nothing.
              {"master", s.slots[slot.value()].role == Role::master &&
                             lease_left(s, slot, now) > Duration::zero()},
              {"lease_seconds", seconds(lease_left(s, slot, now))},
              {"adverts_sent", {{"ipv4", sent(Family::ipv4)}, {"ipv6", sent(Family::ipv6)}}},
              {"adverts_received", received},
              {"notices", notices},
              {"transitions", transitions_json(control)}};
  if (json peers = s.peers->counters(slot); !peers.is_null()) {
    json hellos;
    for (std::size_t v = 0; v < controlplane::kHelloVerdictLabels.size(); ++v) {
      hellos[std::string(controlplane::kHelloVerdictLabels[v])] = control.hellos[v].get();
    }
    out["peers"] = std::move(peers);
    out["hellos_sent"] = control.hellos_sent.get();
    out["hellos_received"] = std::move(hellos);
  }
  return out;
}

json histogram_json(const Histogram& histogram) {
  json buckets = json::array();
  std::uint64_t count = 0;
  for (std::size_t b = 0; b < Histogram::kBounds.size(); ++b) {
    count += histogram.bucket(b);
    buckets.push_back({{"le", seconds(Histogram::kBounds[b])}, {"count", count}});
  }
  count += histogram.bucket(Histogram::kBounds.size());
  return {{"buckets", buckets}, {"count", count}, {"sum", histogram.sum_seconds()}};
}

}  // namespace

std::string utc(std::chrono::system_clock::time_point moment) {
  using std::chrono::milliseconds;
  const auto ms = std::chrono::duration_cast<milliseconds>(moment.time_since_epoch());
  const std::time_t whole = ms.count() / 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(whole), ms.count() % 1000);
}

std::chrono::system_clock::time_point wall_time(const Snapshot& s, Instant moment) {
  using std::chrono::system_clock;
  return system_clock::now() -
         std::chrono::duration_cast<system_clock::duration>(s.clock->now() - moment);
}

Duration lease_left(const Snapshot& s, SlotIndex slot, Instant now) {
  const std::uint64_t term = s.board->slot(slot).term.load(std::memory_order_acquire);
  if (term == 0) return Duration::zero();
  Duration shortest = Duration::max();
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if ((s.view_of(slot).families & family_bit(family)) == 0) continue;
    const Stamp deadline = s.board->deadline(slot, family);
    const Duration left = deadline.is_number_of(term) ? deadline.left(now) : Duration::zero();
    shortest = std::min(shortest, std::max(left, Duration::zero()));
  }
  return shortest == Duration::max() ? Duration::zero() : shortest;
}

IpAddress source_of(const SlotView& slot) {
  if ((slot.families & family_bit(Family::ipv4)) != 0) return slot.source;
  return slot.source6;
}

Duration Snapshot::control_age() const {
  const Instant turn(Duration(control_turn->load(std::memory_order_relaxed)));
  return clock->now() - turn;
}

json status_json(const Snapshot& s) {
  const Duration control_age = s.control_age();
  const Instant now = s.clock->now();
  json groups = json::array();
  for (std::size_t g = 0; g < s.config->groups.size(); ++g) {
    const config::Group& group = s.config->groups[g];
    json addresses = json::array();
    for (const IpAddress& address : group.addresses) addresses.push_back(address.to_string());
    json slots = json::array();
    const controlplane::SlotRange range = s.plan->groups[g];
    for (std::uint16_t i = 0; i < range.count; ++i) {
      const SlotIndex slot(static_cast<std::uint16_t>(range.first.value() + i));
      slots.push_back(slot_json(s, slot, now));
      if (group.trailer) slots.back()["signed"] = signed_json(s, slot);
    }
    groups.push_back({{"name", group.name},
                      {"port", group.port},
                      {"vlan", group.vlan.value()},
                      {"protocol", "carp"},
                      {"addresses", addresses},
                      {"slots", slots}});
    if (group.trailer) groups.back()["trailer"] = trailer_json(*group.trailer);
    if (json peers = s.peers->status(range.first); !peers.is_null()) {
      groups.back()["peers"] = std::move(peers);
    }
  }
  return {{"ok", true},
          {"node", s.config->node},
          {"node_id", s.config->node_id.value()},
          {"version", KOI_VERSION},
          {"uptime_seconds", seconds(now.time_since_epoch())},
          {"demotion", demotion_json(*s.demotions, *s.config, steady_now())},
          {"agent",
           {{"needed", s.agent->needed()},
            {"present", s.agent->present()},
            {"since", utc(s.agent->since())}}},
          {"control_age_seconds", seconds(control_age)},
          {"groups", groups}};
}

json ports_json(const Snapshot& s) {
  json ports = json::array();
  for (std::size_t p = 0; p < s.config->ports.size(); ++p) ports.push_back(port_json(s, p));
  return {{"ok", true}, {"node", s.config->node}, {"ports", std::move(ports)}};
}

json counters_json(const Snapshot& s) {
  const Instant now = s.clock->now();
  json slots = json::array();
  for (std::size_t i = 0; i < s.plan->slots.size(); ++i) {
    if (s.plan->slots[i].gone) continue;
    slots.push_back(slot_counters_json(s, SlotIndex(static_cast<std::uint16_t>(i)), now));
  }
  json workers = json::array();
  for (std::size_t w = 0; w < s.workers.size(); ++w) {
    const Instant polled = s.board->polled(WorkerIndex(static_cast<std::uint8_t>(w)));
    const Duration age = s.clock->now() - polled;  // read after, or it may be negative
    workers.push_back({{"worker", w},
                       {"heartbeat_age_seconds", seconds(age)},
                       {"received", received_json(s, w)}});
  }
  json out = ports_json(s);
  out.update({{"version", KOI_VERSION},
              {"slots", slots},
              {"workers", workers},
              {"demotion", demotion_causes_json(*s.demotions)},
              {"agent", {{"needed", s.agent->needed()}, {"present", s.agent->present()}}},
              {"control_age_seconds", seconds(s.control_age())},
              {"frames_dropped", s.control->frames_dropped.get()},
              {"reports_dropped", s.control->reports_dropped.get()},
              {"control_late", histogram_json(s.control->late)},
              {"takeover", histogram_json(s.control->takeover)}});
  return out;
}

std::vector<std::array<std::uint64_t, kDropReasons>> total_drops(const Snapshot& s) {
  std::vector<std::array<std::uint64_t, kDropReasons>> totals(s.config->ports.size());
  for (std::size_t p = 0; p < totals.size(); ++p) {
    for (std::size_t r = 0; r < kDropReasons; ++r) {
      totals[p][r] =
          sum(s, [&](const WorkerCounters& w) -> const Counter& { return w.ports[p].drops[r]; });
    }
  }
  return totals;
}

}  // namespace koi::app
