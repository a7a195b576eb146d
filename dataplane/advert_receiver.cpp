#include "dataplane/advert_receiver.h"

#include "common/wire/carp.h"
#include "common/wire/vrrp.h"
#include "dataplane/advert_destination.h"
#include "dataplane/conflicts.h"

namespace koi::dataplane {
namespace {

DropReason reason_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::version:
      return DropReason::kCarpVersion;
    case Verdict::digest:
      return DropReason::kCarpDigest;
    case Verdict::own:
      return DropReason::kCarpOwn;
    case Verdict::node_id:
      return DropReason::kCarpNodeId;
    case Verdict::replay:
      return DropReason::kCarpReplay;
    case Verdict::accepted:
    case Verdict::ring_full:
      break;
  }
  return DropReason::kCarpRingFull;
}

bool digest_matches(const Topology& topology, const SlotView& slot,
                    const wire::CarpHeader& header) {
  for (std::uint32_t i = 0; i < slot.auth_count; ++i) {
    if (topology.auths[slot.first_auth + i].verify(header.counter, header.digest)) return true;
  }
  return false;
}

bool is_own_source(const SlotView& slot, const IpAddress& source) {
  if (source.is_v4()) return source.v4() == slot.source;
  return source.v6() == slot.source6 && !slot.source6.is_unspecified();
}

}  // namespace

AdvertReceiver::AdvertReceiver(SlotBoard& board, WorkerLease& lease, Sender<UpMessage>& up,
                               WorkerCounters& counters)
    : board_(board),
      lease_(lease),
      up_(up),
      counters_(counters),
      replay_(kMaxSlots),
      last_(kMaxSlots) {}

Fate AdvertReceiver::receive(const ReceivedAdvert& packet, const wire::EthernetHeader& ethernet,
                             const BurstContext& burst) {
  // protocol.md §2, §3: TTL 255 first, for it proves that no router was between.
  if (packet.ttl != wire::kCarpTtl) return Fate::drop(DropReason::kCarpTtl);
  const Topology& topology = burst.topology();
  const AdvertWay way =
      advert_way(topology, burst.port, ethernet.vlan, packet.source, packet.destination);
  if (way == AdvertWay::neither) return Fate::drop(DropReason::kCarpDestination);
  const auto vrrp = wire::recognize_vrrp(packet.payload, packet.source, packet.destination);
  if (vrrp && !vrrp->or_carp) {
    return Fate::drop(burst.conflicts.vrrp(*vrrp, packet.source, ethernet, burst));
  }
  const Parsed<wire::CarpHeader> header = wire::parse_carp(packet.payload);
  if (!header) return Fate::drop(header.reason());
  const SlotView* slot = topology.find_slot(burst.port, ethernet.vlan, header->vhid);
  if (slot == nullptr) return Fate::drop(DropReason::kCarpVhid);
  if (!takes_advert(*slot, way)) return Fate::drop(DropReason::kCarpDestination);

  const SlotIndex index = topology.index_of(*slot);
  auto& received = counters_.slots[index.value()].received;
  Verdict verdict = verify(*slot, index, *header, packet.source, topology);
  if (verdict == Verdict::accepted) {
    VerifiedAdvert advert{.slot = index,
                          .family = packet.family(),
                          .advbase = header->advbase,
                          .advskew = header->advskew,
                          .demote = header->demote,
                          .heard_number = lease_.stamp_heard(index),  // L7: before it is queued
                          .counter = header->counter,
                          .source = packet.source,
                          .source_mac = ethernet.source};
    compare_with_last(index, advert);
    if (!send_up(advert)) verdict = Verdict::ring_full;
  }
  if (verdict == Verdict::digest) {
    if (vrrp) return Fate::drop(burst.conflicts.vrrp(*vrrp, packet.source, ethernet, burst));
    burst.conflicts.digest(index, packet.source, ethernet.source);
  }
  if (verdict == Verdict::replay && !is_second_way(*slot, index, *header, packet.family())) {
    burst.conflicts.replay(index, packet.source, ethernet.source);
  }
  received[static_cast<std::size_t>(verdict)].add();
  if (verdict == Verdict::accepted) return Fate::taken();
  return Fate::drop(reason_of(verdict));
}

Verdict AdvertReceiver::verify(const SlotView& slot, SlotIndex index,
                               const wire::CarpHeader& header, const IpAddress& source,
                               const Topology& topology) {
  if (header.version != 2) return Verdict::version;
  if (!digest_matches(topology, slot, header)) return Verdict::digest;
  // Where counters prove nothing, only our own source address is our own.
  if (slot.replay == ReplayRule::none) {
    return is_own_source(slot, source) ? Verdict::own : Verdict::accepted;
  }
  // design.md, dialect koi: strictly growing per sender; our own range is our own.
  switch (replay_[index.value()].check(header.counter, source.family(), topology.node_id,
                                       board_.own_counter.load(std::memory_order_acquire))) {
    case auth::ReplayGuard::Result::own:
      return Verdict::own;
    case auth::ReplayGuard::Result::node_id:
      return Verdict::node_id;
    case auth::ReplayGuard::Result::replayed:
      return Verdict::replay;
    case auth::ReplayGuard::Result::fresh:
      break;
  }
  return Verdict::accepted;
}

void AdvertReceiver::compare_with_last(SlotIndex index, VerifiedAdvert& advert) {
  LastHeard& last = last_[index.value()][static_cast<std::size_t>(advert.family)];
  if (last.any && last.source == advert.source) {
    advert.counter_went_back = advert.counter < last.counter;
    advert.same_parameters = advert.counter != last.counter ||
                             (advert.advbase == last.advbase && advert.advskew == last.advskew &&
                              advert.demote == last.demote);
  }
  last =
      LastHeard{advert.source, advert.counter, advert.advbase, advert.advskew, advert.demote, true};
}

bool AdvertReceiver::is_second_way(const SlotView& slot, SlotIndex index,
                                   const wire::CarpHeader& header, Family family) const {
  const LastHeard& last = last_[index.value()][static_cast<std::size_t>(family)];
  return slot.multicast && slot.unicast && last.any && last.counter == header.counter &&
         last.advbase == header.advbase && last.advskew == header.advskew &&
         last.demote == header.demote;
}

bool AdvertReceiver::send_up(const UpMessage& message) {
  if (flush() && up_.try_send(message)) return true;
  overflowed_ = true;  // told to control before anything that comes later
  return false;
}

bool AdvertReceiver::flush() {
  if (overflowed_ && up_.try_send(UpRingOverflow{})) overflowed_ = false;
  return !overflowed_;
}

}  // namespace koi::dataplane
