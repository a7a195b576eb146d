"""Stations: a namespace with one cable to the switch. The client is one, and each box."""

import contextlib
import json
import os
import subprocess

from . import netns
from .wire import Tap

BRIDGE = "bridge0"
IFACE = "lan"

_DEAF = """ {
  chain deliver { type filter hook forward priority 0; oifname "%s" drop; }
}
"""


class Station:
    """A namespace with one interface, `lan`, on the switch port that has the station's name."""

    def __init__(self, lab, name, number, address=None, address6=None, bridge=BRIDGE):
        self.lab, self.name = lab, name
        self.namespace = f"{lab.tag}-{name}"
        self.mac = f"02:6b:6f:69:00:{number:02x}"
        self.folder = os.path.join(lab.folder, name)
        os.mkdir(self.folder)
        lab.keeper.note("netns", self.namespace)
        netns.add_namespace(self.namespace)
        netns.add_cable(lab.switch, bridge, name, self.namespace, IFACE, self.mac)
        if address:
            netns.add_address(self.namespace, IFACE, f"{address}/24")
        if address6:
            netns.allow_ipv6(self.namespace, IFACE)
            netns.add_address(self.namespace, IFACE, f"{address6}/64")

    def path(self, name):
        return os.path.join(self.folder, name)

    def switch_port(self, port=IFACE):
        """The name of the cable's other end: the station's, and of a further port that one's too.
        """
        return self.name if port == IFACE else f"{self.name}-{port}"

    def plug(self, connected, port=IFACE):
        """Pulls or plugs the cable, at the switch's end."""
        netns.set_link(self.lab.switch, self.switch_port(port), connected)

    def cut(self, deaf):
        """With deaf, nothing arrives at the station any more; what it sends still goes out, and its
        link stays up."""
        table = f"table bridge deaf_{self.switch_port()}"
        text = table + _DEAF % self.switch_port() if deaf else f"delete {table}"
        netns.run("ip", "netns", "exec", self.lab.switch, "nft", "-f", "-", stdin=text)

    def tap(self, port=IFACE):
        """The wire at the switch's end: sends to this station only, receives what it sends."""
        return self.lab.keep_open(Tap(self.lab.switch, self.switch_port(port)))

    def spawn(self, command, log="log", **options):
        """Starts a program in the namespace, output appended to `log`; `ip` execs, the pid is its.

        A session of its own keeps a terminal's signals from it. The lab ends it with SIGKILL at the
        latest when it closes.
        """
        with open(self.path(log), "ab") as out:
            options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out,
                       "start_new_session": True} | options
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command], **options)
        self.lab.keeper.note("pid", process.pid)
        return process

    def log_text(self, log="log"):
        try:
            with open(self.path(log), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""


class Client(Station):
    """The kernel's own stack, as the boxes' users have it."""

    def neighbor(self, address):
        """The MAC in the kernel's neighbor cache (ARP or IPv6), or None."""
        text = netns.run("ip", "-n", self.namespace, "-json", "neigh", "show", "to", address)
        entries = json.loads(text or "[]")
        return entries[0].get("lladdr") if entries else None

    def forget(self, address):
        """Removes the address from the neighbor cache."""
        with contextlib.suppress(netns.CommandFailed):
            netns.run("ip", "-n", self.namespace, "neigh", "del", address, "dev", IFACE)

    def wire(self):
        """A raw socket on the client's own interface, beside its kernel."""
        return self.lab.keep_open(Tap(self.namespace, IFACE))

    def ping(self, address, count=1, within=1.0):
        """True when the client's kernel gets an echo reply to each of `count` requests."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, "ping", "-n", "-q", "-i", "0.05",
             "-c", str(count), "-w", str(max(1, round(within))), address],
            capture_output=True, check=False)
        return done.returncode == 0
