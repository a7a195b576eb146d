#include <fmt/format.h>

#include "config/sections.h"
#include "config/words.h"

namespace koi::config {
namespace {

constexpr unsigned kHighestCore = 1023;
constexpr std::size_t kMaxEalArguments = 64;

void load_worker_cores(YamlMap& map, std::vector<unsigned>& cores) {
  const std::string allowed = fmt::format("a list of 1 to {} cores", kMaxWorkers);
  const auto node = map.require("worker-cores", allowed);
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->empty() || list->size() > kMaxWorkers) {
    node->error(fmt::format("has {} cores; allowed: {}", list->size(), allowed));
    return;
  }
  for (const YamlNode& item : *list) {
    // A wrong core leaves a placeholder: its path is marked, and the positions stay right.
    cores.push_back(static_cast<unsigned>(item.whole_number(0, kHighestCore).value_or(0)));
  }
}

void load_eal(YamlMap& map, std::vector<std::string>& eal) {
  const auto node = map.find("eal");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->size() > kMaxEalArguments) {
    node->error(
        fmt::format("has {} arguments; allowed: at most {}", list->size(), kMaxEalArguments));
    return;
  }
  for (const YamlNode& item : *list) {
    if (auto argument = item.text("an argument for EAL")) eal.push_back(std::move(*argument));
  }
}

}  // namespace

void load_dataplane(const YamlNode& section, Dataplane& dataplane) {
  auto map = section.map();
  if (!map) return;
  map->read("control-core", dataplane.control_core, 0U, kHighestCore);
  load_worker_cores(*map, dataplane.worker_cores);
  if (const auto node = map->find("idle")) {
    dataplane.idle = node->choice<Idle>(kIdleWords, "poll, adaptive").value_or(dataplane.idle);
  }
  map->read("stall-after", dataplane.stall_after, 1ms, 10s);
  map->read("hugepages", dataplane.hugepages);
  load_eal(*map, dataplane.eal);
  map->finish();
}

void load_control(const YamlNode& section, Control& control) {
  // The kernel's limit on the name of a socket, its terminator included.
  constexpr std::size_t kSocketName = 108;
  auto map = section.map();
  if (!map) return;
  if (const auto node = map->find("socket")) {
    if (auto path = node->absolute_path()) {
      if (path->size() >= kSocketName) {
        node->error(
            fmt::format("is {} bytes long; allowed: at most {}", path->size(), kSocketName - 1));
      }
      control.socket = std::move(*path);
    }
  }
  map->finish();
}

}  // namespace koi::config
