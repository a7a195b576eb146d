#include "tools/agent/probe.h"

#include "tools/agent/ping_probe.h"
#include "tools/agent/script_probe.h"
#include "tools/agent/tcp_probe.h"

namespace koi::agent {

std::unique_ptr<Probe> make_probe(const CheckSpec& spec) {
  switch (spec.kind) {
    case CheckSpec::Kind::ping:
      return std::make_unique<PingProbe>(spec);
    case CheckSpec::Kind::tcp:
      return std::make_unique<TcpProbe>(spec);
    case CheckSpec::Kind::script:
      break;
  }
  return std::make_unique<ScriptProbe>(spec);
}

}  // namespace koi::agent
