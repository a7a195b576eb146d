#include "controlplane/app/log.h"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION  // each entry would name this file
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-journal.h>

#include "service/capabilities.h"

namespace koi::app {
namespace {

/// Before each field on its way to the log's thread: spdlog carries text.
constexpr char kSeparator = '\x1e';

/// syslog's severities
int priority(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical:
      return 2;
    case spdlog::level::err:
      return 3;
    case spdlog::level::warn:
      return 4;
    case spdlog::level::info:
      return 6;
    default:
      return 7;
  }
}

/// The text first, then NAME=value each.
std::vector<std::string> parts_of(std::string_view payload) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = payload.find(kSeparator);
    parts.emplace_back(payload.substr(0, end));
    if (end == std::string_view::npos) return parts;
    payload.remove_prefix(end + 1);
  }
}

std::string on_one_line(const std::vector<std::string>& parts) {
  std::string line = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    const std::string value = parts[i].substr(equals + 1);
    const char* quote = value.empty() || value.find(' ') != std::string::npos ? "\"" : "";
    line += fmt::format(" {}={}{}{}", parts[i].substr(0, equals), quote, value, quote);
  }
  return line;
}

class LogSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LogSink(bool journal) : journal_(journal) {
    stderr_.set_pattern("%Y-%m-%d %H:%M:%S.%e koid[%P] %^%l%$: %v");
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::vector<std::string> parts =
        parts_of({message.payload.data(), message.payload.size()});
    if (journal_ && to_journal(parts, message.level)) return;
    const std::string line = on_one_line(parts);
    spdlog::details::log_msg whole = message;
    whole.payload = line;
    stderr_.log(whole);
  }

  /// False when there is none any more: then a person may still see standard error.
  static bool to_journal(std::vector<std::string> parts, spdlog::level::level_enum level) {
    parts.front().insert(0, "MESSAGE=");
    parts.push_back(fmt::format("PRIORITY={}", priority(level)));
    parts.emplace_back("SYSLOG_IDENTIFIER=koid");
    std::vector<iovec> vectors;
    for (std::string& part : parts) vectors.push_back({part.data(), part.size()});
    return sd_journal_sendv(vectors.data(), static_cast<int>(vectors.size())) >= 0;
  }

  void flush_() override { stderr_.flush(); }

  const bool journal_;
  spdlog::sinks::stderr_color_sink_mt stderr_;
};

}  // namespace

bool leads_to_journal(const char* stream, int fd) {
  struct stat is {};
  if (stream == nullptr || fstat(fd, &is) != 0) return false;
  return stream == fmt::format("{}:{}", is.st_dev, is.st_ino);
}

void log_with_fields(const std::string& text, const LogFields& fields) {
  std::string line = text;
  for (const auto& [name, value] : fields) {
    line += fmt::format("{}{}={}", kSeparator, name, value);
  }
  spdlog::info("{}", line);
}

void start_log() {
  spdlog::init_thread_pool(8192, 1, [] { (void)service::keep_capabilities({}); });
  const bool journal = leads_to_journal(std::getenv("JOURNAL_STREAM"), STDERR_FILENO);
  auto logger = std::make_shared<spdlog::async_logger>(
      "koid", std::make_shared<LogSink>(journal), spdlog::thread_pool(),
      spdlog::async_overflow_policy::overrun_oldest);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
}

}  // namespace koi::app
