#pragma once

#include <cstddef>
#include <span>

#include "dataplane/advert_receiver.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// Decides over one received frame: advertisements go to the receiver, ARP and IPv4 to their
/// responders, everything else is dropped with its reason. The frame is changed only into its
/// answer.
Fate classify(std::span<std::byte> frame, const BurstContext& burst, AdvertReceiver& adverts);

}  // namespace koi::dataplane
