#pragma once

#include <filesystem>
#include <sched.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_errno.h>

namespace koi::test {

/// EAL, once per program, in ordinary memory and without files. Where it does not start no test
/// runs and the program fails.
class EalEnvironment final : public testing::Environment {
 public:
  void SetUp() override {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    unsigned core = 0;
    while (core < CPU_SETSIZE && !CPU_ISSET(core, &before)) ++core;
    std::vector<std::string> args = {"koi-test",
                                     "--no-huge",
                                     "--no-shconf",
                                     "--no-telemetry",
                                     "--no-pci",
                                     "-m",
                                     "64",
                                     "--log-level=*:warning",
                                     "--lcores=0@" + std::to_string(core),
                                     "--file-prefix=koi-test-" + std::to_string(getpid())};
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    started_ = rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
    ASSERT_TRUE(started_) << "EAL does not start: " << rte_strerror(rte_errno)
                          << " (it needs root)";
    // EAL has bound this thread to one core, and the workers' threads inherit that.
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  }
  void TearDown() override {
    if (!started_) return;
    const std::string folder = rte_eal_get_runtime_dir();
    rte_eal_cleanup();
    std::error_code ignored;
    std::filesystem::remove(folder, ignored);  // only if empty; EAL leaves it behind
  }

 private:
  bool started_ = false;
};

}  // namespace koi::test
