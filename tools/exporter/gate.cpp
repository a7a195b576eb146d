#include "tools/exporter/gate.h"

#include <CivetServer.h>
#include <atomic>
#include <utility>

namespace koi::exporter {
namespace {

std::atomic<int> under_way{0};
/// Of the connection that this thread of the server has; it has one at a time.
thread_local bool counted = false;

/// Returns 0 to go on, else the status that was sent.
int begin(mg_connection* connection) {
  if (counted) return 0;
  if (under_way.fetch_add(1) >= kScrapes) {
    under_way.fetch_sub(1);
    mg_send_http_error(connection, 503, "%s", "too many scrapes at once");
    return 503;
  }
  counted = true;
  return 0;
}

void end(const mg_connection* /*connection*/, int /*status*/) {
  if (std::exchange(counted, false)) under_way.fetch_sub(1);
}

}  // namespace

std::vector<std::string> server_options(const ListenAddress& address) {
  return {"listening_ports",    address.to_string(),                //
          "num_threads",        std::to_string(kThreads),           //
          "connection_queue",   std::to_string(kWaiting),           //
          "listen_backlog",     std::to_string(kWaiting),           //
          "request_timeout_ms", std::to_string(kRequestTimeoutMs),  //
          "max_request_size",   std::to_string(kLongestRequest),    //
          "enable_keep_alive",  "no"};  // an idle connection would keep its thread
}

const CivetCallbacks& gate() {
  static const CivetCallbacks callbacks = [] {
    CivetCallbacks made;
    made.begin_request = begin;
    made.end_request = end;
    return made;
  }();
  return callbacks;
}

}  // namespace koi::exporter
