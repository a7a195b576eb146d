// The client of tools/latency: asks for one address by ARP at a steady rate and tells how long each
// answer took.
//
//   koi-arp-load INTERFACE TARGET SENDER RATE SECONDS
//
// Request n is due n/RATE seconds after the first one. Its delay counts from when it was due, not
// from when it was sent: a client that falls behind, or that an answerer makes wait, would
// otherwise leave out what it should have seen meanwhile (coordinated omission). How late it was
// itself is told beside. The delay ends when the kernel stamps the answer at the interface, so that
// the client's other work does not count. Each request has a sender MAC of its own, which every
// answerer copies into the answer; that says whose it is.
//
// Sent by one send() each, when due: a batch (sendmmsg) would hold some back. Received from a ring
// (TPACKET_V2) without a system call; V3 would hand over whole blocks, when full or after a while.
// It polls, for a sleep ends tens of microseconds late, and real-time, below koid's control: let
// SECONDS be less than one, for then the kernel takes its core away for 50 ms if others wait for
// it.
//
// Prints one line of JSON: counts, and delays as [ns, count] with the upper edge of each bucket, at
// most 0.8 % above what is in it.
#include <arpa/inet.h>
#include <atomic>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <linux/if_packet.h>
#include <map>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using Nanoseconds = std::int64_t;

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr Nanoseconds kLead = 1'000'000;        // until the first one is due
constexpr Nanoseconds kPatience = kSecond / 5;  // for answers, after the last one was sent
constexpr Nanoseconds kNone = -1;
constexpr unsigned kSlotSize = 128;  // an ARP frame and what the kernel says of it
constexpr unsigned kSlots = 32768;
constexpr unsigned kBlockSize = 1 << 16;
constexpr int kSignificantBits = 8;  // of a bucket
constexpr int kPriority = 45;        // as the lab's other clients

struct [[gnu::packed]] ArpFrame {
  std::uint8_t to[6], from[6];
  std::uint16_t type = htons(ETHERTYPE_ARP);
  std::uint16_t hardware = htons(1), protocol = htons(ETHERTYPE_IP);
  std::uint8_t hardware_length = 6, protocol_length = 4;
  std::uint16_t operation = htons(1);
  std::uint8_t sender_mac[6];
  std::uint32_t sender;  // network byte order, as target
  std::uint8_t target_mac[6];
  std::uint32_t target;
  std::uint8_t padding[18];
};
static_assert(sizeof(ArpFrame) == 60);

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "koi-arp-load: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

/// The clock of the kernel's stamps.
Nanoseconds now() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

/// A MAC for each request; `run` tells an earlier run's answers.
class Numbering {
 public:
  explicit Numbering(std::uint8_t run) : prefix_{2, run} {}

  void write(std::uint8_t* mac, std::uint32_t number) const {
    std::memcpy(mac, prefix_, 2);
    std::memcpy(mac + 2, &number, 4);
  }

  bool read(const std::uint8_t* mac, std::uint32_t& number) const {
    std::memcpy(&number, mac + 2, 4);
    return std::memcmp(mac, prefix_, 2) == 0;
  }

 private:
  std::uint8_t prefix_[2];
};

