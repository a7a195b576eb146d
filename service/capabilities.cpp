#include "service/capabilities.h"

#include <cap-ng.h>
#include <filesystem>
#include <fstream>
#include <linux/capability.h>

namespace koi::service {
namespace {

constexpr auto kSets = static_cast<capng_type_t>(
    CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_BOUNDING_SET | CAPNG_AMBIENT);

/// "Name:\tfw-a" as "fw-a"; empty iff the line is another one.
std::string value(const std::string& line, const std::string& name) {
  return line.starts_with(name + ":\t") ? line.substr(name.size() + 2) : std::string();
}

bool is_some(const std::string& set) { return set.find_first_not_of('0') != std::string::npos; }

}  // namespace

Status keep_capabilities(std::initializer_list<unsigned> kept) {
  if (capng_get_caps_process() != 0) return Error{"the thread's capabilities cannot be read"};
  const bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  std::vector<unsigned> left;
  for (const unsigned capability : kept) {
    if (capng_have_capability(CAPNG_PERMITTED, capability) != 0) left.push_back(capability);
  }
  capng_clear(CAPNG_SELECT_ALL);
  for (const unsigned capability : left) capng_update(CAPNG_ADD, kSets, capability);
  // The bounding set first: the right to lower it goes with the others.
  if (bounds && capng_apply(CAPNG_SELECT_BOUNDS) != 0) {
    return Error{"the bounding set of capabilities cannot be lowered"};
  }
  if (capng_apply(CAPNG_SELECT_CAPS) != 0 || capng_apply(CAPNG_SELECT_AMBIENT) != 0) {
    return Error{"capabilities cannot be given up"};
  }
  return Done{};
}

std::vector<std::string> threads_with_capabilities() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream status(thread.path() / "status");
    std::string name;
    bool has = false;
    for (std::string line; std::getline(status, line);) {
      if (const std::string n = value(line, "Name"); !n.empty()) name = n;
      has = has || is_some(value(line, "CapEff")) || is_some(value(line, "CapPrm"));
    }
    if (has) names.push_back(name);
  }
  return names;
}

}  // namespace koi::service
