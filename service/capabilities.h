#pragma once

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

/// The names of those threads of this process that have a capability left, in the effective or the
/// permitted set.
std::vector<std::string> threads_with_capabilities();

}  // namespace koi::service
