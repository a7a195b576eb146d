#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tools/ctl/koictl.h"
#include "tools/ctl/reply.h"

namespace koi::ctl {

/// What `koictl capture` is asked for; koid knows the bounds' defaults and limits.
struct CaptureAsked {
  std::string port;  // one of the two
  std::string group;
  std::optional<std::uint64_t> count;  // frames
  std::optional<std::uint64_t> snaplen;
  std::optional<std::uint64_t> bytes;  // of the file
  std::string span;                    // empty: koid's default
  std::string file = "-";              // "-": standard output
};

/// Writes a pcapng file of what koid captures, until a bound is reached, Ctrl-C (SIGINT, SIGTERM),
/// or nobody reads it any more; the summary is for standard error. Exit code: done; refused; usage
/// iff the file cannot be written; no_daemon iff koid went away amid. What was written by then is a
/// valid file in any case. print: for standard output.
Printed capture(const std::string& socket, const CaptureAsked& asked,
                const Surroundings& surroundings);

/// Takes apart what koid sends: lines of JSON, each with so many bytes behind it as it says.
class CaptureReader {
 public:
  /// Gets the bytes of the file; false: it cannot be written, and is not asked again.
  using Write = std::function<bool(std::string_view)>;
  explicit CaptureReader(Write write) : write_(std::move(write)) {}

  /// Returns false once there is nothing more to read: ended(), or the writing failed.
  bool feed(std::string_view received);
  /// The last line: a refusal, a summary, or what is not koid's.
  const std::optional<Reply>& ended() const { return ended_; }
  bool begun() const { return begun_; }

 private:
  Write write_;
  std::string line_;      // as far as it has come
  std::size_t left_ = 0;  // bytes of the file before the next line
  bool begun_ = false;    // koid has not refused
  std::optional<Reply> ended_;
};

}  // namespace koi::ctl
