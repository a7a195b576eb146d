#include "tools/agent/check_state.h"

namespace koi::agent {

bool CheckState::add(bool success) {
  if (success == healthy_) {
    against_ = 0;
    return false;
  }
  if (++against_ < (healthy_ ? fall_ : rise_)) return false;
  healthy_ = success;
  against_ = 0;
  return true;
}

}  // namespace koi::agent
