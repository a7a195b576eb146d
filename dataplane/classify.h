#pragma once

#include <cstddef>
#include <span>

#include "dataplane/advert_receiver.h"
#include "dataplane/frame.h"
#include "dataplane/quick_look.h"

namespace koi::dataplane {

/// Decides over one received frame: advertisements go to the receiver, ARP, IPv4 and IPv6 to their
/// responders; what these do not take goes on to the port's host (host_gate.h), or is dropped with
/// its reason where there is none. The frame is changed only into its answer, or for the host.
/// room: bytes of the buffer after the frame, into which an answer may grow.
Fate classify(std::span<std::byte> frame, std::size_t room, const BurstContext& burst,
              AdvertReceiver& adverts);

/// What a quick look said of the frame, or, where it is undecided, classify(). room(): as above,
/// asked for by few.
template <class Room>
Fate or_classify(Fate said, QuickLook& quick, std::span<std::byte> frame, const Room& room,
                 AdvertReceiver& adverts) {
  if (said.kind() != Fate::Kind::undecided) return said;
  quick.forget();
  return classify(frame, room(), quick.burst(), adverts);
}

/// As classify(), sooner: a worker's two steps in one, for who is not in such a hurry.
template <class Room>
Fate decide(QuickLook& quick, std::span<std::byte> frame, const Room& room,
            AdvertReceiver& adverts) {
  return or_classify(quick.decide(frame), quick, frame, room, adverts);
}

}  // namespace koi::dataplane
