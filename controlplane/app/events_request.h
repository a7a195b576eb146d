#pragma once

#include <nlohmann/json_fwd.hpp>

#include "controlplane/app/control_socket.h"
#include "controlplane/app/flight_recorder.h"

namespace koi::app {

/// Answers {"command":"events","after":N = 0,"boot":ID,"wait_ms":M = 0,"limit":K = 1000} with
/// {"ok":true,"boot":…,"events":[…],"last":N,"lost":L}: the oldest events after N, as many as 64
/// KiB hold. `last` is the newest there is; `lost` events of those after N are no longer kept.
///
/// wait_ms (at most 60 s is waited): the reply is parked until there is an event after N. With the
/// boot ID of another start of koid N means nothing and counts as 0; an N from the future is
/// answered at once. `recorder` is not owned and outlives what is returned. Service thread only.
Answer answer_events(const FlightRecorder& recorder, const nlohmann::json& request);

}  // namespace koi::app
