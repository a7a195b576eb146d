#include "tools/exporter/metrics.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>

namespace koi::exporter {
namespace {

using ctl::field;
using ctl::Json;
using ctl::list;
using ctl::number;
using ctl::text;
using ctl::truth;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct Descriptor {
  const char* name;
  MetricType type;
  const char* help;
};

/// Positions in kDescriptors.
enum Metric : std::size_t {
  kUp,
  kBuildInfo,
  kSlotMaster,
  kSlotLease,
  kTransitions,
  kTakeover,
  kAdvertsSent,
  kAdvertsReceived,
  kNotices,
  kPeerLastSeen,
  kPeerDiffers,
  kHellosSent,
  kHellosReceived,
  kAnswers,
  kDrops,
  kPortPackets,
  kPortUp,
  kDemotion,
  kAgentUp,
  kControlAge,
  kControlLate,
  kControlFramesDropped,
  kControlReportsDropped,
  kHeartbeatAge,
  kReceived,
  kMetrics
};

constexpr std::array<Descriptor, kMetrics> kDescriptors{{
    {"koi_up", MetricType::Gauge, "1 if koid answered this scrape with its counters, else 0."},
    {"koi_build_info", MetricType::Gauge, "Always 1, labelled with the version of koid."},
    {"koi_slot_master", MetricType::Gauge, "1 if this box is MASTER of the virtual host, else 0."},
    {"koi_slot_lease_seconds", MetricType::Gauge,
     "How much longer this box may answer for the virtual host unless it advertises again."},
    {"koi_transitions_total", MetricType::Counter,
     "Changes of role of the virtual host, by their cause."},
    {"koi_takeover_seconds", MetricType::Histogram,
     "From the last advertisement heard of the old master to the first announcement of this box."},
    {"koi_adverts_sent_total", MetricType::Counter,
     "Advertisements sent for the virtual host, by address family."},
    {"koi_adverts_received_total", MetricType::Counter,
     "Advertisements received for the virtual host, by what became of them."},
    {"koi_notices_total", MetricType::Counter,
     "What a person should know although no role changed: conflicts, oddities, by their name."},
    {"koi_peer_last_seen_seconds", MetricType::Gauge,
     "Since the last hello of another box of the group, or since this box has waited for one."},
    {"koi_peer_differs", MetricType::Gauge,
     "1 if the other box has something else than this one where all must have the same, else 0."},
    {"koi_hellos_sent_total", MetricType::Counter, "Hellos sent to the other boxes of the group."},
    {"koi_hellos_received_total", MetricType::Counter,
     "Rightly signed hellos received for the group, by what became of them."},
    {"koi_answers_total", MetricType::Counter, "Requests answered on the port, by kind."},
    {"koi_drops_total", MetricType::Counter, "Frames dropped on the port, by reason."},
    {"koi_port_packets_total", MetricType::Counter, "Frames received and sent on the port."},
    {"koi_port_up", MetricType::Gauge, "1 if the port has link, else 0."},
    {"koi_demotion", MetricType::Gauge, "Demotion of this box, by its cause; 0 is none."},
    {"koi_agent_up", MetricType::Gauge,
     "1 if koi-agent is there, else 0; only where the configuration needs it."},
    {"koi_control_age_seconds", MetricType::Gauge,
     "Time since the last turn of the control thread began; far above 0.001 it hangs."},
    {"koi_control_late_seconds", MetricType::Histogram,
     "How late the turns of the control thread began."},
    {"koi_control_frames_dropped_total", MetricType::Counter,
     "Advertisements and announcements that a worker's ring had no room for."},
    {"koi_control_reports_dropped_total", MetricType::Counter,
     "Reports of the control thread to the service thread that its ring had no room for."},
    {"koi_worker_heartbeat_age_seconds", MetricType::Gauge,
     "Time since the worker last polled its ports."},
    {"koi_worker_received_total", MetricType::Counter,
     "Frames received on the port by each worker that has a queue of it."},
}};

struct Label {
  const char* name;
  std::string value;
};
using Labels = std::vector<Label>;

/// Collects samples under their descriptors.
class Table {
 public:
  Table() : families_(kMetrics) {
    for (std::size_t i = 0; i < kMetrics; ++i) {
      families_[i].name = kDescriptors[i].name;
      families_[i].help = kDescriptors[i].help;
      families_[i].type = kDescriptors[i].type;
    }
  }

  /// A gauge or a counter; nothing iff there is no value, or a label is empty: two samples that
  /// lack what tells them apart would spoil the whole scrape.
  void add(Metric metric, const Labels& labels, std::optional<double> value) {
    const auto empty = [](const Label& label) { return label.value.empty(); };
    if (!value || std::ranges::any_of(labels, empty)) return;
    ClientMetric& sample = append(metric, labels);
    if (families_[metric].type == MetricType::Counter) {
      sample.counter.value = *value;
    } else {
      sample.gauge.value = *value;
    }
  }

