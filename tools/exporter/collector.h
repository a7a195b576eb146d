#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "common/time.h"
#include "tools/ctl/socket_client.h"

namespace koi::exporter {

/// Asks koid anew at each scrape: nothing is kept, so nothing shown is ever old.
class Collector : public prometheus::Collectable {
 public:
  explicit Collector(std::string socket, Duration deadline = ctl::kReplyDeadline)
      : socket_(std::move(socket)), deadline_(deadline) {}

  /// Blocks at most the deadline; koi_up 0 alone when koid is away. Any thread, also several at
  /// once. Says on standard error when koid goes away and when it is back.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string socket_;
  const Duration deadline_;
  mutable std::atomic<bool> away_{false};
};

}  // namespace koi::exporter
