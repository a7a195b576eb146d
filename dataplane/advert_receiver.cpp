#include "dataplane/advert_receiver.h"

#include <algorithm>

#include "common/wire/carp.h"
#include "common/wire/trailer.h"
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
    case Verdict::trailer_missing:
      return DropReason::kTrailerMissing;
    case Verdict::trailer_scheme:
      return DropReason::kTrailerScheme;
    case Verdict::trailer_key:
      return DropReason::kTrailerKey;
    case Verdict::trailer_mac:
      return DropReason::kTrailerMac;
    case Verdict::trailer_clock:
      return DropReason::kTrailerClock;
    case Verdict::trailer_old:
      return DropReason::kTrailerOld;
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

/// A trailer that another box with our keys and our clock would not have sent.
bool is_wrong_trailer(Verdict verdict) {
  return verdict == Verdict::trailer_missing || verdict == Verdict::trailer_scheme ||
         verdict == Verdict::trailer_key || verdict == Verdict::trailer_mac ||
         verdict == Verdict::trailer_clock;
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
      sequences_(kMaxSlots),
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
  Candidate candidate{.slot = *slot, .index = index, .header = *header, .packet = packet};
  Verdict verdict = verify(candidate, burst);
  if (verdict == Verdict::accepted) {
    VerifiedAdvert advert{.slot = index,
                          .family = packet.family(),
                          .advbase = header->advbase,
                          .advskew = header->advskew,
                          .demote = header->demote,
                          .heard_number = lease_.stamp_heard(index),  // L7: before it is queued
                          .counter = header->counter,
                          .source = packet.source,
                          .source_mac = ethernet.source,
                          .sequence = candidate.sequence,
                          .key_id = candidate.key_id};
    compare_with_last(index, advert);
    if (!send_up(advert)) verdict = Verdict::ring_full;
  }
  if (verdict == Verdict::digest) {
    if (vrrp) return Fate::drop(burst.conflicts.vrrp(*vrrp, packet.source, ethernet, burst));
    burst.conflicts.digest(index, packet.source, ethernet.source);
  }
  if (is_wrong_trailer(verdict)) {
    burst.conflicts.trailer(index, verdict == Verdict::trailer_clock, packet.source,
                            ethernet.source);
  }
  const bool again = verdict == Verdict::replay || verdict == Verdict::trailer_old;
  if (again && !is_second_way(*slot, index, *header, packet.family())) {
    burst.conflicts.replay(index, packet.source, ethernet.source);
  }
  received[static_cast<std::size_t>(verdict)].add();
  if (verdict == Verdict::accepted) return Fate::taken();
  return Fate::drop(reason_of(verdict));
}

Verdict AdvertReceiver::verify(Candidate& candidate, const BurstContext& burst) {
  const SlotView& slot = candidate.slot;
  const Topology& topology = burst.topology();
  if (candidate.header.version != 2) return Verdict::version;
  if (!digest_matches(topology, slot, candidate.header)) return Verdict::digest;
  if (slot.trailer != TrailerRule::ignored) {
    const Verdict trailer = verify_trailer(candidate, topology);
    if (trailer != Verdict::accepted) return trailer;
  }
  const IpAddress& source = candidate.packet.source;
  const bool ours = slot.replay == ReplayRule::none
                        ? is_own_source(slot, source)
                        : auth::node_of(candidate.header.counter) == topology.node_id;
  auth::SequenceGuard& sequences = sequences_[candidate.index.value()];
  if (candidate.sequence != 0 && !ours) {
    const Duration now = board_.utc(burst.reporter.now());
    switch (sequences.check(source, candidate.sequence,
                            auth::trailer_sequence(now - auth::kTrailerClocks))) {
      case auth::SequenceGuard::Result::old:
        return Verdict::trailer_old;
      case auth::SequenceGuard::Result::stale:
        return Verdict::trailer_clock;
      case auth::SequenceGuard::Result::fresh:
        break;
    }
  }
  const Verdict verdict = verify_counter(candidate, topology);
  if (verdict == Verdict::accepted && candidate.sequence != 0) {
    sequences.remember(source, candidate.sequence);
  }
  return verdict;
}

/// protocol.md §14. Changes nothing but the candidate.
Verdict AdvertReceiver::verify_trailer(Candidate& candidate, const Topology& topology) {
  const SlotView& slot = candidate.slot;
  const std::span<const std::byte> payload = candidate.packet.payload;
  const Parsed<wire::Trailer> trailer =
      wire::parse_trailer(payload.subspan(wire::kCarpHeaderLength));
  if (!trailer) {
    if (trailer.reason() == DropReason::kTrailerScheme) return Verdict::trailer_scheme;
    return slot.trailer == TrailerRule::required ? Verdict::trailer_missing : Verdict::accepted;
  }
  const auto keys =
      std::span(topology.trailer_keys).subspan(slot.first_trailer_key, slot.trailer_key_count);
  const auto key = std::find_if(keys.begin(), keys.end(),
                                [&](const auth::TrailerKey& k) { return k.id == trailer->key_id; });
  if (key == keys.end()) return Verdict::trailer_key;
  const auth::TrailerSubject subject{.protocol_version = auth::kTrailerOfCarp,
                                     .vhid = slot.vhid,
                                     .source = candidate.packet.source,
                                     .pdu = payload.first(wire::kCarpHeaderLength)};
  if (!key->auth.verify(subject, *trailer)) return Verdict::trailer_mac;
  // 0 says that there is none; it is of 1970, and no sender's.
  if (trailer->sequence == 0) return Verdict::trailer_clock;
  candidate.sequence = trailer->sequence;
  candidate.key_id = trailer->key_id;
  return Verdict::accepted;
}

Verdict AdvertReceiver::verify_counter(const Candidate& candidate, const Topology& topology) {
  const SlotView& slot = candidate.slot;
  const IpAddress& source = candidate.packet.source;
  // Where counters prove nothing, only our own source address is our own.
  if (slot.replay == ReplayRule::none) {
    return is_own_source(slot, source) ? Verdict::own : Verdict::accepted;
  }
  // design.md, dialect koi: strictly growing per sender; our own range is our own.
  switch (replay_[candidate.index.value()].check(
      candidate.header.counter, source.family(), topology.node_id,
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
