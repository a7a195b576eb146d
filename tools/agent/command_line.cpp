#include "tools/agent/command_line.h"

#include <sstream>

#include <CLI/CLI.hpp>

#include "tools/ctl/socket_client.h"

namespace koi::agent {
namespace {

constexpr const char* kManual =
    R"(koi-agent does for koid what needs other programs or the kernel: koid itself
never forks and changes nothing of the kernel's. A box whose configuration has a
host port, hooks or health checks needs one that runs; koid says when it is gone
(status, events, koi_agent_up).

INTERFACES (host: tap or virtio-user of a port): koi-PORT is kept up, with the
NIC's MAC, koid's MTU, arp_ignore 1, arp_announce 2, and the NIC's link as its
carrier. With configure: true it has the port's own addresses, with assign:
always or master the groups' shared ones as /32 and /128, with master only while
this box is MASTER. What somebody else changes of these is put right at once;
other addresses are left alone, and all stay when koi-agent ends. The addresses
of a VLAN go to koi-PORT.VLAN, where somebody has made it (ip link add link
koi-lan name koi-lan.20 type vlan id 20). Needs CAP_NET_ADMIN.

HOOKS (hooks: of a group) are programs that run once at each change of role of
the group's virtual hosts: in order, one at a time, none left out; those of
different groups beside each other. Without a shell and without arguments; the
environment has PATH, LANG=C and

  KOI_NODE KOI_GROUP KOI_PORT KOI_VHID  which box, group, port, virtual host
  KOI_OLD_ROLE KOI_NEW_ROLE KOI_CAUSE   INIT, BACKUP or MASTER, and why
  KOI_SEQUENCE                          the number of koid's event
  KOI_ADDRESSES                         the shared addresses, blanks between
  KOI_SOCKET                            koid's control socket

Standard input is /dev/null, output goes to standard error of koi-agent. At the
timeout all of its process group gets SIGTERM, and SIGKILL a second later; what
a hook that exits in time leaves in the background goes on. The outcome is an
event of koid (koictl events). At most 100 changes wait for a group's hooks; of
more the oldest is dropped, and said.

A koi-agent that starts calls each hook with the present role, KOI_OLD_ROLE=INIT
and KOI_CAUSE=agent-started; if it missed events for good, with events-lost.
When it ends, hooks that run are killed.

HEALTH CHECKS (track:) run at their interval, and koid demotes the groups that
track one that fails. One that goes unreported counts as failed.

  ping    one ICMP echo. Needs net.ipv4.ping_group_range, which Debian sets.
  tcp     a TCP connection, closed as soon as it is accepted.
  script  a program, by its absolute path, without a shell and without arguments;
          exit code 0 is healthy. Its environment is PATH, LANG=C and KOI_CHECK,
          the check's name; its standard streams are /dev/null. At the timeout,
          and when it exits, all of its process group is killed.

`fall` failures in a row make a check fail, `rise` successes mend it; no answer
within `timeout` is a failure.

Pings and connections take the kernel's routes: those of the management network,
and of ports with a host port. The kernel does not see a port that koid has to
itself. To watch the link of such a port use track: [{port: NAME}].

One line on standard error for each change of an interface, hook that ended and
check that fails or mends, and when koid goes away or returns.

Exit code: 0 ended by SIGTERM or SIGINT, 2 wrong usage.)";

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  line.socket = ctl::kDefaultSocket;
  CLI::App app("The hands of koid: interfaces, hooks and health checks.", "koi-agent");
  app.footer(kManual);
  app.set_version_flag("--version", "koi-agent " KOI_VERSION);
  app.add_option("--socket", line.socket, "koid's control socket")
      ->type_name("PATH")
      ->capture_default_str()
      ->check(ctl::socket_path_problem);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& e) {
    std::ostringstream out;
    std::ostringstream err;
    const bool failed = app.exit(e, out, err) != 0;
    line.instead = {failed ? 2 : 0, out.str(), err.str()};
  }
  return line;
}

}  // namespace koi::agent
