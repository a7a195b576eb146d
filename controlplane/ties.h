#pragma once

#include <cstdint>
#include <vector>

#include "config/config.h"

namespace koi::controlplane {

/// For each group, by its position in the configuration: the positions of all groups that change
/// role with it (`tie`, in either direction and through others), itself included, ascending. A
/// name that no group has is passed over; the validator refuses it.
std::vector<std::vector<std::uint16_t>> tied_groups(const std::vector<config::Group>& groups);

}  // namespace koi::controlplane
