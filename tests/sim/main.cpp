#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <malloc.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/mutants.h"
#include "tests/sim/run.h"
#include "tests/sim/scenario.h"

/// koi-sim: runs seeds until so much time of a cluster has passed, or replays one with its trace.
namespace koi::sim {
namespace {

struct Options {
  double days = 10;
  std::uint64_t seed = 1;
  unsigned jobs = 1;
  bool replay = false;
  bool closely = false;
  bool brief = false;
  bool mutants = false;
  std::uint64_t most = 400;  // seeds for each mutant
  unsigned boxes = 0;        // only seeds of so many boxes, all of koi; 0: all seeds
};

double cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

int replay(const Options& options) {
  const Outcome outcome =
      run_seed(options.seed, {.trace = stdout, .closely = options.closely, .brief = options.brief});
  std::printf("seed %llu, trace %016llx: %s\n", static_cast<unsigned long long>(options.seed),
              static_cast<unsigned long long>(outcome.trace),
              outcome.violation.empty() ? "every invariant held" : outcome.violation.c_str());
  return outcome.violation.empty() ? 0 : 1;
}

bool has_boxes(std::uint64_t seed, unsigned boxes) {
  const Scenario scenario = scenario_of(seed);
  return scenario.koi_dialect && scenario.world.boxes.size() == boxes;
}

/// Every jobs-th seed from `first` on.
int run_share(const Options& options, unsigned job) {
  const double share = options.days * 86400 / options.jobs;
  double simulated = 0;
  unsigned seeds = 0, failures = 0, takeovers = 0;
  Duration longest{};
  for (std::uint64_t seed = options.seed + job; simulated < share; seed += options.jobs) {
    if (options.boxes != 0 && !has_boxes(seed, options.boxes)) continue;
    const Outcome outcome = run_seed(seed, {.closely = options.closely, .brief = options.brief});
    simulated += static_cast<double>(outcome.simulated.count()) * 1e-9;
    takeovers += outcome.takeovers;
    longest = std::max(longest, outcome.longest_double);
    ++seeds;
    if (outcome.violation.empty()) continue;
    std::printf("seed %llu: %s\n  tools/sim --replay %llu%s\n",
                static_cast<unsigned long long>(seed), outcome.violation.c_str(),
                static_cast<unsigned long long>(seed), options.brief ? " --brief" : "");
    std::fflush(stdout);
    if (++failures == 10) break;
  }
  const double cpu = cpu_seconds();
  std::printf(
      "%u seeds, %.2f cluster-days, %u takeovers measured, %u violations; longest double "
      "answer %.3f ms; %.0f simulated s per CPU s\n",
      seeds, simulated / 86400, takeovers, failures, static_cast<double>(longest.count()) * 1e-6,
      simulated / cpu);
  std::fflush(stdout);
  return failures == 0 ? 0 : 1;
}

/// How many seeds it takes until each rule that is broken on purpose is found.
int run_mutants(const Options& options) {
  for (std::size_t m = 1; m < kMutantTexts.size(); ++m) {
    current_mutant = static_cast<Mutant>(m);
    std::uint64_t tried = 0;
    std::string found;
    while (found.empty() && tried < options.most) {
      found = run_seed(options.seed + tried++, {.brief = true}).violation;
    }
    std::printf("%-70s %s %llu seeds: %s\n", std::string(kMutantTexts[m]).c_str(),
                found.empty() ? "not found in" : "found after",
                static_cast<unsigned long long>(tried), found.c_str());
    std::fflush(stdout);
  }
  return 0;
}

int run_all(const Options& options) {
  std::printf("seed %llu and on\n", static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  int failed = 0;
  for (unsigned job = 0; job < options.jobs; ++job) {
    const pid_t child = fork();
    if (child == 0) std::exit(run_share(options, job));
    if (child < 0) return 2;
  }
  for (unsigned job = 0; job < options.jobs; ++job) {
    int status = 0;
    wait(&status);
    failed |= WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  return failed;
}

int usage() {
  std::fputs(
      "usage: koi-sim [--days N | --years N] [--seed S] [--jobs J] [--boxes N] [--brief] "
      "[--closely]\n"
      "       koi-sim --replay S [--brief] [--closely]\n"
      "       koi-sim --mutants [--seed S] [--most N]\n",
      stderr);
  return 2;
}

int main_with(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--closely" || name == "--brief" || name == "--mutants") {
      if (name == "--closely") options.closely = true;
      if (name == "--brief") options.brief = true;
      if (name == "--mutants") options.mutants = true;
      continue;
    }
    if (i + 1 == argc) return usage();
    const char* value = argv[++i];
    if (name == "--days")
      options.days = std::strtod(value, nullptr);
    else if (name == "--years")
      options.days = 365 * std::strtod(value, nullptr);
    else if (name == "--jobs")
      options.jobs = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    else if (name == "--boxes")
      options.boxes = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    else if (name == "--most")
      options.most = std::strtoull(value, nullptr, 10);
    else if (name == "--seed")
      options.seed = std::strtoull(value, nullptr, 10);
    else if (name == "--replay") {
      options.seed = std::strtoull(value, nullptr, 10);
      options.replay = true;
    } else {
      return usage();
    }
  }
  // A board has a megabyte, and boxes often start anew: keep what they leave behind.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
  if (options.jobs == 0) return usage();
  if (options.mutants) return run_mutants(options);
  return options.replay ? replay(options) : run_all(options);
}

}  // namespace
}  // namespace koi::sim

int main(int argc, char** argv) { return koi::sim::main_with(argc, argv); }
