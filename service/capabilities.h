#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "common/result.h"

/// Linux capabilities are a thread's, not a process's: each thread gives up its own, and a new one
/// begins with what its maker has.
namespace koi::service {

/// Leaves the calling thread, of what it has, no more than these (CAP_…), in every set; in the
/// bounding set too, where it has CAP_SETPCAP. Nothing brings them back. Allocates; reads /proc.
Status keep_capabilities(std::initializer_list<unsigned> kept);

/// What a thread has left: bit CAP_… of its effective and its permitted set together.
struct ThreadRights {
  std::string name;
  std::uint64_t capabilities = 0;

  bool operator==(const ThreadRights&) const = default;
};

/// Of those threads of this process that have something left.
std::vector<ThreadRights> threads_with_capabilities();

}  // namespace koi::service
