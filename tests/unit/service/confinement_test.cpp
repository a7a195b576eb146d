// What a process may do once it has confined itself, each time in a process of its own, for it is
// for good. The kernel judges: by what it refuses and by /proc.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <linux/capability.h>
#include <map>
#include <sched.h>
#include <string>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "service/capabilities.h"
#include "service/system_calls.h"
#include "tests/support/temporary_folder.h"

namespace koi::service {
namespace {

/// The body's complaint, or how it ended; empty: all was well.
std::string in_a_process(const std::function<std::string()>& body) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = body();
    _exit(write(pipe_ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0
                                                                                             : 1);
  }
  close(pipe_ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(pipe_ends[0], buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) text += "ended by signal " + std::to_string(WTERMSIG(status));
  return text;
}

/// A line of each thread's status, by the thread's number.
std::map<std::string, std::string> of_threads(const std::string& name) {
  std::map<std::string, std::string> found;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name + ":")) {
        found[thread.path().filename()] = line.substr(line.find('\t') + 1);
      }
    }
  }
  return found;
}

std::string own(const std::string& name) {
  return of_threads(name)[std::to_string(syscall(SYS_gettid))];
}

/// Names of those that were not refused with that error.
class Refused {
 public:
  explicit Refused(int with) : with_(with) {}
  void operator()(const char* what, long result) {
    const int why = errno;
    if (result != -1) text_ += std::string(what) + " was done; ";
    if (result == -1 && why != with_) text_ += std::string(what) + ": " + strerror(why) + "; ";
  }
  std::string text() const { return text_; }

 private:
  const int with_;
  std::string text_;
};

/// What an intruder would like to do.
std::string try_mischief(int with) {
  Refused refused(with);
  const char* const arguments[] = {"true", nullptr};
  refused("execve", execve("/bin/true", const_cast<char**>(arguments), environ));
  refused("execveat", syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, environ, 0));
  refused("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  refused("socket of packets", socket(AF_PACKET, SOCK_RAW, 0));
  refused("socket of netlink", socket(AF_NETLINK, SOCK_RAW, 0));
  refused("ptrace", ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  refused("mount", syscall(SYS_mount, "a", "/", "tmpfs", 0, nullptr));
  refused("kill", kill(getppid(), 0));
  refused("signal to another's thread", syscall(SYS_tgkill, getppid(), getppid(), 0));
  refused("typing into a terminal", ioctl(-1, TIOCSTI, ""));
  refused("unshare", unshare(CLONE_NEWUSER));
  refused("capset", syscall(SYS_capset, nullptr, nullptr));
  refused("dumpable", prctl(PR_SET_DUMPABLE, 1));
  refused("bpf", syscall(SYS_bpf, 0, nullptr, 0));
  refused("io_uring", syscall(SYS_io_uring_setup, 1, nullptr));
  refused("setuid", syscall(SYS_setuid, getuid()));
  refused("chmod", syscall(SYS_chmod, "/nowhere", 0777));
  const rlimit limit{.rlim_cur = 1, .rlim_max = 1};
  refused("setrlimit", syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, nullptr));
  void* plain = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  refused("memory to execute", mprotect(plain, 4096, PROT_READ | PROT_EXEC));
  refused("mapping to execute", reinterpret_cast<long>(mmap(nullptr, 4096, PROT_READ | PROT_EXEC,
                                                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
  return refused.text();
}

/// What koid does as long as it runs.
std::string do_daily_work(const std::string& folder) {
  const std::string file = folder + "/state";
  const int fd = open((file + ".new").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || close(fd) != 0) return "no file";
  if (rename((file + ".new").c_str(), file.c_str()) != 0) return "no rename";
  if (unlink(file.c_str()) != 0) return "no unlink";
  if (socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0) return "no local socket";
  if (eventfd(0, EFD_CLOEXEC) < 0 || epoll_create1(EPOLL_CLOEXEC) < 0) return "no events";
  if (timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) < 0) return "no timer";
  if (prctl(PR_SET_TIMERSLACK, 1UL) != 0) return "no timer slack";
  bool ran = false;
  std::thread([&ran] { ran = true; }).join();
  if (!ran) return "no thread";
  if (std::vector<char>(64 << 20, 'x').back() != 'x') return "no memory";
  try {
    throw std::runtime_error("x");
  } catch (const std::exception&) {
    return {};
  }
}

TEST(SystemCallsTest, KoidDoesItsWorkAndNothingElse) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(in_a_process([&]() -> std::string {
              if (const Status s = filter_koid(); !s) return s.error().message;
              Refused refused(ENOSYS);
              for (const int family : {AF_INET, AF_INET6}) {
                refused("socket to the world", socket(family, SOCK_STREAM, 0));
                refused("datagrams to the world", socket(family, SOCK_DGRAM, 0));
              }
              return do_daily_work(folder / "") + refused.text() + try_mischief(ENOSYS);
            }),
            "");
}

/// Bonding's ioctls need a socket, any; not one that reaches somebody as a stream does.
TEST(SystemCallsTest, ABondOnKernelInterfacesHasASocketForItsIoctlsOnly) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              if (!filter_koid(true)) return "no filter";
              Refused refused(ENOSYS);
              refused("stream", socket(AF_INET, SOCK_STREAM, 0));
              refused("IPv6", socket(AF_INET6, SOCK_DGRAM, 0));
              refused("raw", socket(AF_INET, SOCK_RAW, 0));
              if (socket(AF_INET, SOCK_DGRAM, 0) < 0) return "no socket";
              return refused.text() + try_mischief(ENOSYS);
            }),
            "");
}

