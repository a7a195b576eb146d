#pragma once

#include <nlohmann/json_fwd.hpp>

#include "common/result.h"
#include "controlplane/app/flight_recorder.h"

namespace koi::app {

/// What koi-agent has done, as an event: {"command":"note","kind":"hook","group":G,"vhid":V,
/// "detail":PROGRAM,"cause":OUTCOME,"of":SEQUENCE} or {"command":"note","kind":"host","port":P,
/// "cause":TEXT}. Of any content; an Error for what it does not understand.
Result<Event> event_of_note(const nlohmann::json& request);

}  // namespace koi::app
