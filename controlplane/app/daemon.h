#pragma once

#include "common/result.h"
#include "config/config.h"

namespace koi::app {

/// Runs koid with a valid configuration until it is told to stop: the composition root. Nothing is
/// left started when it returns an error. Blocks signals; call on the main thread, before any other
/// thread exists.
Status run_daemon(const config::Config& config);

}  // namespace koi::app
