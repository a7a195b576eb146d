#pragma once

#include <string>

#include "common/result.h"
#include "config/config.h"

namespace koi::app {

/// Runs koid with a valid configuration until it is told to stop: the composition root. file: where
/// the configuration is from, and will be read again. Nothing is left started when it returns an
/// error. Blocks signals; call on the main thread, before any other thread exists.
Status run_daemon(config::Config config, const std::string& file);

}  // namespace koi::app
