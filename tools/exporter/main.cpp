#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "service/capabilities.h"
#include "service/notify.h"
#include "service/system_calls.h"
#include "tools/exporter/exporter.h"

namespace {

void warn_unless(const koi::Status& done) {
  if (!done) std::fprintf(stderr, "koi-exporter: warning: %s\n", done.error().message.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    // Before any thread exists, so that all of them leave these to sigwait.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    warn_unless(koi::service::keep_capabilities({}));  // before any thread exists
    return koi::exporter::run(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
                              [](int port) {
                                warn_unless(koi::service::filter_exporter());
                                koi::service::tell_ready("serves port " + std::to_string(port));
                              });
  } catch (const std::exception& e) {
    std::fprintf(stderr, "koi-exporter: %s\n", e.what());
    return koi::exporter::kExitCannotListen;
  }
}
