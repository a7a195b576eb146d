#include "tools/ctl/capture.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "tools/ctl/file_descriptor.h"
#include "tools/ctl/page.h"
#include "tools/ctl/socket_client.h"

namespace koi::ctl {
namespace {

constexpr Duration kLook =
    100ms;  // a signal is noticed so soon, if it does not end the wait itself

constexpr std::size_t kLongestLine = 64UL * 1024;

volatile std::sig_atomic_t interrupted = 0;

/// While it lives Ctrl-C is noticed instead of ending the process, the second time it does; and a
/// reader that closes its end of a pipe is an error of write().
class Signals {
 public:
  Signals() {
    interrupted = 0;
    struct sigaction notice {};
    notice.sa_handler = [](int) { interrupted = 1; };
    notice.sa_flags = static_cast<int>(SA_RESETHAND);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGINT, &notice, &before_[0]);
    ::sigaction(SIGTERM, &notice, &before_[1]);
    ::sigaction(SIGPIPE, &ignore, &before_[2]);
  }
  ~Signals() {
    ::sigaction(SIGINT, &before_[0], nullptr);
    ::sigaction(SIGTERM, &before_[1], nullptr);
    ::sigaction(SIGPIPE, &before_[2], nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  std::array<struct sigaction, 3> before_{};
};

/// Where the file goes. Made when koid has begun: a refusal leaves a file of before as it is.
class Output {
 public:
  Output(std::string file, const std::function<bool(std::string_view)>& print)
      : file_(std::move(file)), print_(print) {}

  bool write(std::string_view bytes) {
    if (file_ == "-") {
      errno = 0;
      if (!print_(bytes)) error_ = errno == 0 ? EPIPE : errno;
      return error_ == 0;
    }
    // What is on the wire is nobody else's business.
    if (fd_.get() < 0) {
      fd_.reset(::open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    }
    while (fd_.get() >= 0 && !bytes.empty()) {
      const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno != EINTR) break;
      bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    }
    if (!bytes.empty()) error_ = errno;
    return bytes.empty();
  }
  int error() const { return error_; }  // 0: none
  std::string name() const { return file_ == "-" ? "standard output" : file_; }

 private:
  const std::string file_;
  const std::function<bool(std::string_view)>& print_;
  FileDescriptor fd_;
  int error_ = 0;
};

Json request_of(const CaptureAsked& asked) {
  Json request{{"command", "capture"}};
  if (!asked.port.empty()) request["port"] = asked.port;
  if (!asked.group.empty()) request["group"] = asked.group;
  if (asked.count) request["count"] = *asked.count;
  if (asked.snaplen) request["snaplen"] = *asked.snaplen;
  if (asked.bytes) request["bytes"] = *asked.bytes;
  if (!asked.span.empty()) request["seconds"] = parse_span(asked.span).value_or(0);
  return request;
}

std::string summary(const Json& reply) {
  const std::string ended = text(reply, "ended");
  const std::string why = ended == "count"      ? "as many as asked for"
                          : ended == "bytes"    ? "the file is as large as asked for"
                          : ended == "seconds"  ? "the time is over"
                          : ended == "shutdown" ? "koid ends"
                                                : "ended by request";
  std::string line = fmt::format("{} frames captured in {}: {}\n", text(reply, "captured"),
                                 short_time(number(reply, "seconds").value_or(0)), why);
  const Json& dropped = field(reply, "dropped");
  line += fmt::format(
      "{} over what a worker copies in a millisecond, {} the ring had no room, {} not read in "
      "time\n",
      text(dropped, "budget"), text(dropped, "ring_full"), text(dropped, "reader"));
  return line;
}

Printed failed(ExitCode code, const std::string& what) {
  return {code, {}, fmt::format("koictl: {}\n", what)};
}

Printed printed(const CaptureReader& reader, const Output& output, const std::string& lost) {
  if (output.error() == EPIPE) return {ExitCode::done, {}, "nobody reads any more\n"};
  if (output.error() != 0) {
    return failed(ExitCode::usage, fmt::format("{} cannot be written: {}", output.name(),
                                               std::strerror(output.error())));
  }
  if (!reader.ended()) return failed(ExitCode::no_daemon, lost);
  const Reply& reply = *reader.ended();
  if (reply.outcome == Outcome::refused) {
    return failed(ExitCode::refused, "koid refused: " + reply.error);
  }
  if (reply.outcome == Outcome::no_daemon) return failed(ExitCode::no_daemon, reply.error);
  return {ExitCode::done, {}, summary(reply.body)};
}

}  // namespace

bool CaptureReader::feed(std::string_view received) {
  while (!received.empty() && !ended_) {
    if (left_ > 0) {
      const std::string_view bytes = received.substr(0, left_);
      received.remove_prefix(bytes.size());
      left_ -= bytes.size();
      if (!write_(bytes)) return false;
      continue;
    }
    const std::size_t newline = received.find('\n');
    line_ += received.substr(0, newline);
    if (newline == std::string_view::npos) {
      if (line_.size() > kLongestLine) ended_ = parse_reply(line_);  // that is not koid
      break;
    }
    received.remove_prefix(newline + 1);
    Reply reply = parse_reply(std::exchange(line_, {}));
    const double bytes = number(reply.body, "bytes").value_or(0);
    if (reply.outcome != Outcome::done || bytes <= 0) {
      ended_ = std::move(reply);
    } else {
      begun_ = true;
      left_ = static_cast<std::size_t>(bytes);
    }
  }
  return !ended_;
}

Printed capture(const std::string& socket, const CaptureAsked& asked,
                const Surroundings& surroundings) {
  if (asked.port.empty() == asked.group.empty()) {
    return failed(ExitCode::usage, "either --port or --group says what to capture");
  }
  if (asked.file == "-" && surroundings.terminal) {
    return failed(
        ExitCode::usage,
        "a capture is nothing for a terminal: give --write FILE, or a pipe to tshark -r -");
  }
  const Signals signals;
  Output output(asked.file, surroundings.print);
  CaptureReader reader([&output](std::string_view bytes) { return output.write(bytes); });
  auto conversation = Conversation::begin(socket, request_of(asked).dump(), surroundings.deadline);
  if (!conversation) return failed(ExitCode::no_daemon, conversation.error().message);

  using std::chrono::steady_clock;
  steady_clock::time_point give_up = steady_clock::now() + surroundings.deadline;
  bool told = false;  // koid, that it is enough
  std::string received;
  for (bool more = true; more;) {
    if (interrupted != 0 && !std::exchange(told, true)) {
      conversation.value().say_no_more();
      give_up = steady_clock::now() + surroundings.deadline;
    }
    received.clear();
    const Conversation::Heard heard = conversation.value().receive(received, kLook);
    if (heard == Conversation::Heard::end) {
      return printed(
          reader, output,
          fmt::format("koid went away amid the capture; what there was is in {}", output.name()));
    }
    more = reader.feed(received);
    if (reader.begun() && !told) give_up = steady_clock::time_point::max();
    if (more && steady_clock::now() > give_up) {
      return printed(reader, output,
                     fmt::format("koid did not reply on {} in time: it is overloaded or hung, see "
                                 "systemctl status koid",
                                 socket));
    }
  }
  return printed(reader, output, {});
}

}  // namespace koi::ctl