TEST(SystemCallsTest, EveryThreadIsFilteredAlsoOneThatWasThereBefore) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              std::atomic<bool> go{false};
              std::string text;
              std::thread before([&] {
                while (!go) std::this_thread::yield();
                text = try_mischief(ENOSYS);
              });
              const Status s = filter_koid();
              for (const char* line : {"Seccomp", "NoNewPrivs"}) {
                for (const auto& [thread, is] : of_threads(line)) {
                  if (is != (*line == 'S' ? "2" : "1")) text += std::string(line) + " is " + is;
                }
              }
              const std::string seen = text;
              go = true;
              before.join();
              return seen + text + (s.ok() ? "" : s.error().message);
            }),
            "");
}

TEST(SystemCallsTest, ACrashStaysACrash) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              std::signal(SIGABRT, SIG_DFL);
              if (!filter_koid()) return "no filter";
              std::abort();
            }),
            "ended by signal 6");
}

TEST(SystemCallsTest, TheExporterAlsoServesTheNetwork) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              if (!filter_exporter()) return "no filter";
              if (socket(AF_INET, SOCK_STREAM, 0) < 0) return "no socket";
              return try_mischief(ENOSYS);
            }),
            "");
}

TEST(SystemCallsTest, TheAgentAndItsHooksRunProgramsButChangeNoKernel) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              if (!filter_agent()) return "no filter";
              Refused refused(EPERM);
              refused("ptrace", ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
              refused("mount", syscall(SYS_mount, "a", "/", "tmpfs", 0, nullptr));
              refused("unshare", unshare(CLONE_NEWUSER));
              refused("bpf", syscall(SYS_bpf, 0, nullptr, 0));
              refused("init_module", syscall(SYS_init_module, nullptr, 0, ""));
              refused("typing into a terminal", ioctl(-1, TIOCSTI, ""));
              const std::string text = refused.text();
              return std::system("exec true") == 0 ? text : text + "no program runs";
            }),
            "");
}

class CapabilitiesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root to have something to give up";
  }
};

TEST_F(CapabilitiesTest, OneThreadGivesUpItsOwn) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              std::atomic<int> step{0};
              std::string name;
              std::thread other([&] {
                prctl(PR_SET_NAME, "other");
                step = 1;
                while (step != 2) std::this_thread::yield();
                if (!keep_capabilities({})) name += "refused";
                step = 3;
                while (step != 4) std::this_thread::yield();
              });
              while (step != 1) std::this_thread::yield();
              std::string text;
              if (!keep_capabilities({})) text += "refused";
              for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
                if (own(set) != "0000000000000000") text += std::string(set) + " " + own(set);
              }
              const std::vector<ThreadRights> left = threads_with_capabilities();
              if (left.size() != 1 || left[0].name != "other" || left[0].capabilities == 0) {
                text += "not the other's";
              }
              step = 2;
              while (step != 3) std::this_thread::yield();
              if (!threads_with_capabilities().empty()) text += "still some";
              step = 4;
              other.join();
              return text + name;
            }),
            "");
}

/// Permitted and not effective: one call away from it.
TEST_F(CapabilitiesTest, WhatCouldBeTakenUpAgainIsLeftToo) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              prctl(PR_SET_KEEPCAPS, 1);
              if (setresuid(65534, 65534, 65534) != 0) return "no other user";
              if (own("CapEff") != "0000000000000000") return "effective " + own("CapEff");
              if (threads_with_capabilities().size() != 1) return "not seen";
              if (!keep_capabilities({})) return "refused";
              return threads_with_capabilities().empty() ? "" : "still some";
            }),
            "");
}

TEST_F(CapabilitiesTest, WhatIsKeptIsKeptAndNothingElse) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              std::string text;
              if (!keep_capabilities({CAP_NET_ADMIN})) text += "refused";
              for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) {
                if (own(set) != "0000000000001000") text += std::string(set) + " " + own(set);
              }
              return text;
            }),
            "");
}

TEST_F(CapabilitiesTest, WhatIsNotThereIsNotAskedFor) {
  EXPECT_EQ(in_a_process([]() -> std::string {
              if (!keep_capabilities({})) return "refused";
              if (!keep_capabilities({CAP_NET_ADMIN})) return "refused the second time";
              return own("CapEff") == "0000000000000000" ? "" : own("CapEff");
            }),
            "");
}

}  // namespace
}  // namespace koi::service
