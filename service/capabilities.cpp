#include "service/capabilities.h"

#include <algorithm>
#include <cap-ng.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <linux/capability.h>

namespace koi::service {
namespace {

// Not the ambient set: the kernel keeps it within the permitted and the inheritable one.
constexpr auto kSets = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED |
                                                 CAPNG_INHERITABLE | CAPNG_BOUNDING_SET);

/// "Name:\tfw-a" as "fw-a"; empty iff the line is another one.
std::string value(const std::string& line, const std::string& name) {
  return line.starts_with(name + ":\t") ? line.substr(name.size() + 2) : std::string();
}

/// REQUIRES: capng_get_caps_process().
bool has_more_than(std::initializer_list<unsigned> kept) {
  for (unsigned c = 0; c <= CAP_LAST_CAP; ++c) {
    if (std::find(kept.begin(), kept.end(), c) != kept.end()) continue;
    for (const auto set : {CAPNG_EFFECTIVE, CAPNG_PERMITTED, CAPNG_INHERITABLE}) {
      if (capng_have_capability(set, c) != 0) return true;
    }
  }
  return false;
}

std::uint64_t capabilities(const std::string& set) {
  return set.empty() ? 0 : std::strtoull(set.c_str(), nullptr, 16);
}

}  // namespace

Status keep_capabilities(std::initializer_list<unsigned> kept) {
  if (capng_get_caps_process() != 0) return Error{"the thread's capabilities cannot be read"};
  const bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  // A unit that has given no more need not allow capset() either.
  if (!bounds && !has_more_than(kept)) return Done{};
  std::vector<unsigned> left;
  for (const unsigned capability : kept) {
    if (capng_have_capability(CAPNG_PERMITTED, capability) != 0) left.push_back(capability);
  }
  capng_clear(CAPNG_SELECT_BOTH);
  for (const unsigned capability : left) capng_update(CAPNG_ADD, kSets, capability);
  // The bounding set first: the right to lower it goes with the others.
  if (bounds && capng_apply(CAPNG_SELECT_BOUNDS) != 0) {
    return Error{"the bounding set of capabilities cannot be lowered"};
  }
  // The last call of this: others wait for its effect, and then refuse such calls.
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) return Error{"capabilities cannot be given up"};
  return Done{};
}

std::vector<ThreadRights> threads_with_capabilities() {
  std::vector<ThreadRights> some;
  std::error_code ignored;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    std::ifstream status(thread.path() / "status");
    ThreadRights rights;
    for (std::string line; std::getline(status, line);) {
      if (const std::string name = value(line, "Name"); !name.empty()) rights.name = name;
      rights.capabilities |= capabilities(value(line, "CapEff"));
      rights.capabilities |= capabilities(value(line, "CapPrm"));
    }
    if (rights.capabilities != 0) some.push_back(rights);
  }
  return some;
}

}  // namespace koi::service
