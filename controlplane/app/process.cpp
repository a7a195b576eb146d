#include "controlplane/app/process.h"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <sys/signalfd.h>
#include <system_error>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

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

void open_tap_signals() {
  namespace fs = std::filesystem;
  sigset_t open;
  sigemptyset(&open);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", none)) {
    if (fs::read_symlink(entry.path(), none) != "/dev/net/tun") continue;
    const int fd = std::atoi(entry.path().filename().c_str());
    const int signal = fcntl(fd, F_GETSIG);
    struct sigaction driver {};
    if (signal < SIGRTMIN || sigaction(signal, nullptr, &driver) != 0) continue;
    sigaction(SIGIO, &driver, nullptr);
    fcntl(fd, F_SETSIG, 0);  // SIGIO from now on
    sigaddset(&open, SIGIO);
    sigaddset(&open, signal);  // some may be on their way
  }
  pthread_sigmask(SIG_UNBLOCK, &open, nullptr);
}

void start_log() {
  spdlog::init_thread_pool(8192, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  auto logger = std::make_shared<spdlog::async_logger>(
      "koid", sink, spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest);
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e koid[%P] %^%l%$: %v");
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(logger);
}

}  // namespace koi::app
