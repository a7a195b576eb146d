#include "tests/bench/lan_seen.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace koi::bench {
namespace {

constexpr std::size_t kEtherType = 12;
constexpr std::size_t kArpLength = 42, kOperation = 20, kSender = 28, kTarget = 38;
constexpr std::size_t kIpv4Least = 34, kProtocol = 23;
constexpr std::uint8_t kCarp = 112;

bool has(Frame frame, std::size_t at, std::uint16_t word) {
  return frame[at] == word >> 8 && frame[at + 1] == (word & 0xff);
}

template <class Word>
void put(std::FILE* out, Word word) {
  std::fwrite(&word, sizeof word, 1, out);
}

}  // namespace

Kind kind_of(Frame frame) {
  if (frame.size() >= kIpv4Least && has(frame, kEtherType, 0x0800)) {
    return frame[kProtocol] == kCarp ? Kind::advertisement : Kind::other;
  }
  if (frame.size() < kArpLength || !has(frame, kEtherType, 0x0806)) return Kind::other;
  if (has(frame, kOperation, 2)) return Kind::answer;
  const bool gratuitous = std::equal(&frame[kSender], &frame[kSender + 4], &frame[kTarget]);
  return gratuitous && has(frame, kOperation, 1) ? Kind::announcement : Kind::other;
}

std::uint8_t vhid_of(Frame frame) { return frame[11]; }

std::uint32_t sender_of(Frame frame) {
  std::uint32_t address = 0;
  std::memcpy(&address, &frame[kSender], sizeof address);
  return address;
}

Seen::Seen(std::size_t addresses) {
  // No table is made anew while the LAN is at work.
  advertised_.reserve(256);
  announced_.reserve(addresses);
  answered_.reserve(addresses);
}

void Seen::take(Frame frame, Kind kind, Nanoseconds when) {
  if (kind == Kind::advertisement) {
    advertised_[vhid_of(frame)] = keep(frame, when);
  } else if (kind == Kind::announcement || kind == Kind::answer) {
    ByKey& first = kind == Kind::announcement ? announced_ : answered_;
    const std::uint32_t address = sender_of(frame);
    if (!first.contains(address)) first.emplace(address, keep(frame, when));
  }
}

void Seen::forget() {
  announced_.clear();
  answered_.clear();
}

bool Seen::write(const std::string& path) const {
  std::FILE* out = std::fopen(path.c_str(), "wbe");
  if (out == nullptr) return false;
  put(out, std::uint32_t{0xa1b23c4d});  // nanoseconds; version 2.4
  put(out, std::uint16_t{2});
  put(out, std::uint16_t{4});
  put(out, std::uint64_t{0});
  put(out, std::uint32_t{65535});
  put(out, std::uint32_t{1});  // Ethernet
  for (const ByKey* some : {&advertised_, &announced_, &answered_}) {
    for (const auto& [key, frame] : *some) {
      put(out, static_cast<std::uint32_t>(frame.when / 1'000'000'000));
      put(out, static_cast<std::uint32_t>(frame.when % 1'000'000'000));
      put(out, std::uint32_t{frame.kept});
      put(out, std::uint32_t{frame.length});
      std::fwrite(frame.bytes.data(), 1, frame.kept, out);
    }
  }
  const bool failed = std::ferror(out) != 0;
  return std::fclose(out) == 0 && !failed;
}

Seen::Kept Seen::keep(Frame frame, Nanoseconds when) {
  Kept kept{.when = when, .length = static_cast<std::uint16_t>(frame.size()), .kept = 0, .bytes{}};
  kept.kept = static_cast<std::uint16_t>(std::min(frame.size(), kept.bytes.size()));
  std::copy_n(frame.begin(), kept.kept, kept.bytes.begin());
  return kept;
}

}  // namespace koi::bench
