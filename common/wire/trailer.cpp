#include "common/wire/trailer.h"

#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace koi::wire {

Parsed<Trailer> parse_trailer(std::span<const std::byte> after) {
  // protocol.md §14: 28 bytes after the PDU. Anything else is no trailer (§1: to be ignored).
  if (after.size() != kTrailerLength) return DropReason::kTrailerMissing;
  Reader r(after);
  Trailer trailer;
  trailer.scheme = r.u8();
  trailer.key_id = r.u8();
  const std::uint16_t reserved = r.be16();
  trailer.sequence = r.be64();
  trailer.mac = r.bytes<kTrailerMacLength>();
  // protocol.md §14: scheme 1; reserved, 0
  if (trailer.scheme != kTrailerHmacSha256 || reserved != 0) return DropReason::kTrailerScheme;
  return trailer;
}

void write_trailer(const Trailer& trailer, std::span<std::byte, kTrailerLength> out) {
  Writer w(out);
  w.u8(trailer.scheme);
  w.u8(trailer.key_id);
  w.be16(0);
  w.be64(trailer.sequence);
  w.bytes(trailer.mac);
}

}  // namespace koi::wire
