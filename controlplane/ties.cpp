#include "controlplane/ties.h"

#include <map>
#include <numeric>
#include <string>

namespace koi::controlplane {

std::vector<std::vector<std::uint16_t>> tied_groups(const std::vector<config::Group>& groups) {
  const auto count = static_cast<std::uint16_t>(groups.size());
  std::map<std::string, std::uint16_t> position;
  for (std::uint16_t g = 0; g < count; ++g) position[groups[g].name] = g;
  // Union-find: each group leads to one that represents all that are tied.
  std::vector<std::uint16_t> leads_to(groups.size());
  std::iota(leads_to.begin(), leads_to.end(), std::uint16_t{0});
  const auto representative = [&](std::uint16_t g) {
    while (leads_to[g] != g) g = leads_to[g] = leads_to[leads_to[g]];
    return g;
  };
  for (std::uint16_t g = 0; g < count; ++g) {
    for (const std::string& name : groups[g].tie) {
      const auto other = position.find(name);
      if (other != position.end()) leads_to[representative(g)] = representative(other->second);
    }
  }
  std::vector<std::vector<std::uint16_t>> sets(groups.size());
  for (std::uint16_t g = 0; g < count; ++g) sets[representative(g)].push_back(g);
  std::vector<std::vector<std::uint16_t>> tied(groups.size());
  for (std::uint16_t g = 0; g < count; ++g) tied[g] = sets[representative(g)];
  return tied;
}

}  // namespace koi::controlplane
