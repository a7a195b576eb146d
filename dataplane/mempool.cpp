#include "dataplane/mempool.h"

#include <bit>

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

namespace koi::dataplane {

Result<rte_mempool*> make_pool(const std::string& name, unsigned count) {
  constexpr unsigned kCache = 64;
  rte_mempool* pool = rte_pktmbuf_pool_create(name.c_str(), count, kCache, 0,
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
