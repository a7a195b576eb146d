#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace koi::app {

/// One thing that koid needs of its machine.
struct Finding {
  enum class Verdict : std::uint8_t {
    ok,
    warn,  // koid starts, but not at its best
    fail,  // koid does not start
  };
  Verdict verdict = Verdict::ok;
  std::string what;    // "core 3", "port lan"
  std::string detail;  // as it is
  std::string mend;    // a command, or what to put where; empty iff ok
};

/// What is found, in order.
class Findings {
 public:
  void ok(std::string what, std::string detail) {
    found_.push_back({Finding::Verdict::ok, std::move(what), std::move(detail), {}});
  }
  void warn(std::string what, std::string detail, std::string mend) {
    found_.push_back({Finding::Verdict::warn, std::move(what), std::move(detail), std::move(mend)});
  }
  void fail(std::string what, std::string detail, std::string mend) {
    found_.push_back({Finding::Verdict::fail, std::move(what), std::move(detail), std::move(mend)});
  }
  std::vector<Finding> take() { return std::move(found_); }

 private:
  std::vector<Finding> found_;
};

}  // namespace koi::app
