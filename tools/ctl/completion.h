#pragma once

#include <string>

namespace CLI {
class App;
}

namespace koi::ctl {

/// What a shell has to read so that Tab completes koictl's commands and options: for bash and zsh,
/// made from the command line's own definition.
/// shell: "bash" or "zsh".
std::string completion(const CLI::App& app, const std::string& shell);

}  // namespace koi::ctl
