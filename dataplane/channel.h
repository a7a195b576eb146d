#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "common/contract/channel.h"

namespace koi::dataplane {

/// A typed single-producer, single-consumer rte_ring whose elements are the messages themselves.
template <class T>
class Channel final : public Sender<T>, public Receiver<T> {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 4 == 0);

 public:
  /// Returns nothing when there is no memory or the name is taken. REQUIRES: EAL is up; capacity is
  /// a power of two; one less than it fits.
  static std::unique_ptr<Channel> create(const std::string& name, unsigned capacity) {
    rte_ring* ring = rte_ring_create_elem(name.c_str(), sizeof(T), capacity, SOCKET_ID_ANY,
                                          RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (ring == nullptr) return nullptr;
    return std::unique_ptr<Channel>(new Channel(ring));
  }
  ~Channel() { rte_ring_free(ring_); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  bool try_send(const T& message) override {
    return rte_ring_sp_enqueue_elem(ring_, const_cast<T*>(&message), sizeof(T)) == 0;
  }
  std::size_t waiting() const override { return rte_ring_count(ring_); }
  bool try_receive(T& message) override {
    return rte_ring_sc_dequeue_elem(ring_, &message, sizeof(T)) == 0;
  }

 private:
  explicit Channel(rte_ring* ring) : ring_(ring) {}
  rte_ring* ring_;
};

}  // namespace koi::dataplane
