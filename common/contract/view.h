#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/auth/carp_auth.h"
#include "common/auth/trailer_auth.h"
#include "common/balance/balancer.h"
#include "common/huge_pages.h"
#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "common/wire/arp.h"
#include "common/wire/hello.h"

/// The workers' whole knowledge of the world (design.md, "View, term and lease"). A Topology holds
/// what the configuration fixes, a View adds who reigns. Both are immutable once a worker can see
/// them: control builds, workers read, control frees when every worker has adopted a later view.
namespace koi {

/// An IPv6 address of one (port, VLAN): the key of its table.
struct Ipv6Key {
  std::uint64_t high = 0;  // the address's bytes as they are in memory
  std::uint64_t low = 0;
  std::uint32_t place = 0;  // port << 16 | vlan
  bool operator==(const Ipv6Key&) const = default;
};

/// A read-only hash table: open addressing, linear probing, at most five eighths full; each item
/// within one cache line. A Value that is false (as Value{} is) is none.
template <class Key, class Value>
class FlatTable {
 public:
  struct alignas(std::bit_ceil(sizeof(Key) + sizeof(Value))) Item {
    Key key;
    Value value;
  };

  FlatTable() : cells_(2), filter_(std::size_t{1} << kLeastFilterBits) {}
  /// A later item with an equal key is ignored. REQUIRES: all values are true; fewer than 2^28.
  explicit FlatTable(std::span<const Item> items);

  /// The table as a few words by value, for who looks up a burst. Valid as long as the table.
  class Reader {
   public:
    // hash: of the key.
    /// Brings what find() needs of it from memory.
    void fetch(std::uint64_t hash) const { __builtin_prefetch(&cells_[hash >> shift_]); }
    /// False: the table surely has no such key. True for at most one in twelve random ones that
    /// it has not; of a network like the table's own it may be true for all, which costs a find().
    /// For keys that are nearly always absent: find() costs a misprediction in every other packet
    /// then.
    bool may_have(const Key& key) const {
      return is_large() ? large_may_have(key) : small_may_have(key);
    }
    /// The same. REQUIRES: not is_large().
    bool small_may_have(const Key& key) const {
      return filter_[mark(key) >> (32 - kLeastFilterBits)] != 0;
    }
    /// REQUIRES: is_large().
    bool large_may_have(const Key& key) const {
      const std::uint32_t bit = mark(key) >> filter_shift_;
      std::uint32_t word;
      std::memcpy(&word, filter_ + bit / 32 * sizeof word, sizeof word);
      return (word >> (bit % 32) & 1) != 0;
    }
    /// Too large to stay in a core's first cache.
    bool is_large() const { return mask_ >= kLarge; }
    /// Too large to stay in the second one: worth fetching beforehand.
    bool is_far() const { return mask_ >= kFar; }
    /// As find(), or null where that would have to look further than at the key's first cell.
    const Value* find_first(const Key& key, std::uint64_t hash) const {
      const Item& cell = cells_[hash >> shift_];
      return cell.key == key || !cell.value ? &cell.value : nullptr;
    }
    const Value& find(const Key& key, std::uint64_t hash) const {
      std::size_t at = hash >> shift_;
      if (cells_[at].key != key) [[unlikely]] {
        while (cells_[at].value && cells_[at].key != key) at = (at + 1) & mask_;
      }
      return cells_[at].value;
    }

   private:
    friend FlatTable;
    explicit Reader(const FlatTable& table)
        : shift_(table.shift_),
          filter_shift_(table.filter_shift_),
          mask_(table.mask_),
          cells_(table.cells_.data()),
          filter_(table.filter_.data()) {}
    unsigned shift_;
    unsigned filter_shift_;
    std::size_t mask_;
    const Item* cells_;
    const std::uint8_t* filter_;
  };
  Reader reader() const { return Reader(*this); }

  bool may_have(const Key& key) const { return reader().may_have(key); }

  /// Returns the key's value, or none. Valid as long as the table.
  const Value& find(const Key& key) const { return reader().find(key, hash(key)); }

  static std::uint64_t hash(std::uint64_t key) {
    // An address as the number that it is: Fibonacci hashing spreads neighbours best of all. The
    // high bits are the good ones.
    return std::rotl(__builtin_bswap64(key), 32) * 0x9e3779b97f4a7c15ULL;
  }
  static std::uint64_t hash(const Ipv6Key& key) {
    return hash((key.high * 0xff51afd7ed558ccdULL) ^ key.low ^ key.place);
  }

