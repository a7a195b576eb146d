#include "controlplane/app/trailer_keeper.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "common/auth/trailer_sequence.h"

namespace koi::app {
namespace {

using controlplane::Command;

/// Reserved ahead of UTC, and renewed when half is left.
constexpr Duration kReserve = 30s;
/// And ahead of what was sent: while that is ahead of UTC it grows by one for each advertisement.
constexpr std::uint64_t kReserveCount = 1 << 26;
constexpr std::chrono::seconds kRetry{1};
constexpr Duration kOffsetTold = 5ms;  // by how much the offset changes before control is told

Duration utc_now() {
  return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace

bool uses_trailers(const controlplane::Plan& plan) {
  const auto& slots = plan.topology->slots;
  return std::any_of(slots.begin(), slots.end(),
                     [](const SlotView& slot) { return slot.trailer != TrailerRule::ignored; });
}

Status reserve_trailers(StateFile& state_file) {
  const std::uint64_t ceiling = std::max(auth::trailer_sequence(utc_now() + kReserve),
                                         state_file.first_trailer() + kReserveCount);
  return state_file.set_trailers(ceiling, state_file.trailer_records());
}

Duration utc_offset(koi::Clock& clock) { return utc_now() - clock.now().time_since_epoch(); }

std::vector<TrailerRecordOfSlot> records_of(const config::Config& config,
                                            const controlplane::Plan& plan,
                                            const StateFile& state_file) {
  std::vector<TrailerRecordOfSlot> out;
  const Topology& topology = *plan.topology;
  for (const StateFile::TrailerRecord& record : state_file.trailer_records()) {
    const auto source = IpAddress::parse(record.source);
    for (std::size_t i = 0; source && i < topology.slots.size(); ++i) {
      const SlotView& slot = topology.slots[i];
      if (slot.trailer == TrailerRule::ignored || slot.vhid.value() != record.vhid ||
          slot.vlan.value() != record.vlan || config.ports[slot.port.value()].name != record.port) {
        continue;
      }
      out.push_back({SlotIndex(static_cast<std::uint16_t>(i)), *source, record.sequence});
    }
  }
  return out;
}

TrailerKeeper::TrailerKeeper(const Setup& setup)
    : setup_(setup), heard_(setup.plan->slots.size()), offset_told_(utc_offset(*setup.clock)) {
  used_ = uses_trailers(*setup_.plan);
  for (const auto& record : records_of(*setup_.config, *setup_.plan, *setup_.state_file)) {
    heard_[record.slot.value()][record.source] = {.sequence = record.sequence};
  }
}

std::vector<Command> TrailerKeeper::before(const controlplane::Plan& next) {
  if (used_ || !uses_trailers(next)) return {};
  if (const Status s = reserve_trailers(*setup_.state_file); !s) spdlog::error(s.error().message);
  offset_told_ = utc_offset(*setup_.clock);
  return {controlplane::SetUtc{offset_told_},
          controlplane::SetSequenceCeiling{setup_.state_file->trailer_ceiling()}};
}

void TrailerKeeper::config_changed() {
  heard_.resize(setup_.plan->slots.size());
  used_ = used_ || uses_trailers(*setup_.plan);
}

void TrailerKeeper::on(const controlplane::SignedHeard& report) {
  const auto age = std::chrono::duration_cast<std::chrono::system_clock::duration>(
      setup_.clock->now() - report.at);
  heard_[report.slot.value()][report.source] = {report.sequence, report.key_id,
                                                std::chrono::system_clock::now() - age};
  news_ = true;
}

std::vector<Command> TrailerKeeper::update(Clock::time_point now) {
  std::vector<Command> commands;
  if (!used_) return commands;
  const Duration offset = utc_offset(*setup_.clock);
  if (std::chrono::abs(offset - offset_told_) > kOffsetTold) {
    offset_told_ = offset;
    commands.emplace_back(controlplane::SetUtc{offset});
  }
  const std::uint64_t sent = setup_.board->own_sequence.load(std::memory_order_acquire);
  const std::uint64_t needed =
      std::max(auth::trailer_sequence(utc_now() + kReserve / 2), sent + kReserveCount / 2);
  const bool short_of = needed > setup_.state_file->trailer_ceiling();
  if (now < retry_ || !(short_of || (news_ && now - saved_ >= kSaveEvery))) return commands;
  const std::uint64_t ceiling =
      std::max({auth::trailer_sequence(utc_now() + kReserve), sent + kReserveCount,
                setup_.state_file->trailer_ceiling()});
  if (const Status s = save(ceiling); !s) {
    spdlog::error(s.error().message);
    retry_ = now + kRetry;
    return commands;
  }
  saved_ = now;
  commands.emplace_back(controlplane::SetSequenceCeiling{ceiling});
  return commands;
}

void TrailerKeeper::finish() {
  if (!std::exchange(used_, false)) return;
  // Nothing was sent: the ceiling of before counts on.
  const std::uint64_t sent = std::max(setup_.board->own_sequence.load(std::memory_order_acquire),
                                      setup_.state_file->first_trailer() - 1);
  if (const Status s = save(sent); !s) spdlog::error(s.error().message);
}

Status TrailerKeeper::save(std::uint64_t ceiling) {
  std::vector<StateFile::TrailerRecord> records;
  const Topology& topology = *setup_.plan->topology;
  for (std::size_t i = 0; i < heard_.size(); ++i) {
    const SlotView& slot = topology.slots[i];
    if (setup_.plan->slots[i].gone) continue;
    for (const auto& [source, heard] : heard_[i]) {
      records.push_back({.port = setup_.config->ports[slot.port.value()].name,
                         .vlan = slot.vlan.value(),
                         .vhid = slot.vhid.value(),
                         .source = source.to_string(),
                         .sequence = heard.sequence});
    }
  }
  Status s = setup_.state_file->set_trailers(ceiling, std::move(records));
  if (s) news_ = false;
  return s;
}

}  // namespace koi::app
