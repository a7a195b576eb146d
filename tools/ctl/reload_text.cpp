#include "tools/ctl/reload_text.h"

#include <fmt/format.h>

#include "tools/ctl/page.h"

namespace koi::ctl {
namespace {

std::string headline(const Json& reply, std::size_t changes) {
  const std::string file = text(reply, "file");
  if (!truth(reply, "ok")) return "reload: " + text(reply, "error");
  if (changes == 0) return "reload: nothing has changed in " + file;
  const bool dry = truth(reply, "dry_run");
  return fmt::format("reload: {} change{}{} from {}", changes, changes == 1 ? "" : "s",
                     dry ? " would be made" : "", file);
}

std::string sentence(const Json& change) {
  const std::string from = text(change, "from", "");
  const std::string to = text(change, "to", "");
  std::string line = text(change, "key") + ": ";
  if (from == to) {
    line += from;
  } else if (from.empty()) {
    line += "added: " + to;
  } else if (to.empty()) {
    line += "removed: " + from;
  } else {
    line += from + " -> " + to;
  }
  if (truth(change, "role_may_change")) line += " (a role may change)";
  const std::string note = text(change, "note", "");
  return note.empty() ? line : line + "; " + note;
}

}  // namespace

std::string reload_text(const Json& reply, bool colours) {
  const Json& changes = list(reply, "changes");
  const bool refused = !truth(reply, "ok");
  Page page(kMargin, colours);
  std::string out;
  for (const std::string& line : wrap(printable(headline(reply, changes.size())), kColumns)) {
    out += line + '\n';
  }
  // Whole lines, so that an editor finds the place: file:line:column.
  for (const Json& error : list(reply, "errors")) {
    if (error.is_string()) out += printable(error.get<std::string>()) + '\n';
  }
  for (const Json& warning : list(reply, "warnings")) {
    if (warning.is_string()) out += "warning: " + printable(warning.get<std::string>()) + '\n';
  }
  for (const Json& change : changes) {
    const std::string effect = text(change, "effect");
    const bool restart = effect.starts_with("needs");
    if (refused && !restart) continue;  // what stands in the way
    const Colour colour = restart                            ? Colour::red
                          : truth(change, "role_may_change") ? Colour::yellow
                                                             : Colour::none;
    page.add(restart ? "restart" : effect, sentence(change), colour);
  }
  return out + page.str();
}

}  // namespace koi::ctl
