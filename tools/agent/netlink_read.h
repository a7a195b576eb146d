#pragma once

#include <optional>
#include <utility>

#include "tools/agent/kernel_interface.h"

struct nlmsghdr;

namespace koi::agent {

/// Reads a message RTM_NEWLINK of the kernel; nothing iff it is another one. Addresses are not in
/// it.
std::optional<KernelInterface> read_link(const nlmsghdr* header);

/// Reads a message RTM_NEWADDR or RTM_DELADDR: the interface's index and the address.
std::optional<std::pair<unsigned, KernelAddress>> read_address(const nlmsghdr* header);

}  // namespace koi::agent
