#include "dataplane/mempool.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

namespace koi::dataplane {

Result<rte_mempool*> make_pool(const std::string& name, unsigned count) {
  // Several bursts: what one has given back the next one takes, still in the processor's cache. Out
  // of a smaller one it would go through the pool's ring, and all buffers would be used in turn.
  constexpr unsigned kCache = 256;
  rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), count, std::min(kCache, count / 2), 0,
                                              RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) {
    return Error{
        fmt::format("no memory for {} packet buffers ({}): reserve more hugepages, or give "
                    "more memory with dataplane.eal: [\"-m\", \"MiB\"]",
                    count, rte_strerror(rte_errno))};
  }
  return pool;
}

unsigned data_mbufs(std::size_t ports, unsigned descriptors) {
  constexpr unsigned kInHand = 512;
  return std::bit_ceil(static_cast<unsigned>(ports) * 2 * descriptors + kInHand) - 1;
}

}  // namespace koi::dataplane
