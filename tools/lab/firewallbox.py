"""A firewall: a koi box whose kernel filters, translates and forwards what is not koi's.

The files of config/examples/firewall are used as they are, with this lab's paths put in.
"""

import json
import os

from . import netns
from .koibox import Group, KoiBox, prefixed
from .until import until

SHARED = {"lan": ("192.0.2.1", "2001:db8::1"), "wan": ("203.0.113.1", "2001:db8:1::1")}
OWN = {"a": {"lan": ("192.0.2.2", "2001:db8::2"), "wan": ("203.0.113.2", "2001:db8:1::2")},
       "b": {"lan": ("192.0.2.3", "2001:db8::3"), "wan": ("203.0.113.3", "2001:db8:1::3")}}
SYNC, SYNC_ADDRESSES = "sync", {"a": "198.51.100.1", "b": "198.51.100.2"}

_TOOLS = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))


def example(name):
    path = os.path.join(_TOOLS, "..", "config", "examples", "firewall", name)
    with open(path, encoding="utf-8") as f:
        return f.read()


class FirewallBox(KoiBox):
    """Made by Firewalls. Both sides are one: the groups lan and wan are tied."""

    def __init__(self, lab, name, number, _address, *, outside, node_id, timers):
        self.hook = os.path.join(lab.folder, name, "hook")
        super().__init__(
            lab, name, number, None, own=OWN[name]["lan"][0], own6=OWN[name]["lan"][1],
            node_id=node_id, host="tap", ports={"wan": (outside, *OWN[name]["wan"])},
            groups=[self._group("lan", 1, "wan", timers, hooks=[{"program": self.hook}]),
                    self._group("wan", 2, "lan", timers)])
        self.run("sysctl", "-q", "-p", "-", stdin=example("sysctl.conf"))
        # The TAPs are to be: IPv6 at once, not held up by a search for duplicates.
        for setting in ("disable_ipv6=0", "accept_dad=0", "accept_ra=0"):
            self.run("sysctl", "-q", f"net.ipv6.conf.default.{setting}")
        self.run("nft", "-f", "-", stdin=example("nftables.conf"))

    @staticmethod
    def _group(side, vhid, other, timers, **extra):
        return Group(name=side, port=side, vhid=vhid, preempt=True, addresses=SHARED[side],
                     extra={"tie": [other], "preempt-delay": "500ms"} | extra, **timers)

    def run(self, *command, stdin=None):
        """A command in the box's namespace."""
        return netns.run("ip", "netns", "exec", self.namespace, *command, stdin=stdin)

    def start(self, within=10):
        """The kernel's addresses follow by hand."""
        seconds = super().start(within)
        for side, own in OWN[self.name].items():
            for address in prefixed(*own):
                netns.add_address(self.namespace, f"koi-{side}", address)
        return seconds

    # The connections' way to the other box.

    def start_sync(self, within=5):
        """conntrackd, and koi-agent with the hook; the cable to the other box must be there. They
        outlive koid."""
        config, control = self.path("conntrackd.conf"), self.path("conntrackd.sock")
        text = example("conntrackd.conf")
        for old, new in ((SYNC_ADDRESSES["a"] + " ", SYNC_ADDRESSES[self.name] + " "),
                         ("/run/conntrackd.sock", control),
                         ("/run/conntrackd.lock", self.path("conntrackd.lock")),
                         ("LogFile off", f"LogFile {self.path('conntrackd.log')}"),
                         ("Syslog on", "Syslog off")):
            assert text.count(old) == 1, f"conntrackd.conf has {old} once"
            text = text.replace(old, new)
        with open(config, "w", encoding="utf-8") as f:
            f.write(text)
        self.spawn(["conntrackd", "-C", config], log="conntrackd.out")
        until(f"conntrackd of {self.name}", lambda: os.path.exists(control), within)
        self._write_hook()
        self.spawn([os.path.join(self.lab.build, "koi-agent"), "--socket", self.socket],
                   log="agent.log")

    def _write_hook(self):
        """koi-sync, told where this box's things are."""
        with open(os.open(self.hook, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexport PATH='{self.lab.build}':$PATH\n"
                    f"export CONNTRACKD_CONFIG='{self.path('conntrackd.conf')}'\n"
                    f"exec '{_TOOLS}/koi-sync'\n")

    def host_received(self, side):
        """How many frames koid has given to the kernel's interface of that side."""
        text = netns.run("ip", "-n", self.namespace, "-s", "-json", "link", "show", f"koi-{side}")
        return json.loads(text)[0]["stats64"]["rx"]["packets"]
