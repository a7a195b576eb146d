#include "tools/ctl/koictl.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/load.h"
#include "tools/ctl/capture.h"
#include "tools/ctl/completion.h"
#include "tools/ctl/counters_text.h"
#include "tools/ctl/events.h"
#include "tools/ctl/explain_text.h"
#include "tools/ctl/keygen.h"
#include "tools/ctl/page.h"
#include "tools/ctl/reload_text.h"
#include "tools/ctl/reply.h"
#include "tools/ctl/status_text.h"
#include "tools/ctl/watch.h"

namespace koi::ctl {
namespace {

struct Options {
  std::string socket = kDefaultSocket;
  bool json = false;
  std::string file;             // of check, and where keygen puts the key
  std::string kind = "carp";    // of keygen
  std::string cause;            // of demote and undemote; empty: none given
  std::string span;             // --for
  std::string on_off;           // of maintenance
  std::string interval = "1s";  // of watch
  std::string shell;            // of completion
  std::string group;            // of handover
  std::string address;
  std::string client;  // empty: none given
  std::string from;    // empty: none given
  bool dry_run = false;
  EventsWanted events;
  CaptureAsked capture;
};

constexpr Duration kReloadDeadline = 10s;    // koid reads all key files
constexpr Duration kHandoverDeadline = 20s;  // it waits for who takes it, if anybody does

std::string pretty(const Json& json) { return json.dump(2) + '\n'; }

/// As a shell takes it.
std::string quoted(const std::string& text) {
  return text.find(' ') == std::string::npos ? text : '"' + text + '"';
}

std::string complaint(const std::string& text) { return fmt::format("koictl: {}\n", text); }

Printed no_reply(const Reply& reply) {
  if (reply.outcome == Outcome::refused) {
    return {ExitCode::refused, {}, complaint("koid refused: " + reply.error)};
  }
  return {ExitCode::no_daemon, {}, complaint(reply.error)};
}

/// Asks koid and lets `print` make the output of a reply that is not a refusal.
template <class Print>
Printed with_reply(const Options& options, const Surroundings& surroundings, const Json& request,
                   Print print) {
  const Reply reply = ask_for(options.socket, request, surroundings.deadline);
  if (reply.outcome != Outcome::done) return no_reply(reply);
  return {ExitCode::done, print(reply.body), {}};
}

Printed events(Options options, const Surroundings& surroundings) {
  options.events.json = options.json;
  Printed result;
  const std::function<bool(std::string_view)> collect = [&result](std::string_view text) {
    result.out += text;
    return true;
  };
  const Reply reply = show_events(options.socket, options.events, surroundings.deadline,
                                  options.events.follow ? surroundings.print : collect);
  return reply.outcome == Outcome::done ? result : no_reply(reply);
}

/// The same as `koid --check`.
Printed check(const std::string& file) {
  const config::Loaded loaded = config::load(file);
  Printed result;
  for (const auto* problems : {&loaded.errors, &loaded.warnings}) {
    for (const config::Problem& problem : *problems) result.err += problem.to_string() + '\n';
  }
  if (loaded.ok()) {
    result.out = file + ": valid\n";
  } else {
    result.exit_code = ExitCode::usage;
  }
  return result;
}

Json command(const char* name) { return {{"command", name}}; }

Json ports_counters() { return {{"command", "counters"}, {"of", "ports"}}; }

/// The request of `demote`, `undemote` and `maintenance`.
Json demotion_request(const std::string& name, const Options& options) {
  Json request = command(name.c_str());
  if (name == "maintenance") {
    request["on"] = options.on_off == "on";
    return request;
  }
  if (!options.cause.empty()) request["cause"] = options.cause;
  if (!options.span.empty()) request["seconds"] = parse_span(options.span).value_or(0);
  return request;
}

/// What they print.
std::string demotion_line(const Json& reply, const std::string& command, const Options& options) {
  const Json& demotion = field(reply, "demotion");
  const std::string line = "demotion " + demotion_text(demotion);
  if (command != "demote") return line + '\n';
  const std::string name = options.cause.empty() ? "command" : options.cause;
  if (number(field(demotion, "causes"), name.c_str()).value_or(0) == 0) return line + '\n';
  const auto span = parse_span(options.span);
  const std::string undemote =
      "koictl undemote" + (options.cause.empty() ? std::string() : " " + quoted(options.cause));
  return fmt::format("{}, {}{}\n", line, span ? fmt::format("for {} or ", age(*span)) : "",
                     "until " + undemote);
}

/// koid answers once all of it goes by the new configuration.
Printed reload(const Options& options, const Surroundings& surroundings) {
  const Json request{{"command", "reload"}, {"dry_run", options.dry_run}};
  const Reply reply =
      ask_for(options.socket, request, std::max(surroundings.deadline, kReloadDeadline));
  const bool explained = field(reply.body, "changes").is_array();
  if (reply.outcome == Outcome::no_daemon || !explained) return no_reply(reply);
  const std::string out =
      options.json ? pretty(reply.body) : reload_text(reply.body, surroundings.colours);
  if (reply.outcome == Outcome::done) return {ExitCode::done, out, {}};
  const bool wrong_file = field(reply.body, "errors").is_array();
  const ExitCode code = wrong_file ? ExitCode::usage : ExitCode::refused;
  return options.json ? Printed{code, out, {}} : Printed{code, {}, out};
}

std::string handover_line(const Json& reply, const Options& options) {
  std::vector<std::string> heirs;
  for (const Json& master : list(reply, "masters")) {
    const std::string address = text(master, "address");
    if (std::find(heirs.begin(), heirs.end(), address) == heirs.end()) heirs.push_back(address);
  }
  std::string line =
      fmt::format("{}: MASTER is {}, after {}", text(reply, "group"), fmt::join(heirs, ", "),
                  short_time(number(reply, "seconds").value_or(0)));
  if (!truth(reply, "held_back")) return line + '\n';
  const auto span = parse_span(options.span);
  return fmt::format("{}; this box holds back {}until koictl undemote handover\n", line,
                     span ? fmt::format("for {} or ", age(*span)) : "");
}

Printed handover(const Options& options, const Surroundings& surroundings) {
  Json request{{"command", "handover"}, {"group", options.group}};
  if (!options.span.empty()) request["seconds"] = parse_span(options.span).value_or(0);
  const Reply reply =
      ask_for(options.socket, request, std::max(surroundings.deadline, kHandoverDeadline));
  if (reply.outcome != Outcome::done) return no_reply(reply);
  return {ExitCode::done, handover_line(reply.body, options), {}};
}

/// what: groups or ports.
Printed names_of(const std::string& what, const Options& options,
                 const Surroundings& surroundings) {
  return with_reply(options, surroundings, what == "groups" ? command("status") : ports_counters(),
                    [&](const Json& reply) {
                      std::string names;
                      for (const Json& one : list(reply, what.c_str())) {
                        names += text(one, "name") + '\n';
                      }
                      return names;
                    });
}

Printed watch(const Options& options, const Surroundings& surroundings) {
  Watch wanted;
  wanted.socket = options.socket;
  wanted.deadline = surroundings.deadline;
  wanted.interval = std::chrono::milliseconds(
      std::max<std::int64_t>(100, std::llround(parse_span(options.interval).value_or(1) * 1000)));
  wanted.terminal = surroundings.colours;
  const Reply reply = watch(wanted, surroundings.print);
  return reply.outcome == Outcome::done ? Printed{} : no_reply(reply);
}

Printed run_command(const std::string& name, const Options& options,
                    const Surroundings& surroundings) {
  if (name == "check") return check(options.file);
  if (name == "keygen") return keygen(options.kind, options.file);
  if (name == "status") {
    return with_reply(options, surroundings, command("status"), [&](const Json& reply) {
      return options.json ? pretty(reply)
                          : status_text(reply, surroundings.now, surroundings.colours);
    });
  }
  if (name == "counters") {
    return with_reply(options, surroundings, command("counters"), [&](const Json& reply) {
      return options.json ? pretty(reply) : counters_text(reply, surroundings.colours);
    });
  }
  if (name == "drops") {
    return with_reply(options, surroundings, ports_counters(), [&](const Json& reply) {
      const Json drops = drops_only(reply);
      return options.json ? pretty(drops) : drops_text(drops);
    });
  }
  if (name == "events") return events(options, surroundings);
  if (name == "reload") return reload(options, surroundings);
  if (name == "watch") return watch(options, surroundings);
  if (name == "handover") return handover(options, surroundings);
  if (name == "capture") return capture(options.socket, options.capture, surroundings);
  if (name == "explain") {
    Json request{{"command", "explain"}, {"address", options.address}};
    if (!options.client.empty()) request["client"] = options.client;
    if (!options.from.empty()) request["from"] = options.from;
    return with_reply(options, surroundings, request, [&](const Json& reply) {
      return options.json ? pretty(reply)
                          : explain_text(reply, surroundings.now, surroundings.colours);
    });
  }
  return with_reply(options, surroundings, demotion_request(name, options),
                    [&](const Json& reply) { return demotion_line(reply, name, options); });
}

/// Returns what is wrong with it, "" if nothing.
std::string is_span(const std::string& text) {
  if (parse_span(text)) return {};
  return "not a time above 0 and up to ten years, as 90s, 10m, 2h or 1d";
}

void define_demotion(CLI::App& app, Options& options) {
  CLI::App* demote =
      app.add_subcommand("demote", "give every group to a healthy peer, until undemote");
  demote->add_option("CAUSE", options.cause, "a name for it; default: command")->type_name("");
  const auto ends_by_itself = [&options](CLI::App* command) {
    command->add_option("--for", options.span, "end it by itself after so long: 90s, 10m, 2h, 1d")
        ->type_name("TIME")
        ->check(is_span);
  };
  ends_by_itself(demote);
  CLI::App* undemote = app.add_subcommand("undemote", "end what demote began");
  undemote->add_option("CAUSE", options.cause, "only this; default: every cause set by demote")
      ->type_name("");
  CLI::App* handover = app.add_subcommand(
      "handover", "give one group, and those tied to it, to a healthy peer, and say who took it");
  handover->add_option("GROUP", options.group, "its name")->required()->type_name("");
  ends_by_itself(handover);
  CLI::App* maintenance = app.add_subcommand(
      "maintenance", "demote every group, also across restarts; a lone box still answers");
  maintenance->add_option("STATE", options.on_off, "on or off")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"on", "off"}));
}

