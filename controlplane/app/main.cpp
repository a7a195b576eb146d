#include <cstdio>
#include <utility>

#include "config/load.h"
#include "config/secret.h"
#include "controlplane/app/ask_drivers.h"
#include "controlplane/app/daemon.h"
#include "controlplane/app/options.h"
#include "controlplane/app/ports.h"
#include "controlplane/app/preflight.h"

int main(int argc, char** argv) {
  using namespace koi;
  app::Options options;
  int exit_code = app::kExitDone;
  if (!app::parse_options(argc, argv, options, exit_code)) return exit_code;

  if (!config::guard_keys()) {
    std::fprintf(stderr, "koid: warning: memory for keys cannot be locked (RLIMIT_MEMLOCK)\n");
  }
  config::Loaded loaded = config::load(options.config_file);
  for (const auto& warning : loaded.warnings) {
    std::fprintf(stderr, "koid: warning: %s\n", warning.to_string().c_str());
  }
  for (const auto& error : loaded.errors) {
    std::fprintf(stderr, "koid: %s\n", error.to_string().c_str());
  }
  if (!loaded.ok()) return app::kExitUsage;
  if (options.mode == app::Mode::check) {
    std::printf("%s: valid\n", options.config_file.c_str());
    return app::kExitDone;
  }
  if (options.mode == app::Mode::print) {
    std::fputs(config::print(loaded.config).c_str(), stdout);
    return app::kExitDone;
  }
  if (options.mode == app::Mode::preflight) {
    auto findings = app::preflight(loaded.config, app::memory_mib(loaded.config));
    app::ask_drivers(loaded.config, findings);
    std::fputs(app::preflight_text(findings).c_str(), stdout);
    return app::passes(findings) ? app::kExitDone : app::kExitFailed;
  }
  if (const Status s = app::run_daemon(std::move(loaded.config), options.config_file); !s) {
    std::fprintf(stderr, "koid: %s\n", s.error().message.c_str());
    return app::kExitFailed;
  }
  return app::kExitDone;
}
