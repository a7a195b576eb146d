#include "tests/bench/lan_client.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace koi::bench {
namespace {

constexpr std::size_t kBatch = 32;  // requests at once
constexpr std::size_t kOpen = 256;  // and so many on their way: what a box's queue surely holds
constexpr Nanoseconds kAgain = 3'000'000;
constexpr Nanoseconds kCold = 1'000'000;
constexpr std::size_t kVhid = 5, kTarget = 38;  // in a request

}  // namespace

Client::Client(std::vector<Request> requests)
    : requests_(std::move(requests)), answered_(requests_.size()), on_its_way_(requests_.size()) {
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const auto which = static_cast<std::uint16_t>(i);
    std::uint32_t address = 0;
    std::memcpy(&address, &requests_[i][kTarget], sizeof address);
    which_[address] = which;
    members_[requests_[i][kVhid]].push_back(which);
  }
}

void Client::ask(bool at_once) {
  answered_.assign(requests_.size(), false);
  on_its_way_.assign(requests_.size(), false);
  heard_.fill(at_once);
  fresh_.clear();
  again_.clear();
  left_ = requests_.size();
  sent_ = open_ = 0;
  if (!at_once) return;
  for (std::size_t i = 0; i < left_; ++i) fresh_.push_back(static_cast<std::uint16_t>(i));
}

void Client::take(Frame frame, Kind kind) {
  if (left_ == 0) return;
  if (kind == Kind::advertisement) {
    const std::uint8_t vhid = vhid_of(frame);
    if (std::exchange(heard_[vhid], true)) return;
    fresh_.insert(fresh_.end(), members_[vhid].begin(), members_[vhid].end());
  } else if (kind == Kind::answer) {
    const auto found = which_.find(sender_of(frame));
    if (found == which_.end() || answered_[found->second]) return;
    answered_[found->second] = true;
    if (on_its_way_[found->second]) --open_;
    --left_;
  }
}

std::span<const std::uint16_t> Client::due(Nanoseconds now) {
  batch_.clear();
  while (!again_.empty() && again_.front().at <= now && batch_.size() < kBatch) {
    if (!answered_[again_.front().which]) batch_.push_back(again_.front().which);
    again_.pop_front();
  }
  while (!fresh_.empty() && batch_.size() < kBatch && open_ < kOpen) {
    const std::uint16_t which = fresh_.front();
    fresh_.pop_front();
    if (answered_[which]) continue;
    on_its_way_[which] = true;
    ++open_;
    batch_.push_back(which);
  }
  for (const std::uint16_t which : batch_) again_.push_back({now + kAgain, which});
  if (batch_.empty() && fresh_.empty() && now >= cold_due_) {
    batch_.push_back(cold_);
    cold_ = static_cast<std::uint16_t>((cold_ + 1U) % requests_.size());
    cold_due_ = now + kCold;
  }
  sent_ += batch_.size();
  return batch_;
}

}  // namespace koi::bench
