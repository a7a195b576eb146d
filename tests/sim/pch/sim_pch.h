// What most of the simulator includes, compiled once.
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

#include "common/contract/messages.h"
#include "config/config.h"
#include "controlplane/loop.h"
#include "controlplane/view_builder.h"
