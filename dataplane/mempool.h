#pragma once

#include <cstdint>
#include <string>

#include <rte_mempool.h>

#include "common/result.h"

namespace koi::dataplane {

/// Creates a pool of mbufs for one thread. It lives until EAL ends. count: 2^n - 1 is best.
Result<rte_mempool*> make_pool(const std::string& name, unsigned count);

/// What each receive and transmit ring of a port is asked to hold.
inline constexpr std::uint16_t kDescriptors = 1024;

/// Mbufs for what control sends, apart from those that received frames use: a flood cannot take
/// them.
inline constexpr unsigned kControlMbufs = 1023;

/// Mbufs for the frames one worker receives: its share of every port's rings, and what is in hand.
unsigned data_mbufs(std::size_t ports, unsigned descriptors);

}  // namespace koi::dataplane
