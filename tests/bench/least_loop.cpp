/// The least that can answer ARP for shared addresses on DPDK: what koi's worker is measured
/// beside. A burst, a header compared as one word, one look-up, the role and the lease, the answer
/// in place; no check of a sender or a length, no claim seen, no second driver call, no counter per
/// reason, no control plane. Not koi, and not to be used as one.
///
///   bench-least EAL-ARGUMENTS -- ADDRESSES
///
/// Answers on port 0 for so many addresses from 10.1.0.0 on (tools/bench_lib/frames.py). Asked
/// as asked.h says.

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <vector>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_prefetch.h>

#include "tests/bench/asked.h"

namespace {

constexpr std::uint16_t kBurst = 64;
constexpr std::uint16_t kAhead = 4;
constexpr std::uint64_t kArpOfIpv4 = 0x0406'0008'0100'0608;  // as it lies in the frame
constexpr std::uint16_t kRequest = 0x0100;
constexpr std::array<std::uint8_t, 6> kVirtualMac = {0, 0, 0x5e, 0, 1, 1};

struct Slot {
  std::atomic<std::uint64_t> deadline;  // cycles
  std::atomic<bool> master;
};

struct Table {
  explicit Table(std::uint32_t count)
      : mask(std::bit_ceil(2 * count) - 1), shift(std::countl_zero(mask)), keys(mask + 1) {
    for (std::uint32_t n = 0; n < count; ++n) {
      const std::uint32_t key = htonl(0x0a01'0000 + n);
      std::uint32_t at = place(key);
      while (keys[at] != 0) at = (at + 1) & mask;
      keys[at] = key;
    }
  }
  // Fibonacci hashing spreads neighbours best.
  std::uint32_t place(std::uint32_t key) const {
    return __builtin_bswap32(key) * 0x9e37'79b1U >> shift;
  }
  bool has(std::uint32_t key) const {
    for (std::uint32_t at = place(key); keys[at] != 0; at = (at + 1) & mask) {
      if (keys[at] == key) return true;
    }
    return false;
  }
  std::uint32_t mask;
  int shift;
  std::vector<std::uint32_t> keys;  // 0: none
};

struct Work {
  Table table;
  Slot slot{};
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> answered{0};
  std::atomic<bool> stop{false};
};

template <class Word>
Word load(const std::uint8_t* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

bool answer(std::uint8_t* frame, const Work& work, std::uint64_t now) {
  if (load<std::uint64_t>(frame + 12) != kArpOfIpv4) return false;
  if (load<std::uint16_t>(frame + 20) != kRequest) return false;
  const auto target = load<std::uint32_t>(frame + 38);
  if (!work.table.has(target)) return false;
  if (!work.slot.master.load(std::memory_order_relaxed)) return false;
  if (now >= work.slot.deadline.load(std::memory_order_relaxed)) return false;
  std::memcpy(frame, frame + 6, 6);
  std::memcpy(frame + 6, kVirtualMac.data(), 6);
  frame[21] = 2;
  std::memcpy(frame + 32, frame + 22, 10);
  std::memcpy(frame + 22, kVirtualMac.data(), 6);
  std::memcpy(frame + 28, &target, 4);
  return true;
}

int run(void* argument) {
  Work& work = *static_cast<Work*>(argument);
  rte_mbuf* frames[kBurst + kAhead];
  rte_mbuf* answers[kBurst];
  while (!work.stop.load(std::memory_order_relaxed)) {
    const std::uint16_t count = rte_eth_rx_burst(0, 0, frames, kBurst);
    if (count == 0) continue;
    for (std::uint16_t i = 0; i < kAhead; ++i) frames[count + i] = frames[count - 1];
    const std::uint64_t now = rte_rdtsc();
    std::uint16_t answer_count = 0;
    for (std::uint16_t i = 0; i < count; ++i) {
      rte_prefetch0(rte_pktmbuf_mtod(frames[i + kAhead], void*));
      if (answer(rte_pktmbuf_mtod(frames[i], std::uint8_t*), work, now)) {
        answers[answer_count++] = frames[i];
      } else {
        rte_pktmbuf_free(frames[i]);
      }
    }
    const std::uint16_t sent = rte_eth_tx_burst(0, 0, answers, answer_count);
    for (std::uint16_t i = sent; i < answer_count; ++i) rte_pktmbuf_free(answers[i]);
    work.received.store(work.received.load(std::memory_order_relaxed) + count,
                        std::memory_order_relaxed);
    work.answered.store(work.answered.load(std::memory_order_relaxed) + sent,
                        std::memory_order_relaxed);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int taken = rte_eal_init(argc, argv);
  const int count = taken < 0 || argc - taken != 2 ? 0 : std::atoi(argv[taken + 1]);
  if (count < 1) {
    std::fputs("bench-least EAL-ARGUMENTS -- ADDRESSES, with one port\n", stderr);
    return 2;
  }
  rte_mempool* pool =
      rte_pktmbuf_pool_create("frames", 8191, 250, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr || !koi::bench::start_port(pool, 1024)) {
    std::fputs("bench-least: no memory, or no port\n", stderr);
    return 1;
  }
  Work work{.table = Table(static_cast<std::uint32_t>(count))};
  work.slot.master = true;
  work.slot.deadline = UINT64_MAX;
  rte_eal_remote_launch(run, &work, rte_get_next_lcore(-1, 1, 0));
  koi::bench::answer_questions([&work] { return work.received.load(); },
                               [&work] { return work.answered.load(); });
  work.stop = true;
  rte_eal_mp_wait_lcore();
  return rte_eal_cleanup() == 0 ? 0 : 1;
}
