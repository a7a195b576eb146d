#include "controlplane/app/process.h"

#include <csignal>
#include <memory>
#include <sys/signalfd.h>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "service/capabilities.h"

namespace koi::app {

int block_signals() {
  sigset_t all;
  sigfillset(&all);
  // A crash is a crash: these stay as they are.
  for (const int fatal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP}) {
    sigdelset(&all, fatal);
  }
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ours, signal);
  return signalfd(-1, &ours, SFD_NONBLOCK | SFD_CLOEXEC);
}

void keep_tap_without_signals() {
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    std::signal(signal, SIG_IGN);
  }
}

void start_log() {
  spdlog::init_thread_pool(8192, 1, [] { (void)service::keep_capabilities({}); });
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto logger = std::make_shared<spdlog::async_logger>(
      "koid", sink, spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e koid[%P] %^%l%$: %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
}

}  // namespace koi::app
