#include "tools/exporter/exporter.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <prometheus/exposer.h>

#include "tools/ctl/socket_client.h"
#include "tools/exporter/collector.h"
#include "tools/exporter/gate.h"
#include "tools/exporter/listen.h"

namespace koi::exporter {
namespace {

void wait_for_the_end() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int which = 0;
  while (::sigwait(&signals, &which) != 0) {
  }
}

/// Returns nothing, with one sentence on standard error, iff the address cannot be had.
std::unique_ptr<prometheus::Exposer> listen_on(const ListenAddress& address) {
  try {
    return std::make_unique<prometheus::Exposer>(server_options(address), &gate());
  } catch (const std::exception&) {  // it does not say why; binding ourselves does
    const std::string why = bind_problem(address);
    fmt::print(stderr, "koi-exporter: cannot listen on {}: {}\n", address.to_string(),
               why.empty() ? "the HTTP server did not start" : why);
    return nullptr;
  }
}

}  // namespace

int run(const std::vector<std::string>& arguments, const std::function<void(int)>& listening) {
  CLI::App app("Serves koid's counters to Prometheus, on /metrics.", "koi-exporter");
  std::string socket = ctl::kDefaultSocket;
  std::string listen = kDefaultListen;
  app.set_version_flag("--version", "koi-exporter " KOI_VERSION);
  app.add_option("--socket", socket, "koid's control socket")
      ->type_name("PATH")
      ->capture_default_str()
      ->check(ctl::socket_path_problem);
  app.add_option("--listen", listen, "where to serve HTTP")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitDone : kExitUsage;
  }
  const Result<ListenAddress> address = parse_listen(listen);
  if (!address) {
    fmt::print(stderr, "koi-exporter: {}\n", address.error().message);
    return kExitUsage;
  }

  const auto exposer = listen_on(address.value());
  if (exposer == nullptr) return kExitCannotListen;
  const auto collector = std::make_shared<Collector>(socket);
  exposer->RegisterCollectable(collector);
  const std::vector<int> ports = exposer->GetListeningPorts();
  if (listening) listening(ports.empty() ? 0 : ports.front());
  wait_for_the_end();
  return kExitDone;
}

}  // namespace koi::exporter
