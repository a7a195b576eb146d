#pragma once

#include <csignal>
#include <cstdint>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace koi::test {

/// How many instructions a call takes, and the same few around it every time: a child makes it, in
/// single steps. Exact, so that a cost can be compared on a busy machine. Returns 0 when the
/// machine forbids ptrace.
template <class Call>
std::uint64_t instructions_of(const Call& call) {
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    raise(SIGSTOP);
    call();
    raise(SIGSTOP);
    _exit(0);
  }
  std::uint64_t steps = 0;
  int status = 0;
  waitpid(child, &status, 0);
  while (WIFSTOPPED(status)) {
    if (steps != 0 && WSTOPSIG(status) == SIGSTOP) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return steps;
    }
    if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) break;
    ++steps;
    waitpid(child, &status, 0);
  }
  return 0;
}

}  // namespace koi::test
