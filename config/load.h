#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace koi::config {

inline constexpr const char* kDefaultPath = "/etc/koi/koi.yaml";
inline constexpr std::size_t kMaxFileBytes = 1024 * 1024;

/// One thing wrong or doubtful: where, which key, what is wrong and what is allowed.
struct Problem {
  std::string file;
  int line = 0;     // from 1; 0: the file as a whole
  int column = 0;   // from 1
  std::string key;  // path: groups.lan-gateway.vhid; empty: the file as a whole
  std::string text;

  /// "file:line:column: key.path: what is wrong and what is allowed"
  std::string to_string() const;
};

struct Loaded {
  Config config;                // valid iff errors is empty
  std::vector<Problem> errors;  // all of them, in file order
  std::vector<Problem> warnings;
  bool ok() const { return errors.empty(); }
};

struct LoadOptions {
  std::string key_root;   // put before the name of every key file, for tests; empty in the daemon
  std::string host_name;  // default for node; empty: asks the system
};

/// Reads, parses and validates the file and the key files it names. Never throws; touches nothing
/// but those files. Service thread, or before threads exist.
Loaded load(const std::string& path, const LoadOptions& options = {});

/// The node-id of a node that was given none: 12 bits of a hash of its name (FNV-1a, folded).
NodeId node_id_of(std::string_view name);

/// The canonical form, which parses again to itself; key files by name, key bytes never.
std::string print(const Config& config);

}  // namespace koi::config
