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


def _example(name):
    path = os.path.join(_TOOLS, "..", "config", "examples", "firewall", name)
    with open(path, encoding="utf-8") as f:
        return f.read()


class FirewallBox(KoiBox):
    """Made by Firewalls. Both sides are one: the groups lan and wan are tied."""

    def __init__(self, lab, name, number, _address, *, outside, node_id, timers, sync):
        """sync: the connections go along with the addresses."""
        self.sync, self.hook = sync, os.path.join(lab.folder, name, "hook")
        along = {"sync-wait": "10s", "hooks": [{"program": self.hook}]} if sync else {}
        super().__init__(
            lab, name, number, None, own=OWN[name]["lan"][0], own6=OWN[name]["lan"][1],
            node_id=node_id, host="tap", ports={"wan": (outside, *OWN[name]["wan"])},
            groups=[Group(name=side, port=side, vhid=vhid, preempt=True, addresses=SHARED[side],
                          extra={"tie": [other]} | extra, **timers)
                    for vhid, side, other, extra in ((1, "lan", "wan", along),
                                                     (2, "wan", "lan", {}))])
        self.run("sysctl", "-q", "-p", "-", stdin=_example("sysctl.conf"))
        # The TAPs are to be: IPv6 at once, not held up by a search for duplicates.
        for setting in ("disable_ipv6=0", "accept_dad=0", "accept_ra=0"):
            self.run("sysctl", "-q", f"net.ipv6.conf.default.{setting}")
        self.run("nft", "-f", "-", stdin=_example("nftables.conf"))

    def settings(self):
        settings = super().settings()
        for port in settings["ports"].values():
            port["configure"] = True
        return settings

    def run(self, *command, stdin=None):
        """A command in the box's namespace."""
        return netns.run("ip", "netns", "exec", self.namespace, *command, stdin=stdin)

    def start_programs(self):
        """What runs beside koid, and outlives it; the cable to the other box must be there."""
        if self.sync:
            self._start_conntrackd()
            self._write_hook()
        self.spawn([os.path.join(self.lab.build, "koi-agent"), "--socket", self.socket],
                   log="agent.log")

    def start(self, within=10):
        """koid; returns once the kernel has its addresses too."""
        seconds = super().start(within)
        until(f"koi-agent to give {self.name} its addresses", self._has_addresses, within)
        return seconds

    def _has_addresses(self):
        there = netns.run("ip", "-n", self.namespace, "-oneline", "addr")
        return all(f"koi-{side} " in there and all(f" {a} " in there for a in prefixed(*own))
                   for side, own in OWN[self.name].items())

    def _start_conntrackd(self, within=5):
        config, control = self.path("conntrackd.conf"), self.path("conntrackd.sock")
        text = _example("conntrackd.conf")
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

    def _write_hook(self):
        """koi-sync, told where this box's things are."""
        with open(os.open(self.hook, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nexport PATH='{self.lab.build}':$PATH\n"
                    f"export CONNTRACKD_CONFIG='{self.path('conntrackd.conf')}'\n"
                    f"exec '{_TOOLS}/koi-sync'\n")

    def told(self):
        """The connections that the other box has told it of, a line each."""
        return self.run("conntrackd", "-C", self.path("conntrackd.conf"), "-e", "ct")

    def knows(self, count):
        """Whether those are so many established TCP connections at least."""
        return self.told().count(" ESTABLISHED ") >= count

    def host_received(self, side):
        """How many frames koid has given to the kernel's interface of that side."""
        text = netns.run("ip", "-n", self.namespace, "-s", "-json", "link", "show", f"koi-{side}")
        return json.loads(text)[0]["stats64"]["rx"]["packets"]
