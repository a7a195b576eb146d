#include "tools/agent/runner.h"

#include <algorithm>
#include <utility>

namespace koi::agent {
namespace {

constexpr Duration kMostOften = 1s;  // koid bears 5 s of silence at least

}  // namespace

Runner::Runner(const ListedCheck& check, std::unique_ptr<Probe> probe, Instant first)
    : spec_(check.spec),
      state_(check.healthy, check.spec.rise, check.spec.fall),
      probe_(std::move(probe)),
      next_start_(first) {}

Instant Runner::next() const {
  if (running_) return deadline_;
  // Of a killed script the end is awaited, however long that takes.
  return probe_->lingers() ? Instant::max() : next_start_;
}

void Runner::ready() {
  const auto verdict = probe_->ready();
  if (verdict && running_) finish(*verdict);
}

void Runner::tick(Instant now) {
  if (running_ && now >= deadline_) finish(probe_->give_up());
  if (running_ || probe_->lingers() || now < next_start_) return;
  running_ = true;
  deadline_ = now + spec_.timeout;
  // Late is late: the runs that were missed are not made up for.
  next_start_ = std::max(next_start_ + spec_.interval, now);
  if (const auto verdict = probe_->start()) {
    next_start_ = std::max(next_start_, now + spec_.interval);
    finish(*verdict);
  }
}

void Runner::finish(const Verdict& verdict) {
  running_ = false;
  if (!verdict.success) detail_ = verdict.detail;
  const bool turned = state_.add(verdict.success);
  pending_ = pending_ || turned || !decided_;
  decided_ = true;
}

std::optional<Runner::Report> Runner::due(Instant now) const {
  if (!pending_ && (!decided_ || now - last_report_ < std::max(2 * spec_.interval, kMostOften))) {
    return std::nullopt;
  }
  return Report{state_.healthy(), state_.healthy() ? std::string() : detail_};
}

void Runner::reported(Instant now) {
  pending_ = false;
  last_report_ = now;
}

}  // namespace koi::agent
