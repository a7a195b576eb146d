#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

/// The only place that touches the bytes of an mbuf.
namespace koi::dataplane {

/// The frame's bytes; of several segments the first one's. Valid until the mbuf is freed or sent.
inline std::span<std::byte> frame_of(rte_mbuf* m) {
  return {rte_pktmbuf_mtod(m, std::byte*), rte_pktmbuf_data_len(m)};
}

/// Of a frame the start: where it is in a buffer of make_pool()'s as drivers fill it, so that the
/// buffer need not be asked. Of another one nothing.
inline void prefetch(const rte_mbuf* m) {
  constexpr std::size_t kStart = sizeof(rte_mbuf) + RTE_PKTMBUF_HEADROOM;
  rte_prefetch0(reinterpret_cast<const std::byte*>(m) + kStart);
}

inline bool is_one_segment(const rte_mbuf* m) { return m->nb_segs == 1; }

/// How many bytes the buffer holds after the frame's.
inline std::size_t room_of(const rte_mbuf* m) { return rte_pktmbuf_tailroom(m); }

/// Shortens a one-segment frame, or makes it longer. REQUIRES: length <= its length and room_of().
inline void set_length(rte_mbuf* m, std::uint16_t length) {
  m->data_len = length;
  m->pkt_len = length;
}

/// Fills an empty mbuf with bytes. Returns false iff they do not fit.
inline bool fill(rte_mbuf* m, std::span<const std::byte> bytes) {
  char* room = rte_pktmbuf_append(m, static_cast<std::uint16_t>(bytes.size()));
  if (room == nullptr) return false;
  std::memcpy(room, bytes.data(), bytes.size());
  return true;
}

/// Copies its first bytes, of as many segments as it has. REQUIRES: it has so many.
inline void copy_of(const rte_mbuf* m, std::span<std::byte> into) {
  const void* bytes = rte_pktmbuf_read(m, 0, static_cast<std::uint32_t>(into.size()), into.data());
  if (bytes != into.data()) std::memcpy(into.data(), bytes, into.size());
}

}  // namespace koi::dataplane
