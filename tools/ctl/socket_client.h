#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "common/result.h"
#include "common/time.h"
#include "tools/ctl/file_descriptor.h"

/// The caller's end of koid's control socket: a unix stream socket that carries one JSON object
/// per line, one reply for each request.
namespace koi::ctl {

inline constexpr const char* kDefaultSocket = "/run/koi/koid.sock";
inline constexpr Duration kReplyDeadline = 2s;
/// More than koid ever sends (kMaxSlots slots with all their counters): what is longer is not koid.
inline constexpr std::size_t kMaxReplyBytes = 64UL * 1024 * 1024;

/// Returns "" iff the path can be the address of a unix socket (1..107 bytes), else why not.
std::string socket_path_problem(const std::string& path);

/// Sends one line and waits for one line, on a connection of its own. Blocks the caller for at most
/// `deadline`, counted over the whole exchange. Any thread; no signal is raised by a peer that
/// closes.
///
/// Returns the reply without its newline, not parsed. The error is one sentence that names the
/// socket and the likely mend: nobody listens, no permission, closed without a whole reply, no
/// reply in time, a reply over kMaxReplyBytes. REQUIRES: `line` has no newline.
Result<std::string> request(const std::string& path, std::string_view line,
                            Duration deadline = kReplyDeadline);

/// A request whose reply goes on (koictl capture). Blocks as request() does, and no longer. Move
/// only; the connection ends with it.
class Conversation {
 public:
  /// Sends the line. Errors as of request(). REQUIRES: `line` has no newline.
  static Result<Conversation> begin(const std::string& path, std::string_view line,
                                    Duration deadline);

  enum class Heard { bytes, nothing, end };
  /// Appends what has come, if anything does within that time. A signal ends the wait. end: koid
  /// has closed it.
  Heard receive(std::string& into, Duration within);
  /// Ends this side of it: koid then comes to its end.
  void say_no_more();

 private:
  explicit Conversation(FileDescriptor&& fd) : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace koi::ctl
