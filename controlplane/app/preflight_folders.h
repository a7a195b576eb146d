#pragma once

#include <sys/types.h>

#include "config/config.h"
#include "controlplane/app/finding.h"
#include "controlplane/app/kernel_files.h"

namespace koi::app {

/// The part of a preflight that is about the folders of the state file and of the control socket:
/// whether who runs koid may make files there, and read the state file that is there. That is user
/// koi, if the machine has one, where root asks (asker, a user's number); else who asks. By owner
/// and mode; a group counts if it is the user's first.
void check_folders(const config::Config& config, const KernelFiles& files, uid_t asker,
                   Findings& found);

}  // namespace koi::app
