// A whole frame into classify-and-answer: never a read or write past it, and an answer never longer
// than what was asked.
#include <cstdint>
#include <cstdlib>

#include "dataplane/classify.h"
#include "tests/support/world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2048) return 0;
  static koi::test::World& world = *new koi::test::World;
  static const bool reigns = (world.reign(koi::test::kLan), true);
  (void)reigns;
  world.up.messages.clear();
  // Exactly as large as the frame, so that the sanitizer sees its ends.
  std::vector<std::byte> frame(reinterpret_cast<const std::byte*>(data),
                               reinterpret_cast<const std::byte*>(data) + size);
  frame.shrink_to_fit();
  const koi::dataplane::Fate fate = koi::dataplane::classify(frame, world.burst(), world.adverts);
  if (fate.kind() == koi::dataplane::Fate::Kind::answer && fate.length() > size) std::abort();
  return 0;
}
