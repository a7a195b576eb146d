/// The LAN of tools/failover-meter --mass --link memif: two koi boxes hang on it by shared memory
/// (net_memif), whose frames cost a fraction of what a kernel's do. It is the switch between them,
/// the client that asks for all addresses (lan_client.h) and the witness (lan_seen.h).
///
///   bench-lan EAL-ARGUMENTS -- REQUESTS
///
/// Its ports 0 and 1 lead to the boxes. REQUESTS: a file of ARP requests of 42 bytes. Says "ready";
/// then obeys a line at a time, until standard input ends:
///
///   forget            what was seen of announcements and answers
///   ask BOX MS WORD   until that box has answered all, or for so long: "left N sent N took NS
///                     busy NS". WORD: all, at once, or word, once the box has said one; the other
///                     one's do not count, for it may be dying
///   count BOX         "announced N answered N lost N": addresses; frames that found no room
///   write BOX FILE    what was seen of that box, as pcap
///
/// A box may be killed and come back. The driver's interrupt thread then unmaps the box's memory,
/// which this thread must not be reading; so both have the same core, on which the interrupt
/// thread, which is not real-time, runs only while this one sleeps. (Or while the kernel stops
/// real-time threads that take more than 95 % of a second; this one takes 3 % but for the tens of
/// milliseconds in which it asks.)
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "tests/bench/asked.h"
#include "tests/bench/lan_client.h"
#include "tests/bench/lan_seen.h"

namespace {

using namespace koi::bench;  // NOLINT: a program

constexpr std::uint16_t kBoxes = 2;
constexpr std::uint16_t kBurst = 32;
constexpr std::uint16_t kDepth = 1024;  // of net_memif's rings, too
constexpr std::uint16_t kNobody = kBoxes;
constexpr int kCore = 0;       // koid's control has it; its worker has the other one
constexpr int kPriority = 46;  // below koid's control, which needs little; above the meter's
constexpr long kNap = 20'000;  // ns; it takes some 50,000

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench-lan: %s\n", what);
  std::exit(1);
}

Frame bytes_of(const rte_mbuf* mbuf) {
  return {rte_pktmbuf_mtod(mbuf, const std::uint8_t*), rte_pktmbuf_data_len(mbuf)};
}

bool is_up(std::uint16_t box) {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(box, &link) == 0 && link.link_status != 0;
}

/// Frames on their way to one box.
class Leg {
 public:
  void add(std::uint16_t box, rte_mbuf* frame) {
    if (count_ == frames_.size()) send(box);
    frames_[count_++] = frame;
  }
  void send(std::uint16_t box) {
    if (count_ == 0) return;
    const std::uint16_t sent = rte_eth_tx_burst(box, 0, frames_.data(), count_);
    if (sent == count_) {
      count_ = 0;
      return;
    }
    // A cable in which nobody is loses everything, and that is no loss.
    if (is_up(box)) lost += count_ - std::size_t{sent};
    rte_pktmbuf_free_bulk(&frames_[sent], count_ - std::uint32_t{sent});
    count_ = 0;
  }

  std::size_t lost = 0;

 private:
  std::array<rte_mbuf*, kBurst> frames_{};
  std::uint16_t count_ = 0;
};

class Lan {
 public:
  Lan(rte_mempool* pool, std::vector<Client::Request> requests)
      : pool_(pool),
        seen_{Seen(requests.size()), Seen(requests.size())},
        client_(std::move(requests)) {}

  void run() {
    for (bool open = true; open;) {
      bool quiet = true;
      for (std::uint16_t box = 0; box < kBoxes; ++box) quiet = !hand_on(box) && quiet;
      if (asking_) quiet = !ask() && quiet;
      if (quiet) open = nap();
    }
  }

 private:
  /// What a box has sent. Returns whether it had.
  bool hand_on(std::uint16_t from) {
    std::array<rte_mbuf*, kBurst> frames;
    const std::uint16_t count = rte_eth_rx_burst(from, 0, frames.data(), kBurst);
    if (count == 0) return false;
    const Nanoseconds when = clock_now();
    const auto other = static_cast<std::uint16_t>(1 - from);
    for (std::uint16_t i = 0; i < count; ++i) {
      const Frame frame = bytes_of(frames[i]);
      const Kind kind = kind_of(frame);
      if (kind == Kind::advertisement || (kind != Kind::other && client_.knows(frame))) {
        seen_[from].take(frame, kind, when);
      }
      if (from == whom_) client_.take(frame, kind);
      behind_[mac(frame, 6)] = from;
      if (reaches(frame, other)) {
        legs_[other].add(other, frames[i]);
      } else {
        rte_pktmbuf_free(frames[i]);
      }
    }
    legs_[other].send(other);
    return true;
  }

