#pragma once

#include <string>

#include "tools/ctl/koictl.h"

namespace koi::ctl {

/// Makes a key from OpenSSL's random generator, as key files hold it: `carp`, 19 characters of
/// A-Z, a-z and 0-9, which all of CARP's kin take; or `trailer`, 32 bytes as hex:.
/// file: made with mode 0600, and must not be there; empty: the key is the output.
Printed keygen(const std::string& kind, const std::string& file);

}  // namespace koi::ctl
