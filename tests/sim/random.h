#pragma once

#include <cmath>
#include <cstdint>

/// The simulator's only source of chance: the same seed gives the same run on every machine.
namespace koi::sim {

/// splitmix64's finaliser: a number that looks like chance and depends on x alone.
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    const std::uint64_t drawn = mix(state_);
    state_ += 0x9e3779b97f4a7c15ULL;
    return drawn;
  }
  /// 0 to n - 1; 0 for n = 0.
  std::uint64_t below(std::uint64_t n) { return n == 0 ? 0 : next() % n; }
  /// First to last, both included.
  std::int64_t between(std::int64_t first, std::int64_t last) {
    return first + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last - first + 1)));
  }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(double probability) { return unit() < probability; }
  /// Every order of magnitude between the two is as likely as any other.
  std::int64_t log_between(std::int64_t least, std::int64_t most) {
    const double low = std::log(static_cast<double>(least));
    const double high = std::log(static_cast<double>(most));
    return static_cast<std::int64_t>(std::exp(low + (high - low) * unit()));
  }

 private:
  std::uint64_t state_;
};

}  // namespace koi::sim
