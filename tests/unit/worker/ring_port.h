#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "tests/support/world.h"

namespace koi::test {

/// A port made of two rings: the worker is on one side of it, the test on the other.
class RingPort {
 public:
  static constexpr unsigned kReceiveRoom = 1024;  // frames

  /// Called by the worker, inside the driver, with the number of frames.
  using Hook = std::function<void(std::uint16_t frames)>;

  /// received: after a burst was taken from the receive ring. transmitting: before one is put into
  /// the transmit ring, which holds so many.
  RingPort(const std::string& name, rte_mempool* pool, unsigned transmit_room, Hook received,
           Hook transmitting)
      : name_(name),
        pool_(pool),
        received_(std::move(received)),
        transmitting_(std::move(transmitting)) {
    receive_ = rte_ring_create((name + "rx").c_str(), kReceiveRoom, SOCKET_ID_ANY, RING_F_EXACT_SZ);
    transmit_ =
        rte_ring_create((name + "tx").c_str(), transmit_room, SOCKET_ID_ANY, RING_F_EXACT_SZ);
    must(receive_ != nullptr && transmit_ != nullptr, "rings");
    const int port = rte_eth_from_rings(name.c_str(), &receive_, 1, &transmit_, 1, 0);
    must(port >= 0, "net_ring port");
    id_ = static_cast<std::uint16_t>(port);
    rte_eth_conf conf{};
    must(rte_eth_dev_configure(id_, 1, 1, &conf) == 0, "configure");
    must(rte_eth_rx_queue_setup(id_, 0, 1024, SOCKET_ID_ANY, nullptr, pool_) == 0, "rx");
    must(rte_eth_tx_queue_setup(id_, 0, 1024, SOCKET_ID_ANY, nullptr) == 0, "tx");
    must(rte_eth_dev_start(id_) == 0, "start");
    receive_callback_ = rte_eth_add_rx_callback(id_, 0, on_receive, this);
    transmit_callback_ = rte_eth_add_tx_callback(id_, 0, on_transmit, this);
    must(receive_callback_ != nullptr && transmit_callback_ != nullptr, "callbacks");
  }
  /// REQUIRES: the worker has ended.
  ~RingPort() {
    clear();
    rte_eth_dev_stop(id_);
    // They outlive the port otherwise, and the next one has its number.
    rte_eth_remove_rx_callback(id_, 0, receive_callback_);
    rte_eth_remove_tx_callback(id_, 0, transmit_callback_);
    rte_vdev_uninit(("net_ring_" + name_).c_str());
    rte_ring_free(receive_);
    rte_ring_free(transmit_);
  }
  RingPort(const RingPort&) = delete;
  RingPort& operator=(const RingPort&) = delete;

  std::uint16_t id() const { return id_; }  // DPDK's number

  /// Lets a frame come in, spread over two segments if told so, with what its driver says of it.
  /// Returns false iff the ring is full.
  bool put(const Bytes& bytes, std::size_t first_segment = SIZE_MAX, std::uint64_t flags = 0,
           std::uint16_t cut_into = 0) {
    rte_mbuf* frame = mbuf_of(std::span(bytes).first(std::min(first_segment, bytes.size())));
    if (first_segment < bytes.size()) {
      rte_pktmbuf_chain(frame, mbuf_of(std::span(bytes).subspan(first_segment)));
    }
    frame->ol_flags |= flags;
    frame->tso_segsz = cut_into;
    if (rte_ring_enqueue(receive_, frame) == 0) return true;
    rte_pktmbuf_free(frame);
    return false;
  }

  /// The oldest frame that went out.
  std::optional<Bytes> take() {
    rte_mbuf* frame = nullptr;
    if (!dequeue(transmit_, frame)) return std::nullopt;
    EXPECT_EQ(frame->nb_segs, 1);
    EXPECT_EQ(frame->pkt_len, frame->data_len);
    const auto* data = rte_pktmbuf_mtod(frame, const std::byte*);
    Bytes bytes(data, data + rte_pktmbuf_data_len(frame));
    rte_pktmbuf_free(frame);
    return bytes;
  }

  /// Throws away what went out. Returns how many.
  unsigned discard() {
    unsigned count = 0;
    for (rte_mbuf* frame = nullptr; dequeue(transmit_, frame); ++count) rte_pktmbuf_free(frame);
    return count;
  }

  /// How many are waiting to be taken.
  unsigned sent() const { return rte_ring_count(transmit_); }

  /// Fills the transmit ring with frames of others.
  void jam() {
    while (rte_ring_free_count(transmit_) != 0) {
      rte_mbuf* frame = mbuf_of(Bytes(60));
      if (rte_ring_enqueue(transmit_, frame) != 0) rte_pktmbuf_free(frame);
    }
  }

  /// Empties both rings.
  void clear() {
    rte_mbuf* left = nullptr;
    while (dequeue(receive_, left) || dequeue(transmit_, left)) rte_pktmbuf_free(left);
  }

 private:
  static bool dequeue(rte_ring* ring, rte_mbuf*& frame) {
    void* object = nullptr;
    if (rte_ring_dequeue(ring, &object) != 0) return false;
    frame = static_cast<rte_mbuf*>(object);
    return true;
  }
  static std::uint16_t on_receive(std::uint16_t, std::uint16_t, rte_mbuf**, std::uint16_t count,
                                  std::uint16_t, void* port) {
    static_cast<RingPort*>(port)->received_(count);
    return count;
  }
  static std::uint16_t on_transmit(std::uint16_t, std::uint16_t, rte_mbuf**, std::uint16_t count,
                                   void* port) {
    static_cast<RingPort*>(port)->transmitting_(count);
    return count;
  }
  rte_mbuf* mbuf_of(std::span<const std::byte> bytes) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool_);
    if (m == nullptr) throw std::runtime_error("no mbuf left for the test");
    char* room = rte_pktmbuf_append(m, static_cast<std::uint16_t>(bytes.size()));
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(room));
    return m;
  }
  static void must(bool done, const char* what) {
    if (!done) throw std::runtime_error(std::string(what) + ": " + rte_strerror(rte_errno));
  }

  std::string name_;
  rte_mempool* pool_;  // not owned
  Hook received_;
  Hook transmitting_;
  std::uint16_t id_ = 0;
  const rte_eth_rxtx_callback* receive_callback_ = nullptr;
  const rte_eth_rxtx_callback* transmit_callback_ = nullptr;
  rte_ring* receive_ = nullptr;
  rte_ring* transmit_ = nullptr;
};

}  // namespace koi::test
