// What most of the simulator includes, compiled once: nothing of koi, whose #pragma once gcc
// forgets where a compiler cache is used.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>
