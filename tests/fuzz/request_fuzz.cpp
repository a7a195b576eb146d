// A line on the control socket: whatever it is, the reply is one line with a JSON object, now or
// later.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <variant>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "tests/unit/service/service_rig.h"

namespace {

/// The service as in its own tests, asked without a socket and without its thread.
class Asked final : public koi::test::ServiceRig {
 public:
  Asked() {
    spdlog::set_level(spdlog::level::off);
    open();
    koi::controlplane::SlotReport master;  // so that a hand-over begins
    master.role = koi::election::Role::master;
    reports.try_send(master);
  }
  void TestBody() override {}

  void ask(const std::string& line) {
    const koi::app::Answer answer = service->handle(line, 0);
    if (const auto* later = std::get_if<koi::app::Later>(&answer)) {
      if (const std::optional<std::string> reply = (*later)()) check(*reply);
    } else {
      check(std::get<std::string>(answer));
    }
    commands.messages.clear();
  }

 private:
  static void check(const std::string& reply) {
    if (reply.find('\n') == std::string::npos &&
        nlohmann::json::parse(reply, nullptr, false).is_object()) {
      return;
    }
    std::fprintf(stderr, "reply: %s\n", reply.c_str());
    std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Asked& asked = *new Asked;
  std::string line(reinterpret_cast<const char*>(data), size);
  if (line.find('\n') == std::string::npos) asked.ask(line);
  return 0;
}
