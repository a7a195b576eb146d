// bench-operations: what the operations of operation.h cost, of frames and tables that are in the
// cache, without driver and mbufs; for those see tools/bench. Google Benchmark's options hold, e.g.
// --benchmark_filter=arp --benchmark_repetitions=9. Prints, for each operation, its time and the
// cycles of the TSC that it takes.
//
// Under callgrind it counts instead, and every run is the same one: tools/instructions.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <valgrind/callgrind.h>
#include <vector>
#include <x86intrin.h>

#include <benchmark/benchmark.h>

#include "tests/bench/operation.h"

namespace {

using koi::bench::Operation;

void measure(benchmark::State& state, const Operation& operation) {
  std::uint64_t cycles = 0;
  std::uint64_t done = 0;
  for (auto _ : state) {
    operation.prepare();
    const auto began = std::chrono::steady_clock::now();
    const std::uint64_t began_cycles = __rdtsc();
    const std::size_t right = operation.run();
    cycles += __rdtsc() - began_cycles;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (right != operation.times) {
      state.SkipWithError("not all went as they should");
      break;
    }
    state.SetIterationTime(took.count());
    done += operation.times;
  }
  if (done == 0) return;
  using benchmark::Counter;
  state.counters["each"] =
      Counter(static_cast<double>(done), Counter::Flags(Counter::kIsRate | Counter::kInvert));
  state.counters["cycles"] = static_cast<double>(cycles) / static_cast<double>(done);
}

/// The second run of each: the first one has bound the functions and grown the vectors. Prints how
/// many times each was done; callgrind writes a file for each, with its name.
int count(const std::vector<Operation>& operations) {
  for (const Operation& operation : operations) {
    operation.prepare();
    operation.run();
    operation.prepare();
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_TOGGLE_COLLECT;
    const std::size_t right = operation.run();
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(operation.name.c_str());
    CALLGRIND_STOP_INSTRUMENTATION;
    if (right != operation.times) {
      std::fprintf(stderr, "%s: not all went as they should\n", operation.name.c_str());
      return 1;
    }
    std::printf("%s %zu\n", operation.name.c_str(), operation.times);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<Operation> operations;
  koi::bench::add_frame_operations(operations);
  koi::bench::add_part_operations(operations);
  if (RUNNING_ON_VALGRIND != 0) return count(operations);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const Operation& operation : operations) {
    benchmark::RegisterBenchmark(operation.name.c_str(), measure, operation)->UseManualTime();
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
