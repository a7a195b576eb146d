#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <time.h>
#include <unordered_map>

/// Parts of bench-lan (lan.cpp). None of koi's code, so that it is a witness of its own.
namespace koi::bench {

using Nanoseconds = std::int64_t;  // of CLOCK_MONOTONIC: other processes' clocks show the same
using Frame = std::span<const std::uint8_t>;

inline Nanoseconds clock_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * Nanoseconds{1'000'000'000} + now.tv_nsec;
}

/// What tools/failover-meter wants of a frame, in which nothing is checked that koi is tested for
/// elsewhere.
enum class Kind : std::uint8_t { other, advertisement, announcement, answer };
Kind kind_of(Frame frame);
/// Of an advertisement or an announcement, from the source MAC 00:00:5e:00:01:VHID.
std::uint8_t vhid_of(Frame frame);
/// REQUIRES: ARP. The sender's IPv4 address, network byte order.
std::uint32_t sender_of(Frame frame);

/// What one box has sent: of each vhid the last advertisement; of each IPv4 address, since
/// forget(), the first announcement (gratuitous ARP) and the first answer.
class Seen {
 public:
  explicit Seen(std::size_t addresses);

  void take(Frame frame, Kind kind, Nanoseconds when);
  void forget();
  std::size_t announced() const { return announced_.size(); }
  std::size_t answered() const { return answered_.size(); }
  /// As a pcap file with nanoseconds, in no order. Returns whether it could.
  bool write(const std::string& path) const;

 private:
  struct Kept {
    Nanoseconds when;
    std::uint16_t length;  // on the wire
    std::uint16_t kept;
    std::array<std::uint8_t, 128> bytes;
  };
  using ByKey = std::unordered_map<std::uint32_t, Kept>;
  static Kept keep(Frame frame, Nanoseconds when);

  ByKey advertised_;  // by vhid
  ByKey announced_;   // by address
  ByKey answered_;
};

}  // namespace koi::bench