  /// One sample for each member of `counts`, whose name is the value of the label `name`.
  void add_each(Metric metric, Labels labels, const char* name, const Json& counts) {
    if (!counts.is_object()) return;
    labels.push_back({name, ""});
    for (const auto& [key, value] : counts.items()) {
      labels.back().value = key;
      add(metric, labels, number(value));
    }
  }

  /// {"buckets":[{"le":…,"count":…}],"count":…,"sum":…}, buckets cumulative; the serializer adds
  /// the one of +Inf.
  void add_histogram(Metric metric, const Json& json) {
    const auto count = number(json, "count");
    const auto sum = number(json, "sum");
    if (!count || *count < 0 || !sum) return;
    auto& histogram = append(metric, {}).histogram;
    histogram.sample_count = static_cast<std::uint64_t>(*count);
    histogram.sample_sum = *sum;
    for (const Json& bucket : list(json, "buckets")) {
      const auto bound = number(bucket, "le");
      const auto below = number(bucket, "count");
      if (!bound || !below || *below < 0) continue;
      histogram.bucket.push_back({static_cast<std::uint64_t>(*below), *bound});
    }
  }

  /// The families that have samples.
  std::vector<MetricFamily> take() && {
    std::erase_if(families_, [](const MetricFamily& f) { return f.metric.empty(); });
    return std::move(families_);
  }

 private:
  ClientMetric& append(Metric metric, const Labels& labels) {
    ClientMetric& sample = families_[metric].metric.emplace_back();
    for (const Label& label : labels) sample.label.push_back({label.name, label.value});
    return sample;
  }

  std::vector<MetricFamily> families_;
};

void add_slot(Table& table, const Json& slot) {
  const Labels labels{{"group", text(slot, "group", "")}, {"vhid", text(slot, "vhid", "")}};
  if (field(slot, "master").is_boolean()) {
    table.add(kSlotMaster, labels, truth(slot, "master") ? 1 : 0);
  }
  table.add(kSlotLease, labels, number(slot, "lease_seconds"));
  table.add_each(kAdvertsSent, labels, "family", field(slot, "adverts_sent"));
  table.add_each(kAdvertsReceived, labels, "verdict", field(slot, "adverts_received"));
  table.add_each(kNotices, labels, "notice", field(slot, "notices"));
  table.add(kHellosSent, labels, number(slot, "hellos_sent"));
  table.add_each(kHellosReceived, labels, "verdict", field(slot, "hellos_received"));
  for (const Json& peer : list(slot, "peers")) {
    Labels all = labels;
    all.push_back({"peer", text(peer, "address", "")});
    table.add(kPeerLastSeen, all, number(peer, "last_seen_seconds"));
    table.add_each(kPeerDiffers, all, "what", field(peer, "differs"));
  }
  for (const Json& transition : list(slot, "transitions")) {
    Labels all = labels;
    for (const char* name : {"from", "to", "cause"})
      all.push_back({name, text(transition, name, "")});
    table.add(kTransitions, all, number(transition, "count"));
  }
}

void add_port(Table& table, const Json& port) {
  const Labels labels{{"port", text(port, "name", "")}};
  if (field(port, "up").is_boolean()) table.add(kPortUp, labels, truth(port, "up") ? 1 : 0);
  table.add_each(kPortPackets, labels, "direction", field(port, "packets"));
  table.add_each(kAnswers, labels, "kind", field(port, "answers"));
  table.add_each(kDrops, labels, "reason", field(port, "drops"));
}

}  // namespace

std::vector<MetricFamily> families(const ctl::Reply& counters) {
  Table table;
  const bool up = counters.outcome == ctl::Outcome::done;
  table.add(kUp, {}, up ? 1 : 0);
  if (!up) return std::move(table).take();

  const Json& body = counters.body;
  if (field(body, "version").is_string()) {
    table.add(kBuildInfo, {{"version", text(body, "version")}}, 1);
  }
  for (const Json& slot : list(body, "slots")) add_slot(table, slot);
  for (const Json& port : list(body, "ports")) add_port(table, port);
  for (const Json& worker : list(body, "workers")) {
    const Labels labels{{"worker", text(worker, "worker", "")}};
    table.add(kHeartbeatAge, labels, number(worker, "heartbeat_age_seconds"));
    table.add_each(kReceived, labels, "port", field(worker, "received"));
  }
  table.add_each(kDemotion, {}, "cause", field(body, "demotion"));
  if (const Json& agent = field(body, "agent"); truth(agent, "needed")) {
    table.add(kAgentUp, {}, truth(agent, "present") ? 1 : 0);
  }
  table.add(kControlAge, {}, number(body, "control_age_seconds"));
  table.add(kControlFramesDropped, {}, number(body, "frames_dropped"));
  table.add(kControlReportsDropped, {}, number(body, "reports_dropped"));
  table.add_histogram(kTakeover, field(body, "takeover"));
  table.add_histogram(kControlLate, field(body, "control_late"));
  return std::move(table).take();
}

}  // namespace koi::exporter
