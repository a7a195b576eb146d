#pragma once

#include <functional>
#include <string>
#include <vector>

namespace koi::exporter {

inline constexpr const char* kDefaultListen = "127.0.0.1:9477";

inline constexpr int kExitDone = 0;
inline constexpr int kExitCannotListen = 1;
inline constexpr int kExitUsage = 2;

/// Serves /metrics until SIGTERM or SIGINT and returns the exit code. `arguments` are without the
/// program's name. `listening` is called with the port once scrapes are answered.
/// REQUIRES: SIGTERM and SIGINT are blocked in every thread of the process.
int run(const std::vector<std::string>& arguments,
        const std::function<void(int port)>& listening = {});

}  // namespace koi::exporter
