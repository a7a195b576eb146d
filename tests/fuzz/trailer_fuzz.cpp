// What follows an advertisement that is signed rightly: a trailer is taken iff its layout, key, MAC
// and sequence are right, and an advertisement without one iff none is asked for. The expectation
// is the specification's (protocol.md §14), not the parser's.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "common/auth/trailer_sequence.h"
#include "tests/support/world.h"

namespace {

using koi::TrailerRule;
using koi::test::Advert;
using koi::test::Bytes;

const std::string kKeys[] = {std::string(32, 'k'), std::string(64, 'n')};  // ids 1 and 2
constexpr koi::Duration kToday = std::chrono::seconds(1'790'000'000);      // 2026

/// A box with one group, and what a right verdict would be.
class Box {
 public:
  explicit Box(TrailerRule rule)
      : required_(rule == TrailerRule::required),
        world_(koi::test::TopologyBuilder()
                   .port(koi::test::kPortMac)
                   .own(koi::PortIndex(0), koi::VlanId(0), koi::test::kOwnIp)
                   .group({.addresses = {koi::test::kSharedIp},
                           .trailer = rule,
                           .trailer_keys = {{1, kKeys[0]}, {2, kKeys[1]}}})
                   .build()) {
    world_.board->utc_offset.store((kToday - world_.now.time_since_epoch()).count());
  }

  /// Bytes of anybody's after the 36, without a MAC that is right.
  void hear_bytes(Advert ad, std::span<const std::byte> after) {
    ad.counter = koi::test::counter_of(++counter_);
    expect(!required_ && after.size() != 28, ad,
           koi::test::Frame().add(koi::test::carp(ad)).add(after).bytes);
  }

  void hear_signed(Advert ad, const koi::test::Signature& s) {
    ad.counter = koi::test::counter_of(++counter_);
    const bool known_key = (s.key_id == 1 || s.key_id == 2) && s.key == kKeys[s.key_id - 1];
    // The box's clock goes on with each poll: what is 30 s old to the second is not judged.
    const std::uint64_t oldest = koi::auth::trailer_sequence(kToday - std::chrono::seconds(30));
    const std::uint64_t younger = koi::auth::trailer_sequence(kToday - std::chrono::seconds(29));
    if (last_ == 0 && s.sequence >= oldest && s.sequence < younger) return;
    const bool fresh = last_ == 0 ? s.sequence >= oldest : s.sequence > last_;
    const bool right = s.scheme == 1 && s.reserved == 0 && known_key && s.sequence != 0 && fresh;
    expect(right, ad, koi::test::signed_carp(ad, s));
    if (right) last_ = s.sequence;
  }

  bool is_spent() const { return last_ > koi::auth::trailer_sequence(2 * kToday); }

 private:
  void expect(bool taken, const Advert& ad, const Bytes& payload) {
    world_.poll();
    world_.up.messages.clear();
    const std::string said = world_.verdict_on(koi::test::frame(ad, payload));
    if ((said == "taken") == taken) return;
    std::fprintf(stderr, "%s, expected to be %s\n", said.c_str(), taken ? "taken" : "refused");
    std::abort();
  }

  const bool required_;
  koi::test::World world_;
  std::uint64_t counter_ = 0;
  std::uint64_t last_ = 0;
};

std::uint64_t number(std::span<const std::byte> bytes) {
  std::uint64_t n = 0;
  for (const std::byte b : bytes) n = n << 8 | std::to_integer<std::uint8_t>(b);
  return n;
}

}  // namespace

/// Byte 0 says how, 1-3 are advbase, advskew and demotion; then a trailer's first 12 bytes, to be
/// signed, or all that follows.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::unique_ptr<Box> boxes[2];
  if (size < 4 || size > 1000) return 0;
  const auto input = std::as_bytes(std::span(data, size));
  std::unique_ptr<Box>& box = boxes[data[0] & 1];
  if (!box || box->is_spent()) {
    box = std::make_unique<Box>((data[0] & 1) != 0 ? TrailerRule::required : TrailerRule::verified);
  }
  const Advert ad{.advskew = data[2], .advbase = data[1], .demote = data[3]};
  const auto after = input.subspan(4);
  if ((data[0] & 2) != 0 || after.size() < 12) {
    box->hear_bytes(ad, after);
  } else {
    box->hear_signed(ad, {.sequence = number(after.subspan(4, 8)),
                          .key = kKeys[data[0] >> 2 & 1],
                          .key_id = std::to_integer<std::uint8_t>(after[1]),
                          .scheme = std::to_integer<std::uint8_t>(after[0]),
                          .reserved = static_cast<std::uint16_t>(number(after.subspan(2, 2)))});
  }
  return 0;
}
