#include "common/wire/carp.h"

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace koi::wire {
namespace {

constexpr std::size_t kCarpChecksumAt = 6;

}  // namespace

Parsed<CarpHeader> parse_carp(std::span<const std::byte> payload) {
  // protocol.md §3: length, at least 36
  if (payload.size() < kCarpHeaderLength) return DropReason::kCarpLength;
  const auto bytes = payload.first<kCarpHeaderLength>();
  // protocol.md §1: checksum, over exactly 36 bytes
  if (!checksum_ok(bytes)) return DropReason::kCarpChecksum;

  Reader r(bytes);
  CarpHeader header;
  const std::uint8_t version_type = r.u8();
  header.version = static_cast<std::uint8_t>(version_type >> 4);
  header.type = version_type & 0xf;
  header.vhid = Vhid(r.u8());
  header.advskew = r.u8();
  header.authlen = r.u8();
  header.demote = r.u8();
  header.advbase = r.u8();
  r.skip(2);  // checksum
  header.counter = r.be64();
  header.digest = r.bytes<20>();
  return header;
}

void write_carp(const CarpHeader& header, std::span<std::byte, kCarpHeaderLength> out) {
  Writer w(out);
  w.u8(static_cast<std::uint8_t>((header.version << 4) | (header.type & 0xf)));
  w.u8(header.vhid.value());
  w.u8(header.advskew);
  w.u8(header.authlen);
  w.u8(header.demote);
  w.u8(header.advbase);
  w.be16(0);
  w.be64(header.counter);
  w.bytes(header.digest);
  put_be16(out, kCarpChecksumAt, internet_checksum(out));
}

}  // namespace koi::wire
