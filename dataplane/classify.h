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

/// The same, sooner: unless a quick look decides over it. room(): as above, asked for by few.
template <class Room>
Fate decide(QuickLook& quick, std::span<std::byte> frame, const Room& room,
            AdvertReceiver& adverts) {
  const Fate fate = quick.decide(frame);
  if (fate.kind() != Fate::Kind::undecided) return fate;
  quick.forget();
  return classify(frame, room(), quick.burst(), adverts);
}

}  // namespace koi::dataplane
