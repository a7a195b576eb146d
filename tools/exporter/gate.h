#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tools/exporter/listen.h"

struct CivetCallbacks;

/// What the HTTP server (civetweb, inside prometheus-cpp) lets through, so that nobody who reaches
/// the port can make the exporter grow, hang, or keep koid busy.
namespace koi::exporter {

/// Connections served at once; so many more wait for a thread, in the server and in the kernel
/// each. Together with the request's second they bound how long a scrape waits for silent
/// connections that stay: 32 of 16 threads, about 3 s.
inline constexpr std::size_t kThreads = 16;
inline constexpr std::size_t kWaiting = 8;
/// From the connection's first byte to the end of its headers.
inline constexpr int kRequestTimeoutMs = 1000;
/// Request line and headers together. Prometheus sends about 300.
inline constexpr std::size_t kLongestRequest = 4096;
/// Scrapes under way. prometheus-cpp asks koid for one after the other, each at most 2 s, so the
/// last of them has its answer within Prometheus' default 10 s; a further one gets 503 at once.
inline constexpr int kScrapes = 4;

/// The server's options, name and value in turn.
std::vector<std::string> server_options(const ListenAddress& address);

/// The server's hooks that keep to kScrapes. Lives as long as the process; one server at a time.
const CivetCallbacks& gate();

}  // namespace koi::exporter
