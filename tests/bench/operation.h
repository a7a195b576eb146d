#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

/// What bench-operations measures: parts of the packet path and of what control builds for it.
namespace koi::bench {

/// One operation, done many times over, for one alone is over before a clock has been read. What
/// the loop around it takes is in its figure.
struct Operation {
  std::string name;                  // as in --benchmark_filter and in instructions.txt
  std::size_t times;                 // that run() does it
  std::function<void()> prepare;     // before each run(), not measured: what run() uses up
  std::function<std::size_t()> run;  // returns how many of them went as they should
};

/// Frames of many kinds, each decided over as a worker does it.
void add_frame_operations(std::vector<Operation>& all);

/// What these decisions are made of, and what control builds: look-ups, hashes, digests, views.
void add_part_operations(std::vector<Operation>& all);

}  // namespace koi::bench