  /// As a switch that learns: groups and unknown addresses go everywhere.
  bool reaches(Frame frame, std::uint16_t box) const {
    if ((frame[0] & 1) != 0) return true;
    const auto found = behind_.find(mac(frame, 0));
    return found == behind_.end() || found->second == box;
  }
  static std::uint64_t mac(Frame frame, std::size_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, &frame[at], 6);
    return word;
  }

  /// The client's next requests. Returns whether there were any.
  bool ask() {
    const Nanoseconds now = clock_now();
    if (!client_.wants_more() || now >= until_) {
      const Client::Asked asked = client_.asked();
      const Nanoseconds took = now - began_;
      std::printf("left %zu sent %zu took %ld busy %ld\n", asked.left, asked.sent, took,
                  took - napped_);
      std::fflush(stdout);
      asking_ = false;
      return false;
    }
    const auto due = client_.due(now);
    for (const std::uint16_t which : due) {
      const Client::Request& request = client_.request(which);
      behind_[mac(request, 6)] = kNobody;
      for (std::uint16_t box = 0; box < kBoxes; ++box) {
        if (reaches(request, box)) add(request, box);
      }
    }
    for (std::uint16_t box = 0; box < kBoxes; ++box) legs_[box].send(box);
    return !due.empty();
  }

  void add(const Client::Request& request, std::uint16_t box) {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) fail("no memory for a request");
    std::memcpy(rte_pktmbuf_append(mbuf, sizeof request), request.data(), sizeof request);
    legs_[box].add(box, mbuf);
  }

  /// Sleeps, and obeys unless the client is asking. Returns whether standard input is still open.
  bool nap() {
    pollfd input{.fd = asking_ ? -1 : STDIN_FILENO, .events = POLLIN, .revents = 0};
    const timespec nap{.tv_sec = 0, .tv_nsec = kNap};
    const Nanoseconds before = clock_now();
    const int ready = ppoll(&input, 1, &nap, nullptr);
    napped_ += clock_now() - before;
    if (ready <= 0) return true;
    char text[512];
    const ssize_t got = read(STDIN_FILENO, text, sizeof text);
    if (got <= 0) return got < 0 && errno == EINTR;
    said_.append(text, static_cast<std::size_t>(got));
    // One at a time: who asks waits for the answer.
    if (const std::size_t end = said_.find('\n'); end != std::string::npos) {
      obey(said_.substr(0, end));
      said_.erase(0, end + 1);
    }
    return true;
  }

  void obey(const std::string& line) {
    char word[8] = "";
    char path[256] = "";
    unsigned number = 0, milliseconds = 0;
    if (line == "forget") {
      for (Seen& seen : seen_) seen.forget();
      for (Leg& leg : legs_) leg.lost = 0;
      std::puts("done");
    } else if (std::sscanf(line.c_str(), "ask %u %u %7s", &number, &milliseconds, word) == 3) {
      whom_ = number;
      client_.ask(std::strcmp(word, "all") == 0);
      asking_ = true;
      began_ = clock_now();
      until_ = began_ + milliseconds * Nanoseconds{1'000'000};
      napped_ = 0;
    } else if (std::sscanf(line.c_str(), "count %u", &number) == 1 && number < kBoxes) {
      std::printf("announced %zu answered %zu lost %zu\n", seen_[number].announced(),
                  seen_[number].answered(), legs_[number].lost);
    } else if (std::sscanf(line.c_str(), "write %u %255s", &number, path) == 2 && number < kBoxes) {
      std::puts(seen_[number].write(path) ? "done" : "not written");
    } else {
      std::puts("what?");
    }
    std::fflush(stdout);
  }

  rte_mempool* pool_;
  std::array<Seen, kBoxes> seen_;
  std::array<Leg, kBoxes> legs_;
  std::unordered_map<std::uint64_t, std::uint16_t> behind_;  // MAC to box or kNobody, the client
  Client client_;
  std::string said_;
  bool asking_ = false;
  unsigned whom_ = 0;
  Nanoseconds began_ = 0, until_ = 0, napped_ = 0;
};

std::vector<Client::Request> read_requests(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(in)), {});
  std::vector<Client::Request> requests(all.size() / sizeof(Client::Request));
  if (requests.empty() || requests.size() > UINT16_MAX) fail("no requests, or too many");
  std::memcpy(requests.data(), all.data(), requests.size() * sizeof(Client::Request));
  return requests;
}

}  // namespace

int main(int argc, char** argv) {
  cpu_set_t core;
  CPU_ZERO(&core);
  CPU_SET(kCore, &core);
  if (sched_setaffinity(0, sizeof core, &core) != 0) fail("no core 0");
  const int eal = rte_eal_init(argc, argv);
  if (eal < 0 || argc - eal != 2 || rte_eth_dev_count_avail() != kBoxes) fail("wrong arguments");
  rte_mempool* const pool =
      rte_pktmbuf_pool_create("frames", 8191, 250, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) fail("no memory");
  Lan lan(pool, read_requests(argv[eal + 1]));
  for (std::uint16_t box = 0; box < kBoxes; ++box) {
    if (!start_port(pool, kDepth, box)) fail("a port does not start");
  }
  prctl(PR_SET_TIMERSLACK, 1UL);
  const sched_param priority{.sched_priority = kPriority};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) fail("no right to real-time priority");
  std::puts("ready");
  std::fflush(stdout);
  lan.run();
  return 0;
}
