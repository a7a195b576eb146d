#include "common/wire/udp.h"

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"

namespace koi::wire {
namespace {

constexpr std::size_t kChecksumAt = 6;

/// RFC 768: addresses, protocol and length, in either family one sum.
ChecksumSum pseudo_header(const IpAddress& source, const IpAddress& destination,
                          std::uint16_t length) {
  if (!source.is_v4()) {
    return ipv6_pseudo_header(source.v6(), destination.v6(), length, kProtocolUdp);
  }
  ChecksumSum sum;
  sum.add(source.v4().bytes);
  sum.add(destination.v4().bytes);
  sum.add_word(kProtocolUdp);
  sum.add_word(length);
  return sum;
}

}  // namespace

void write_udp(const IpAddress& source, const IpAddress& destination, std::uint16_t source_port,
               std::uint16_t destination_port, std::span<std::byte> datagram) {
  const auto length = static_cast<std::uint16_t>(datagram.size());
  put_be16(datagram, 0, source_port);
  put_be16(datagram, kUdpDestinationAt, destination_port);
  put_be16(datagram, kUdpLengthAt, length);
  put_be16(datagram, kChecksumAt, 0);
  ChecksumSum sum = pseudo_header(source, destination, length);
  sum.add(datagram);
  // RFC 768: 0 says that there is none.
  const std::uint16_t checksum = sum.checksum();
  put_be16(datagram, kChecksumAt, checksum == 0 ? std::uint16_t{0xffff} : checksum);
}

}  // namespace koi::wire
