#include "tools/ctl/completion.h"

#include <map>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace koi::ctl {
namespace {

// 0: commands, 1: options that go with all of them, 2: words by command. koictl itself knows the
// groups' and ports' names, as koid says them.
constexpr const char* kScript = R"bash(_koictl() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i]}}" in
    --socket) i=$((i + 1)) ;;
    -*) ;;
    *) command="${{COMP_WORDS[i]}}"; break ;;
    esac
  done
  case "$before" in
  --socket|--out|--write|check) COMPREPLY=($(compgen -f -- "$word")); return ;;
  handover|--group) words=$(koictl completion groups 2>/dev/null) ;;
  --port) words=$(koictl completion ports 2>/dev/null) ;;
  *) case "$command" in
    "") words="{0} {1}" ;;
{2}    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F _koictl koictl
)bash";

const std::map<std::string, std::string> kArguments = {
    {"maintenance", "on off"}, {"completion", "bash zsh"}, {"keygen", "carp trailer"}};

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

std::string completion(const CLI::App& app, const std::string& shell) {
  std::vector<std::string> commands;
  std::string cases;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(command->get_name());
    std::vector<std::string> words = options_of(*command);
    if (const auto more = kArguments.find(command->get_name()); more != kArguments.end()) {
      words.push_back(more->second);
    }
    words.emplace_back("--socket");
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), fmt::join(words, " "));
  }
  const std::string script =
      fmt::format(kScript, fmt::join(commands, " "), fmt::join(options_of(app), " "), cases);
  const std::string zsh = "#compdef koictl\nautoload -U +X bashcompinit && bashcompinit\n";
  return (shell == "zsh" ? zsh : std::string()) + script;
}

}  // namespace koi::ctl
