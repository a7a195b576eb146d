#pragma once

#include <cstdint>
#include <cstdio>

#include <rte_ethdev.h>

/// What the loops have in common that tools/bench runs (bench_lib/contestants.py). Not koi's, so
/// that the least loop stays without it.
namespace koi::bench {

/// A port with a queue each way. Returns false when DPDK refuses.
inline bool start_port(rte_mempool* pool, std::uint16_t depth, std::uint16_t port = 0) {
  const rte_eth_conf conf{};
  return rte_eth_dev_configure(port, 1, 1, &conf) == 0 &&
         rte_eth_rx_queue_setup(port, 0, depth, SOCKET_ID_ANY, nullptr, pool) == 0 &&
         rte_eth_tx_queue_setup(port, 0, depth, SOCKET_ID_ANY, nullptr) == 0 &&
         rte_eth_dev_start(port) == 0;
}

/// Each line on standard input is answered by "RX-packets: N TX-packets: N", until it ends.
template <class Received, class Answered>
void answer_questions(const Received& received, const Answered& answered) {
  for (int got = std::getchar(); got != EOF; got = std::getchar()) {
    if (got != '\n') continue;
    std::printf("RX-packets: %lu TX-packets: %lu\n", std::uint64_t{received()},
                std::uint64_t{answered()});
    std::fflush(stdout);
  }
}

}  // namespace koi::bench
