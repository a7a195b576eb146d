#pragma once

#include <cstddef>
#include <span>

#include "dataplane/advert_receiver.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// Decides over one received frame: advertisements go to the receiver, ARP, IPv4 and IPv6 to their
/// responders; what these do not take goes on to the port's host (host_gate.h), or is dropped with
/// its reason where there is none. The frame is changed only into its answer, or for the host.
/// room: bytes of the buffer after the frame, into which an answer may grow.
Fate classify(std::span<std::byte> frame, std::size_t room, const BurstContext& burst,
              AdvertReceiver& adverts);

}  // namespace koi::dataplane
