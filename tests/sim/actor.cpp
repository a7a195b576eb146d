#include "tests/sim/actor.h"

#include <algorithm>

namespace koi::sim {

void Actor::pause(const Pause& pause) {
  const auto later = std::find_if(pauses_.begin(), pauses_.end(),
                                  [&](const Pause& p) { return p.from > pause.from; });
  pauses_.insert(later, pause);
}

void Actor::run() {
  if (fiber_) return go();
  armed_ = !pauses_.empty() && pauses_.front().from <= now_;
  if (!armed_) return step_();
  fiber_ = std::make_unique<Fiber>(step_);
  go();
}

void Actor::go() {
  if (fiber_->resume()) fiber_.reset();
}

void Actor::consider_pause() {
  if (pauses_.empty() || pauses_.front().from > now_) return;
  if (pauses_.front().skip > 0) {
    --pauses_.front().skip;
    return;
  }
  resumes_ = now_ + pauses_.front().length;
  pauses_.pop_front();
  fiber_->suspend();
}

void Actor::abandon() {
  pauses_.clear();
  if (fiber_) go();
}

}  // namespace koi::sim
