// The cable of tests/system/test_flood.py: hands on what two boxes send each other, and mixes a
// flood into what the first of them receives, as many frames a second as it is told.
//
//   koi-flood-switch EAL-ARGUMENTS -- FRAMES RATE
//
// Its ports 0 and 1 lead to the first and to the second box. FRAMES: a file of frames, each after
// its length (2 bytes, big-endian), sent over and over. Once a second it prints how many it has
// sent of them. What a box sends waits until the other one has room for it, a frame of the flood
// does not.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

namespace {

constexpr std::uint16_t kBurst = 32;
constexpr std::uint16_t kDescriptors = 1024;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "koi-flood-switch: %s\n", what);
  std::exit(1);
}

std::vector<std::string> read_frames(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  std::vector<std::string> frames;
  for (std::size_t at = 0; at + 2 <= all.size();) {
    const std::size_t length =
        static_cast<unsigned char>(all[at]) << 8U | static_cast<unsigned char>(all[at + 1]);
    frames.push_back(all.substr(at + 2, length));
    at += 2 + length;
  }
  if (frames.empty()) fail("no frames");
  return frames;
}

void start(std::uint16_t port, rte_mempool* pool) {
  const rte_eth_conf conf{};
  if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
      rte_eth_rx_queue_setup(port, 0, kDescriptors, 0, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(port, 0, kDescriptors, 0, nullptr) != 0 ||
      rte_eth_dev_start(port) != 0) {
    fail("a port does not start");
  }
}

bool is_up(std::uint16_t port) {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status != 0;
}

void hand_on(std::uint16_t from, std::uint16_t to) {
  rte_mbuf* frames[kBurst];
  const std::uint16_t count = rte_eth_rx_burst(from, 0, frames, kBurst);
  for (std::uint16_t sent = 0; sent < count;) {
    sent = static_cast<std::uint16_t>(
        sent + rte_eth_tx_burst(to, 0, frames + sent, static_cast<std::uint16_t>(count - sent)));
    if (sent == count || is_up(to)) continue;
    rte_pktmbuf_free_bulk(frames + sent, count - sent);
    return;
  }
}

/// Returns how many the box took.
std::uint16_t flood(const std::vector<std::string>& frames, std::size_t first, rte_mempool* pool) {
  rte_mbuf* burst[kBurst];
  if (rte_pktmbuf_alloc_bulk(pool, burst, kBurst) != 0) return 0;
  for (std::size_t i = 0; i < kBurst; ++i) {
    const std::string& frame = frames[(first + i) % frames.size()];
    std::memcpy(rte_pktmbuf_append(burst[i], static_cast<std::uint16_t>(frame.size())),
                frame.data(), frame.size());
  }
  const std::uint16_t sent = rte_eth_tx_burst(0, 0, burst, kBurst);
  rte_pktmbuf_free_bulk(burst + sent, kBurst - sent);
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  const int eal = rte_eal_init(argc, argv);
  if (eal < 0 || argc - eal != 3 || rte_eth_dev_count_avail() != 2) fail("wrong arguments");
  const std::vector<std::string> frames = read_frames(argv[eal + 1]);
  const std::uint64_t rate = std::strtoull(argv[eal + 2], nullptr, 10);
  rte_mempool* pool =
      rte_pktmbuf_pool_create("frames", 8191, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr || rate == 0) fail("no memory, or no rate");
  for (std::uint16_t port = 0; port < 2; ++port) start(port, pool);
  std::puts("ready");
  std::fflush(stdout);

  const std::uint64_t second = rte_get_tsc_hz();
  std::uint64_t offered = 0, sent = 0, due = rte_rdtsc(), told = due;
  for (;;) {
    hand_on(0, 1);
    hand_on(1, 0);
    const std::uint64_t now = rte_rdtsc();
    if (now - told > second) {
      std::printf("%llu\n", static_cast<unsigned long long>(sent));
      std::fflush(stdout);
      told = now;
    }
    if (now < due || !is_up(0)) continue;
    due = std::max(due, now - second / 100) + second * kBurst / rate;
    sent += flood(frames, offered, pool);
    offered += kBurst;
  }
}
