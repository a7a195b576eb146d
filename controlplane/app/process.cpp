#include "controlplane/app/process.h"

#include <csignal>
#include <sys/signalfd.h>

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

}  // namespace koi::app
