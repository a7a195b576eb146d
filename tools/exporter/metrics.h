#pragma once

#include <vector>

#include <prometheus/metric_family.h>

#include "tools/ctl/reply.h"

/// koid's counters in Prometheus' words (design.md, "Names that are an interface").
namespace koi::exporter {

/// Returns the metric families of koid's reply to "counters", in the order of the table in
/// metrics.cpp; those without a sample are left out. Whatever the reply lacks or has in another
/// form has no sample either: a koid of another version yields fewer metrics, never a failed
/// scrape. A reply whose outcome is not `done` yields koi_up 0 alone.
std::vector<prometheus::MetricFamily> families(const ctl::Reply& counters);

}  // namespace koi::exporter