int open_socket(const char* interface, std::uint16_t protocol) {
  const int made = socket(AF_PACKET, SOCK_RAW, 0);
  if (made < 0) fail("socket");
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(protocol);
  where.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (where.sll_ifindex == 0 ||
      bind(made, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) {
    fail(interface);
  }
  return made;
}

/// ARP that arrives at the interface.
class Ring {
 public:
  explicit Ring(const char* interface) : socket_(open_socket(interface, 0)) {
    const int version = TPACKET_V2;
    const tpacket_req request{.tp_block_size = kBlockSize,
                              .tp_block_nr = kSlots * kSlotSize / kBlockSize,
                              .tp_frame_size = kSlotSize,
                              .tp_frame_nr = kSlots};
    if (setsockopt(socket_, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
        setsockopt(socket_, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0) {
      fail("ring");
    }
    void* mapped = mmap(nullptr, kSlots * kSlotSize, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_POPULATE, socket_, 0);
    if (mapped == MAP_FAILED) fail("mmap");
    slots_ = static_cast<std::byte*>(mapped);
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons(ETHERTYPE_ARP);
    where.sll_ifindex = static_cast<int>(if_nametoindex(interface));
    if (bind(socket_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) fail(interface);
  }

  /// Calls use(frame, its stamp) for the next frame, if there is one.
  template <typename Use>
  bool take(Use use) {
    auto& head = *reinterpret_cast<tpacket2_hdr*>(slots_ + next_ * kSlotSize);
    const std::atomic_ref<std::uint32_t> status(head.tp_status);
    if ((status.load(std::memory_order_acquire) & TP_STATUS_USER) == 0) return false;
    if (head.tp_snaplen >= offsetof(ArpFrame, padding)) {
      const auto* at = reinterpret_cast<const std::byte*>(&head) + head.tp_mac;
      use(*reinterpret_cast<const ArpFrame*>(at), head.tp_sec * kSecond + head.tp_nsec);
    }
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % kSlots;
    return true;
  }

  /// Frames for which there was no room.
  unsigned missed() const {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    if (getsockopt(socket_, SOL_PACKET, PACKET_STATISTICS, &stats, &size) != 0) fail("statistics");
    return stats.tp_drops;
  }

 private:
  int socket_;
  std::byte* slots_ = nullptr;
  unsigned next_ = 0;
};

void print_times(const char* name, const std::vector<Nanoseconds>& times) {
  std::map<Nanoseconds, std::uint64_t> buckets;
  Nanoseconds most = 0;
  for (const Nanoseconds time : times) {
    if (time == kNone) continue;
    const auto value = static_cast<std::uint64_t>(time);
    const int rest = std::max(0, static_cast<int>(std::bit_width(value)) - kSignificantBits);
    ++buckets[static_cast<Nanoseconds>(value | ((std::uint64_t{1} << rest) - 1))];
    most = std::max(most, time);
  }
  std::printf(", \"%s\": {\"max\": %lld, \"buckets\": [", name, static_cast<long long>(most));
  const char* between = "";
  for (const auto& [edge, count] : buckets) {
    std::printf("%s[%lld, %llu]", between, static_cast<long long>(edge),
                static_cast<unsigned long long>(count));
    between = ", ";
  }
  std::printf("]}");
}

template <typename T>
T number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value <= 0) fail("not a number");
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  errno = EINVAL;  // if an argument is wrong
  if (argc != 6) fail("INTERFACE TARGET SENDER RATE SECONDS");
  const auto rate = number<std::uint32_t>(argv[4]);
  const auto count = static_cast<std::uint32_t>(rate * number<double>(argv[5]));
  const Numbering numbering(static_cast<std::uint8_t>(getpid()));
  ArpFrame request{};
  std::memset(request.to, 0xff, sizeof request.to);
  request.target = inet_addr(argv[2]);
  request.sender = inet_addr(argv[3]);
  const int out = open_socket(argv[1], 0);
  Ring in(argv[1]);

  std::vector<Nanoseconds> late(count, kNone), delay(count, kNone);
  const Nanoseconds start = now() + kLead;
  const auto due = [&](std::uint32_t n) { return start + n * kSecond / rate; };
  std::uint32_t sent = 0, answered = 0, refused = 0, before_due = 0;
  const auto answer = [&](const ArpFrame& frame, Nanoseconds stamp) {
    std::uint32_t n = 0;
    if (frame.operation != htons(2) || frame.sender != request.target ||
        frame.target != request.sender || !numbering.read(frame.target_mac, n) || n >= sent ||
        delay[n] != kNone) {
      return;
    }
    if (stamp < due(n)) {
      ++before_due;
      return;
    }
    delay[n] = stamp - due(n);
    ++answered;
  };

  const sched_param priority{.sched_priority = kPriority};
  sched_setscheduler(0, SCHED_FIFO, &priority);  // without the right it is late, and tells it
  Nanoseconds last = start;
  for (;;) {
    const Nanoseconds time = now();
    if (sent < count && time >= due(sent)) {
      numbering.write(request.from, sent);
      numbering.write(request.sender_mac, sent);
      if (send(out, &request, sizeof request, 0) != sizeof request) ++refused;
      late[sent] = time - due(sent);
      ++sent;
      last = time;
    }
    while (in.take(answer)) {
    }
    if (sent == count && (answered == count || time > last + kPatience)) break;
  }

  if (before_due != 0) fail("answers came before they were due: the clock was set back");
  std::printf("{\"sent\": %u, \"answered\": %u, \"refused\": %u, \"missed\": %u", sent, answered,
              refused, in.missed());
  print_times("delay_ns", delay);
  print_times("late_ns", late);
  std::puts("}");
  return 0;
}
