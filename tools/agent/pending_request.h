#pragma once

#include <optional>
#include <string>

#include "tools/ctl/file_descriptor.h"
#include "tools/ctl/reply.h"

namespace koi::agent {

/// A request to koid whose reply is waited for beside other things: on a connection of its own, of
/// which nothing blocks.
class PendingRequest {
 public:
  /// Sends it. Returns "" or why that is not possible. Ends the one before.
  std::string start(const std::string& socket, const ctl::Json& request);

  bool on() const { return socket_.get() >= 0; }
  /// Readable when there is something of the reply; -1: none is waited for.
  int fd() const { return socket_.get(); }
  /// Takes what is there. Returns the reply when it is complete; one without a body if koid closed.
  std::optional<ctl::Reply> ready();
  void end() { socket_.reset(); }

 private:
  ctl::FileDescriptor socket_;
  std::string line_;
};

}  // namespace koi::agent
