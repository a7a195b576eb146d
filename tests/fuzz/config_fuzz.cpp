// A configuration file: every text is refused with problems of one line each, or taken, and then
// its canonical form is taken too and prints itself again.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "config/load.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/config/config_files.h"

namespace {

using koi::config::Loaded;

void fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::abort();
}

/// The key files that the goldens name, and a file for what is tried.
class Files {
 public:
  Files() {
    dir_.write("keys/good", "carp on the wire\n");
    dir_.write("keys/other", "another fine key");
    dir_.write("keys/short", "seven77");
  }
  Loaded load(const std::string& text) {
    return koi::config::load(dir_.write("koi.yaml", text),
                             {.key_root = dir_.path().string(), .host_name = "test-box"});
  }

 private:
  koi::config::testing::TempDir dir_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Files& files = *new Files;
  const Loaded loaded = files.load({reinterpret_cast<const char*>(data), size});
  for (const auto& problem : loaded.errors) {
    if (problem.to_string().find('\n') != std::string::npos) fail(problem.to_string());
  }
  if (!loaded.ok()) return 0;
  const std::string printed = koi::config::print(loaded.config);
  const Loaded again = files.load(printed);
  for (const auto& problem : again.errors) fail(problem.to_string() + " in\n" + printed);
  if (koi::config::print(again.config) != printed) fail(printed);
  return 0;
}
