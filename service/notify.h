#pragma once

#include <string>

#include "common/time.h"

/// What a program tells the service manager that has started it (sd_notify(3), Type=notify). Where
/// there is none, nothing happens. Any thread but a worker: each is a few system calls.
namespace koi::service {

/// The start, or the reload, is over; status is one line for `systemctl status`.
void tell_ready(const std::string& status);
/// A reload begins; tell_ready() ends it.
void tell_reloading();
void tell_stopping();
void tell_alive();

/// WatchdogSec of the unit: tell_alive() is wanted at least so often. Zero: not at all.
Duration watchdog_time();

}  // namespace koi::service