void define_capture(CLI::App& app, CaptureAsked& asked) {
  CLI::App* capture = app.add_subcommand(
      "capture", "what a port or a group receives and sends, as a pcapng file for tshark");
  capture->add_option("--port", asked.port, "all of this port")->type_name("NAME");
  capture
      ->add_option("--group", asked.group,
                   "of its port and VLAN: its virtual MACs, its addresses, its CARP")
      ->type_name("NAME");
  capture->add_option("--write", asked.file, "a file, or -: standard output")
      ->type_name("FILE")
      ->capture_default_str();
  capture->add_option("--count", asked.count, "at most so many frames; default: 10000")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  capture->add_option("--seconds", asked.span, "for so long, an hour at most; default: 60")
      ->type_name("TIME")
      ->check(is_span);
  capture->add_option("--snaplen", asked.snaplen, "bytes of each frame, 16 to 9216; default: 256")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  capture->add_option("--bytes", asked.bytes, "of the file, at most; default: 100000000")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

void define(CLI::App& app, Options& options) {
  app.set_version_flag("--version", "koictl " KOI_VERSION);
  app.add_option("--socket", options.socket, "koid's control socket")
      ->type_name("PATH")
      ->capture_default_str()
      ->check(socket_path_problem);
  app.require_subcommand(1);
  app.fallthrough();  // --socket also after the command

  const auto with_json = [&options](CLI::App* command) {
    command->add_flag("--json", options.json, "print koid's reply as JSON");
  };
  with_json(app.add_subcommand("status", "who owns what, why and since when"));
  CLI::App* watch = app.add_subcommand(
      "watch", "status and the last events, again with each event; until Ctrl-C");
  watch->add_option("--interval", options.interval, "and after so long, from 100ms on")
      ->type_name("TIME")
      ->capture_default_str()
      ->check(is_span);
  define_demotion(app, options);
  define_capture(app, options.capture);
  with_json(app.add_subcommand("counters", "packets, answers, drops, advertisements, transitions"));
  with_json(app.add_subcommand("drops", "why frames were dropped, by port"));
  CLI::App* events = app.add_subcommand("events", "what has happened since koid started");
  events->add_flag("--follow", options.events.follow, "the last ten, and then each as it happens");
  events->add_option("--after", options.events.after, "only those after this number")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  events->add_option("--group", options.events.group, "only those of this group")
      ->type_name("GROUP");
  events->add_flag("--json", options.json, "one JSON object per line");
  CLI::App* reload = app.add_subcommand(
      "reload", "read the configuration again; what it leaves as it is goes on undisturbed");
  reload->add_flag("--dry-run", options.dry_run, "only say what would change");
  with_json(reload);
  CLI::App* explain = app.add_subcommand("explain", "who answers for an address, and why");
  explain->add_option("ADDRESS", options.address, "IPv4 or IPv6")->required()->type_name("");
  explain->add_option("--client", options.client, "for whom: its MAC or IP address")
      ->type_name("MAC-or-IP");
  explain
      ->add_option("--from", options.from,
                   "whom the client reaches through the address; default: the address itself. For "
                   "balance ip, ip-stealth and ip-unicast")
      ->type_name("IP");
  with_json(explain);
  CLI::App* check = app.add_subcommand("check", "validate a configuration file, as koid --check");
  check->add_option("FILE", options.file, "the configuration")->required()->type_name("");
  CLI::App* keygen = app.add_subcommand("keygen", "make a key, as key files hold it");
  keygen
      ->add_option("KIND", options.kind,
                   "carp: 19 characters, for key-file; trailer: 32 bytes, for trailer.key-file")
      ->type_name("")
      ->capture_default_str()
      ->check(CLI::IsMember({"carp", "trailer"}));
  CLI::App* completion =
      app.add_subcommand("completion", "what a shell reads so that Tab completes koictl");
  completion->add_option("SHELL", options.shell, "bash or zsh")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"bash", "zsh", "groups", "ports"}));  // these two are for the shells
  keygen->add_option("--out", options.file, "a new file, mode 0600; default: standard output")
      ->type_name("FILE");
}

}  // namespace

Printed run(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  CLI::App app("Asks and commands koid, the CARP failover daemon.", "koictl");
  app.footer("Exit code: 0 done, 1 koid refused, 2 usage or configuration error, 3 no daemon.");
  Options options;
  define(app, options);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& e) {
    std::ostringstream out;
    std::ostringstream err;
    const bool failed = app.exit(e, out, err) != 0;
    return {failed ? ExitCode::usage : ExitCode::done, out.str(), err.str()};
  }
  if (options.shell == "groups" || options.shell == "ports") {
    return names_of(options.shell, options, surroundings);
  }
  if (!options.shell.empty()) return {ExitCode::done, completion(app, options.shell), {}};
  return run_command(app.get_subcommands().front()->get_name(), options, surroundings);
}

}  // namespace koi::ctl
