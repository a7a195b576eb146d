#include "common/wire/hello.h"

#include <algorithm>

#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace koi::wire {
namespace {

constexpr std::uint32_t kMagic = 0x6b6f6948;  // "koiH"
constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kAsks = 1;  // flag; the others are passed over

}  // namespace

MismatchSet differences(const GroupFacts& ours, const GroupFacts& theirs) {
  MismatchSet set = 0;
  const auto note = [&set](Mismatch what, bool same) {
    if (!same) set |= mismatch_bit(what);
  };
  note(Mismatch::addresses, ours.addresses == theirs.addresses);
  note(Mismatch::members, ours.members == theirs.members && ours.vhids == theirs.vhids);
  note(Mismatch::hash, ours.hash == theirs.hash);
  note(Mismatch::advbase, ours.advbase == theirs.advbase);
  note(Mismatch::dead_ratio, ours.dead_ratio == theirs.dead_ratio);
  note(Mismatch::lowest_advskew, ours.lowest_advskew == theirs.lowest_advskew);
  return set;
}

VersionText version_text(std::string_view version) {
  VersionText text{};
  std::copy_n(version.begin(), std::min(version.size(), text.size()), text.begin());
  return text;
}

std::string to_string(const VersionText& version) {
  std::string text;
  for (const char c : version) {
    if (c == '\0') break;
    text += c > ' ' && c <= '~' ? c : '?';
  }
  return text;
}

Parsed<Hello> parse_hello(std::span<const std::byte> message) {
  if (message.size() < kHelloLength || message.size() > kHelloLongest) {
    return DropReason::kHelloSize;
  }
  Reader r(message);
  const std::uint32_t magic = r.be32();
  const std::uint8_t format = r.u8();
  Hello hello;
  hello.vhid = Vhid(r.u8());
  const std::uint16_t reserved = r.be16();  // the trailer's HMAC reads it as 0
  hello.node = NodeId(r.be16());
  hello.facts.members = r.u8();
  hello.facts.advbase = r.u8();
  hello.facts.dead_ratio = r.u8();
  hello.facts.lowest_advskew = r.u8();
  hello.demotion = r.u8();
  hello.asks = (r.u8() & kAsks) != 0;
  hello.masters = r.be32();
  hello.backups = r.be32();
  hello.facts.addresses = r.bytes<8>();
  hello.facts.vhids = r.bytes<8>();
  hello.facts.hash = r.bytes<8>();
  const auto version = r.bytes<16>();
  std::transform(version.begin(), version.end(), hello.version.begin(),
                 [](std::byte b) { return static_cast<char>(b); });
  if (magic != kMagic || format != kFormat || reserved != 0 || hello.facts.members == 0 ||
      hello.facts.members > kHelloMostMembers) {
    return DropReason::kHelloFormat;
  }
  return hello;
}

void write_hello(const Hello& hello, std::span<std::byte, kHelloLength> out) {
  Writer w(out);
  w.be32(kMagic);
  w.u8(kFormat);
  w.u8(hello.vhid.value());
  w.be16(0);
  w.be16(hello.node.value());
  w.u8(hello.facts.members);
  w.u8(hello.facts.advbase);
  w.u8(hello.facts.dead_ratio);
  w.u8(hello.facts.lowest_advskew);
  w.u8(hello.demotion);
  w.u8(hello.asks ? kAsks : std::uint8_t{0});
  w.be32(hello.masters);
  w.be32(hello.backups);
  w.bytes(hello.facts.addresses);
  w.bytes(hello.facts.vhids);
  w.bytes(hello.facts.hash);
  w.bytes(std::as_bytes(std::span(hello.version)));
}

}  // namespace koi::wire