  /// What the filter goes by, the high bits of it: less than hash(), and less to compute. Of an
  /// address the last bytes lie highest, and these tell stations apart; where it is does not
  /// matter.
  static std::uint32_t mark(std::uint64_t key) {
    return static_cast<std::uint32_t>(key) * 0x9e3779b1U;
  }
  static std::uint32_t mark(const Ipv6Key& key) {
    return static_cast<std::uint32_t>(hash(key) >> 32);
  }

 private:
  bool is_large() const { return reader().is_large(); }

  static constexpr std::size_t kLarge = 512;  // cells
  static constexpr std::size_t kMostInEight = 5;
  static constexpr std::size_t kLeastCells = 64;  // so that of few most are free: see find_first()
  static constexpr std::size_t kFar = (std::size_t{256} << 10) / sizeof(Item);
  // The filter has 2^3 marks for each cell and 2^12 at least. Small, it has a byte for each, for
  // that costs the fewest instructions; large, a bit, so that it stays in the cache.
  static constexpr unsigned kFilterBits = 3;
  static constexpr unsigned kLeastFilterBits = 12;
  static_assert(kLarge << kFilterBits == std::size_t{1} << kLeastFilterBits);

  unsigned shift_ = 63;
  unsigned filter_shift_ = 32 - kLeastFilterBits;
  std::size_t mask_ = 1;
  std::vector<Item, HugePages<Item>> cells_;
  std::vector<std::uint8_t> filter_;
};

/// What an address is to this box: nothing; its own; shared with the other boxes; or another's
/// whose MAC control wants to hear of (a unicast peer). Room for `proxy` later.
enum class EntryKind : std::uint8_t { none, own, shared, peer };

/// One address of one (port, VLAN): as little as finds the rest, for there may be many.
struct Entry {
  static constexpr std::uint16_t kNoBalancer = 0xffff;

  static constexpr std::uint32_t kNumberMask = (1U << 23) - 1;
  std::uint32_t number : 23 = 0;  // of all addresses of the topology, with this mask
  /// The host port's side has the address and answers for it: an own one on a port with a host; a
  /// shared one that is assigned there, but for ARP and Neighbor Discovery, which are koi's.
  bool on_host : 1 = false;
  EntryKind kind : 8 = EntryKind::none;
  /// Of a shared address whose askers are balanced: index into Topology::balancers. The group's
  /// slots are then [slot, slot + members), by ascending vhid.
  std::uint16_t balancer = kNoBalancer;
  SlotIndex slot;  // of a shared address: its group's first slot

  /// Shared, and all askers are told the same: in one load, for nearly all are.
  bool is_shared_by_all() const {
    static_assert(std::endian::native == std::endian::little);  // and fields from the low bits on
    std::uint32_t word;  // the kind and the balancer, in its upper three bytes
    std::memcpy(&word, reinterpret_cast<const std::byte*>(this) + 2, sizeof word);
    return word >> 8 ==
           (std::uint32_t{kNoBalancer} << 8 | static_cast<unsigned>(EntryKind::shared));
  }
  bool is_balanced() const { return balancer != kNoBalancer; }
  explicit operator bool() const { return kind != EntryKind::none; }
};
static_assert(sizeof(Entry) == 8);

/// Who advertises how with whom (design.md): decides which replay rule a worker applies.
enum class ReplayRule : std::uint8_t {
  strict,  // dialect koi: counters grow per sender, our own range is our own
  none     // other dialects: only our own source address is our own
};

/// What becomes of a signed trailer (protocol.md §14).
enum class TrailerRule : std::uint8_t {
  ignored,   // nobody looks for one
  verified,  // one that is there must be right
  required   // and it must be there
};

/// One virtual host.
struct SlotView {
  PortIndex port;
  VlanId vlan;
  Vhid vhid;
  MacAddress mac;         // the virtual MAC
  MacAddress told;        // by ARP and ND, of the shared addresses: mac, or the group MAC
  MacAddress sends_from;  // of all that it sends: mac, or the port's own
  SlotIndex first;        // of its group
  std::uint8_t members = 1;
  /// Every box gets what is sent to the group MAC, and each keeps the packets of its slots
  /// (protocol.md §11). The first slot answers ARP and ND for the whole group.
  bool by_packet = false;
  FamilySet families = 0;  // that it advertises in
  ReplayRule replay = ReplayRule::strict;
  bool multicast = true;         // takes advertisements to the group
  bool unicast = false;          // takes those of its peers (EntryKind::peer) to an own address
  WorkerIndex transmitter;       // the one worker that sends its advertisements (L3)
  Ipv4Address source;            // this node's own address there: source of what it sends
  Ipv6Address source6;           // the same of IPv6: a link-local one where there is one
  std::uint32_t first_auth = 0;  // Topology::auths[first_auth, first_auth + auth_count)
  std::uint32_t auth_count = 0;
  TrailerRule trailer = TrailerRule::ignored;
  std::uint32_t first_trailer_key = 0;  // Topology::trailer_keys, as above; none when ignored
  std::uint32_t trailer_key_count = 0;
};

struct PortView {
  MacAddress mac;
  std::uint8_t receivers = 0;  // bit w: worker w polls a queue of this port
  bool host = false;           // what is not ours to answer goes on to the host port
  std::uint16_t mtu = 1500;    // of the NIC and of the host port
  bool hello = false;          // UDP to an own address and hello's port is koi's, not the host's
};

struct Topology {
  using Addresses = FlatTable<std::uint64_t, Entry>;
  using Addresses6 = FlatTable<Ipv6Key, Entry>;
  using Vhids = FlatTable<std::uint64_t, std::optional<SlotIndex>>;

