#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "tests/sim/moment.h"

namespace koi::sim {

/// What happened, line by line, for a person; and a number over all of it, by which two runs are
/// compared. Lines are made only when somebody reads them.
class Trace {
 public:
  explicit Trace(const Moment& now) : now_(now) {}

  /// to: not owned; null: no lines. The number is kept all the same.
  void print_to(std::FILE* to) { to_ = to; }
  bool wanted() const { return to_ != nullptr; }

  /// Two numbers say what happened to whom: they go into the sum. text is a function that makes the
  /// line.
  template <class Text>
  void note(std::string_view what, std::size_t box, std::uint64_t detail, Moment at, Text text) {
    sum(what, box, detail, at);
    if (wanted()) line(at, text());
  }
  void note(std::string_view what, std::size_t box, std::uint64_t detail = 0) {
    note(what, box, detail, now_, [&] { return plain(what, box, detail); });
  }
  /// Only for a person.
  void remark(const std::string& text) {
    if (wanted()) line(now_, text);
  }

  std::uint64_t number() const { return number_; }

 private:
  void sum(std::string_view what, std::size_t box, std::uint64_t detail, Moment at);
  void line(Moment at, const std::string& text);
  static std::string plain(std::string_view what, std::size_t box, std::uint64_t detail);

  const Moment& now_;
  std::FILE* to_ = nullptr;
  std::uint64_t number_ = 0;
};

}  // namespace koi::sim
