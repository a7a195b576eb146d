// A whole frame into classify-and-answer: never a read or write past it and its room, and an answer
// never longer than what was asked, but for the option that a solicitation may lack.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "dataplane/classify.h"
#include "tests/support/world.h"

namespace {

using koi::test::Bytes;

void receive(const Bytes& input, std::size_t room) {
  static koi::test::World& world = *new koi::test::World;
  static const bool reigns = [] {
    for (const auto slot : {koi::test::kLan, koi::test::kBoth, koi::test::kTagged6}) {
      world.reign(slot);
    }
    return true;
  }();
  (void)reigns;
  world.up.messages.clear();
  // Exactly as large as the frame and its room, so that the sanitizer sees its ends.
  Bytes frame(input.size() + room);
  std::copy(input.begin(), input.end(), frame.begin());
  const koi::dataplane::Fate fate = koi::dataplane::classify(std::span(frame).first(input.size()),
                                                             room, world.burst(), world.adverts);
  if (fate.kind() != koi::dataplane::Fate::Kind::answer) return;
  const std::size_t longer = fate.what() == koi::AnswerKind::nd ? room : 0;
  if (fate.length() > input.size() + longer) std::abort();
}

/// A right checksum for an ICMPv6 message without extension headers, which a fuzzer hardly finds.
bool mend(Bytes& frame) {
  if (frame.size() < 14 + 40 + 4 || frame[12] != std::byte{0x86} || frame[13] != std::byte{0xdd} ||
      frame[20] != std::byte{58}) {
    return false;
  }
  const std::size_t length = koi::wire::get_be16(frame, 18);
  if (length < 4 || length > frame.size() - 54) return false;
  koi::test::Ip6 ip;
  std::copy_n(frame.begin() + 22, 16, ip.source.bytes.begin());
  std::copy_n(frame.begin() + 38, 16, ip.destination.bytes.begin());
  Bytes message(frame.begin() + 54, frame.begin() + 54 + static_cast<std::ptrdiff_t>(length));
  koi::test::set_checksum6(message, 2, ip, 58);
  std::copy(message.begin(), message.end(), frame.begin() + 54);
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2048) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  Bytes frame(bytes, bytes + size);
  for (const std::size_t room : {std::size_t{0}, std::size_t{8}}) receive(frame, room);
  if (mend(frame)) {
    for (const std::size_t room : {std::size_t{0}, std::size_t{8}}) receive(frame, room);
  }
  return 0;
}
