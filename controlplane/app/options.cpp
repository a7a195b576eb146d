#include "controlplane/app/options.h"

#include <CLI/CLI.hpp>

#include "config/load.h"

namespace koi::app {

bool parse_options(int argc, char** argv, Options& options, int& exit_code) {
  CLI::App app("koid: shares addresses between firewall boxes by CARP, on DPDK");
  options.config_file = config::kDefaultPath;
  bool check = false;
  bool print = false;
  bool preflight = false;
  app.add_option("-c,--config", options.config_file, "configuration file")->capture_default_str();
  auto* check_flag = app.add_flag("--check", check, "check the configuration, start nothing");
  app.add_flag("--print", print, "print the configuration in canonical form, without secrets")
      ->excludes(check_flag);
  app.add_flag("--preflight", preflight,
               "what this machine lacks for the configuration, and what mends it; start nothing")
      ->excludes(check_flag)
      ->excludes("--print");
  app.set_version_flag("--version", std::string("koid " KOI_VERSION));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    exit_code = app.exit(e) == 0 ? kExitDone : kExitUsage;
    return false;
  }
  options.mode = check       ? Mode::check
                 : print     ? Mode::print
                 : preflight ? Mode::preflight
                             : Mode::run;
  return true;
}

}  // namespace koi::app
