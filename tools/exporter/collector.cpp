#include "tools/exporter/collector.h"

#include <cstdio>

#include <fmt/format.h>

#include "tools/ctl/reply.h"
#include "tools/exporter/metrics.h"

namespace koi::exporter {

std::vector<prometheus::MetricFamily> Collector::Collect() const {
  const ctl::Reply reply = ctl::ask(socket_, "counters", deadline_);
  const bool away = reply.outcome != ctl::Outcome::done;
  if (away_.exchange(away) != away) {
    if (away) {
      fmt::print(stderr, "koi-exporter: koi_up is 0: {}\n", reply.error);
    } else {
      fmt::print(stderr, "koi-exporter: koid answers again on {}\n", socket_);
    }
  }
  return families(reply);
}

}  // namespace koi::exporter
