#include "tests/sim/trace.h"

#include "tests/sim/random.h"

namespace koi::sim {

void Trace::sum(std::string_view what, std::size_t box, std::uint64_t detail, Moment at) {
  std::uint64_t kind = what.size();
  for (const char c : what) kind = kind * 131 + static_cast<unsigned char>(c);
  const auto when = static_cast<std::uint64_t>(at.time_since_epoch().count());
  // A sum, for what idle rounds could have answered becomes known only when somebody looks.
  number_ += mix(mix(mix(kind ^ when) ^ box) ^ detail);
}

void Trace::line(Moment at, const std::string& text) {
  const std::int64_t ns = at.time_since_epoch().count();
  std::fprintf(to_, "%6lld.%06lld  %s\n", static_cast<long long>(ns / 1'000'000'000),
               static_cast<long long>(ns / 1000 % 1'000'000), text.c_str());
}

std::string Trace::plain(std::string_view what, std::size_t box, std::uint64_t detail) {
  std::string text = "box " + std::to_string(box) + " " + std::string(what);
  if (detail != 0) text += " " + std::to_string(detail);
  return text;
}

}  // namespace koi::sim
