#include "controlplane/app/peer_keeper.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace koi::app {
namespace {

using controlplane::PeerReport;
using nlohmann::json;

std::vector<std::string_view> names_of(wire::MismatchSet set) {
  std::vector<std::string_view> names;
  for (std::size_t m = 0; m < wire::kMismatchNames.size(); ++m) {
    if ((set >> m & 1) != 0) names.push_back(wire::kMismatchNames[m]);
  }
  return names;
}

/// Of its members together: MASTER iff it is of one of them.
std::string role_of(const PeerReport& peer) {
  if (peer.masters != 0) return "MASTER";
  return peer.backups != 0 ? "BACKUP" : "INIT";
}

std::string name_of(const PeerReport& peer) {
  return fmt::format("{} (node {})", peer.address.to_string(), peer.node.value());
}

}  // namespace

void PeerKeeper::config_changed() {
  auto before = std::exchange(groups_, {});
  const Instant now = setup_.clock->now();
  for (const controlplane::HelloPlan& plan : setup_.plan->hellos) {
    Group& group = groups_[plan.first];
    group.plan = plan;
    group.plan.signer.reset();  // who only looks needs no key
    if (const auto known = before.find(plan.first); known != before.end()) {
      group.peers = std::move(known->second.peers);
    }
    for (auto& [address, peer] : group.peers) peer.configured = false;
    for (const IpAddress& address : plan.peers) {
      const auto [peer, added] = group.peers.try_emplace(address);
      peer->second.configured = true;
      if (!added) continue;
      peer->second.last.slot = plan.first;
      peer->second.last.address = address;
      peer->second.since = now;
    }
    std::erase_if(group.peers, [](const auto& entry) {
      return !entry.second.configured && entry.second.last.heard == Instant{};
    });
  }
}

void PeerKeeper::on(const PeerReport& report, Journal& journal) {
  const auto group = groups_.find(report.slot);
  if (group == groups_.end()) return;
  if (report.gone) {
    group->second.peers.erase(report.address);
    return;
  }
  const auto [at, added] = group->second.peers.try_emplace(report.address);
  Peer& peer = at->second;
  if (added) peer.since = setup_.clock->now();
  const PeerReport before = peer.last;
  peer.last = report;
  if (report.heard == Instant{}) return;
  if (before.heard == Instant{} || peer.silent) {
    journal.peer(report.slot, before.heard == Instant{} ? "seen" : "seen again",
                 fmt::format("{}: {}, koid {}", name_of(report), role_of(report),
                             wire::to_string(report.version)),
                 false);
    peer.silent = false;
  }
  if (report.differs == before.differs) return;
  const std::string what = fmt::format("{}", fmt::join(names_of(report.differs), ", "));
  journal.peer(report.slot, what.empty() ? "agrees" : "differs",
               what.empty() ? name_of(report)
                            : fmt::format("{} has other {} than this box", name_of(report), what),
               !what.empty());
}

void PeerKeeper::update(Journal& journal) {
  const Instant now = setup_.clock->now();
  for (auto& [first, group] : groups_) {
    const auto patience = std::chrono::duration_cast<Duration>(group.plan.interval * kSilentAfter);
    if (patience == Duration::zero()) continue;
    for (auto& [address, peer] : group.peers) {
      if (peer.silent || unseen(peer, now) < patience) continue;
      peer.silent = true;
      const double age = seconds(unseen(peer, now));
      journal.peer(
          first, "silent",
          peer.last.heard == Instant{}
              ? fmt::format("{}: no hello of it yet, for {:.0f} s", address.to_string(), age)
              : fmt::format("{}: no hello of it for {:.1f} s, it was {}", name_of(peer.last), age,
                            role_of(peer.last)),
          true);
    }
  }
}

json PeerKeeper::status(SlotIndex first) const {
  const auto group = groups_.find(first);
  if (group == groups_.end()) return nullptr;
  const Instant now = setup_.clock->now();
  json list = json::array();
  for (const auto& [address, peer] : group->second.peers) {
    json one = {{"address", address.to_string()},
                {"configured", peer.configured},
                {"silent", peer.silent},
                {"last_seen_seconds", seconds(unseen(peer, now))},
                {"heard", peer.last.heard != Instant{}}};
    if (peer.last.heard != Instant{}) {
      one["mac"] = peer.last.mac.to_string();
      one["node_id"] = peer.last.node.value();
      one["role"] = role_of(peer.last);
      one["version"] = wire::to_string(peer.last.version);
      one["demotion"] = peer.last.demotion;
      one["differs"] = names_of(peer.last.differs);
      const SlotView& slot = setup_.plan->topology->slots[first.value()];
      if (slot.members > 1) {
        json masters = json::array();
        for (unsigned m = 0; m < slot.members; ++m) {
          if ((peer.last.masters >> m & 1) == 0) continue;
          masters.push_back(setup_.plan->topology->slots[first.value() + m].vhid.value());
        }
        one["master_of"] = std::move(masters);
      }
    }
    list.push_back(std::move(one));
  }
  return list;
}

json PeerKeeper::counters(SlotIndex first) const {
  const auto group = groups_.find(first);
  if (group == groups_.end()) return nullptr;
  const Instant now = setup_.clock->now();
  json list = json::array();
  for (const auto& [address, peer] : group->second.peers) {
    json one = {{"address", address.to_string()},
                {"last_seen_seconds", seconds(unseen(peer, now))}};
    if (peer.last.heard != Instant{}) {
      json differs = json::object();
      for (std::size_t m = 0; m < wire::kMismatchNames.size(); ++m) {
        differs[std::string(wire::kMismatchNames[m])] = peer.last.differs >> m & 1;
      }
      one["differs"] = std::move(differs);
    }
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace koi::app
