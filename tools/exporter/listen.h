#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace koi::exporter {

/// Where the HTTP server listens. IPv4 only: the HTTP library is built without IPv6 in Debian 12.
struct ListenAddress {
  std::string host;        // a literal address, nothing that needs a resolver
  std::uint16_t port = 0;  // 0: any free one

  /// "127.0.0.1:9477".
  std::string to_string() const;
};

/// Reads ADDRESS:PORT. The error is one sentence.
Result<ListenAddress> parse_listen(const std::string& text);

/// Tries to bind the address and lets go of it again. Returns "" iff it worked, else why not.
/// REQUIRES: `address` is from parse_listen().
std::string bind_problem(const ListenAddress& address);

}  // namespace koi::exporter
