#include "tools/ctl/counters_text.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tools/ctl/page.h"

namespace koi::ctl {
namespace {

constexpr std::size_t kCountersMargin = 20;

/// "arp 12, nd 3": members that are not 0, in koid's order; "none" when all are.
std::string non_zero(const Json& counts) {
  std::string line;
  for (const auto& [name, count] : counts.items()) {
    if (number(count).value_or(0) == 0) continue;
    line += fmt::format("{}{} {}", line.empty() ? "" : ", ", name, count.dump());
  }
  return line.empty() ? "none" : line;
}

void add_port(Page& page, const Json& port) {
  const bool up = truth(port, "up");
  page.add("port", fmt::format("{} ({})", text(port, "name"), up ? "up" : "DOWN"),
           up ? Colour::none : Colour::red, true);
  page.add("  packets", non_zero(list(port, "packets")));
  page.add("  answers", non_zero(list(port, "answers")));
  page.add("  drops", non_zero(list(port, "drops")));
}

void add_slot_counters(Page& page, const Json& slot) {
  std::string role;
  if (truth(slot, "master")) {
    const double lease = number(slot, "lease_seconds").value_or(0);
    role =
        lease > 0 ? fmt::format(" (master, lease {})", short_time(lease)) : " (master, no lease)";
  }
  page.add("slot", fmt::format("{} vhid {}{}", text(slot, "group"), text(slot, "vhid"), role));
  page.add("  adverts sent", non_zero(list(slot, "adverts_sent")));
  page.add("  adverts received", non_zero(list(slot, "adverts_received")));
  page.add("  notices", non_zero(list(slot, "notices")));
  std::string_view label = "  transitions";
  for (const Json& t : list(slot, "transitions")) {
    page.add(label, fmt::format("{} {} to {}, cause: {}", text(t, "count"), text(t, "from"),
                                text(t, "to"), text(t, "cause")));
    label = "";
  }
}

/// "12 turns, mean 83 us, 99 % within 10 us".
std::string histogram_text(const Json& histogram) {
  const double count = number(histogram, "count").value_or(0);
  if (count <= 0) return "none";
  std::string line = fmt::format("{:.0f}, mean {}", count,
                                 short_time(number(histogram, "sum").value_or(0) / count));
  for (const Json& bucket : list(histogram, "buckets")) {
    const auto bound = number(bucket, "le");
    if (bound && number(bucket, "count").value_or(0) >= 0.99 * count) {
      return line + ", 99 % within " + short_time(*bound);
    }
  }
  return line;
}

using Drop = std::pair<std::string, Json>;

bool before(const Drop& a, const Drop& b) {
  if (a.second != b.second) return a.second > b.second;
  return a.first < b.first;
}

}  // namespace

std::string counters_text(const Json& counters, bool colours) {
  Page page(kCountersMargin, colours);
  page.add("node", fmt::format("{}, koid {}", text(counters, "node"), text(counters, "version")));
  page.add("demotion", non_zero(list(counters, "demotion")));
  page.add("turns late", histogram_text(field(counters, "control_late")));
  page.add("takeovers", histogram_text(field(counters, "takeover")));
  for (const Json& worker : list(counters, "workers")) {
    const auto heartbeat = number(worker, "heartbeat_age_seconds");
    std::string line = fmt::format("{}, last polled {} ago", text(worker, "worker"),
                                   heartbeat ? short_time(*heartbeat) : "?");
    for (const auto& [port, count] : list(worker, "received").items()) {
      line += fmt::format(", {}: {} received", port, number(count).value_or(0));
    }
    page.add("worker", line);
  }
  for (const Json& port : list(counters, "ports")) {
    page.blank();
    add_port(page, port);
  }
  for (const Json& slot : list(counters, "slots")) {
    page.blank();
    add_slot_counters(page, slot);
  }
  return page.str();
}

Json drops_only(const Json& counters) {
  Json ports = Json::array();
  for (const Json& port : list(counters, "ports")) {
    std::vector<Drop> sorted;
    for (const auto& [reason, count] : list(port, "drops").items()) {
      if (number(count).value_or(0) != 0) sorted.emplace_back(reason, count);
    }
    std::ranges::sort(sorted, before);
    Json drops = Json::object();
    for (const auto& [reason, count] : sorted) drops[reason] = count;
    ports.push_back({{"name", text(port, "name")}, {"drops", std::move(drops)}});
  }
  return {{"ok", true}, {"ports", std::move(ports)}};
}

std::string drops_text(const Json& drops) {
  std::string table;
  for (const Json& port : list(drops, "ports")) {
    for (const auto& [reason, count] : list(port, "drops").items()) {
      table += fmt::format("{:<11}  {:<18}  {:>20}\n", text(port, "name"), reason, count.dump());
    }
  }
  if (table.empty()) return "no drops\n";
  return fmt::format("{:<11}  {:<18}  {:>20}\n", "PORT", "REASON", "FRAMES") + table;
}

}  // namespace koi::ctl