  std::vector<PortView> ports;               // by PortIndex
  std::vector<SlotView> slots;               // by SlotIndex
  std::vector<wire::ArpReplyParts> replies;  // by SlotIndex: with its MACs
  std::vector<auth::CarpAuth> auths;  // keys and address lists accepted, the sending one first
  std::vector<auth::TrailerKey> trailer_keys;  // of each group, the sending one first; ids differ
  std::vector<wire::GroupFacts> facts;         // of each group, by its first slot's SlotIndex
  Addresses addresses;                         // by address_key()
  Addresses6 addresses6;                       // the same
  std::vector<balance::Balancer> balancers;    // one per group balanced by askers
  Vhids vhids;                                 // by vhid_key()
  NodeId node_id;

  /// Makes replies. When all slots are there.
  void prepare_replies();

  static std::uint64_t address_key(PortIndex port, VlanId vlan, Ipv4Address address) {
    return (std::uint64_t{port.value()} << 48) | (std::uint64_t{vlan.value()} << 32) |
           std::bit_cast<std::uint32_t>(address.bytes);
  }
  static std::uint64_t vhid_key(PortIndex port, VlanId vlan, Vhid vhid) {
    return (std::uint64_t{port.value()} << 48) | (std::uint64_t{vlan.value()} << 32) | vhid.value();
  }

  const Entry* find_address(PortIndex port, VlanId vlan, Ipv4Address address) const {
    const Entry& entry = addresses.find(address_key(port, vlan, address));
    return entry ? &entry : nullptr;
  }
  static Ipv6Key address_key(PortIndex port, VlanId vlan, const Ipv6Address& address) {
    Ipv6Key key;
    std::memcpy(&key.high, address.bytes.data(), 8);
    std::memcpy(&key.low, address.bytes.data() + 8, 8);
    key.place = (std::uint32_t{port.value()} << 16) | vlan.value();
    return key;
  }
  const Entry* find_address(PortIndex port, VlanId vlan, const Ipv6Address& address) const {
    const Entry& entry = addresses6.find(address_key(port, vlan, address));
    return entry ? &entry : nullptr;
  }

  const SlotView* find_slot(PortIndex port, VlanId vlan, Vhid vhid) const {
    const std::optional<SlotIndex>& at = vhids.find(vhid_key(port, vlan, vhid));
    return at ? &slots[at->value()] : nullptr;
  }
  const SlotView& first_of(const SlotView& slot) const { return slots[slot.first.value()]; }
  SlotIndex index_of(const SlotView& slot) const {
    return SlotIndex(static_cast<std::uint16_t>(&slot - slots.data()));
  }
};

struct View {
  ViewNumber number;
  std::shared_ptr<const Topology> topology;  // workers read it, only control copies or drops it
  std::vector<Term> terms;                   // by SlotIndex; 0 = not MASTER
};

}  // namespace koi
