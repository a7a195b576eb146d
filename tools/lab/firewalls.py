"""Two firewalls between two segments, and a user's traffic through them.

    client ── LAN ──┬── a ──┬── WAN ── server    the client's router is shared, 192.0.2.1;
                    └── b ──┘                    its address outside is shared too, 203.0.113.1
                      sync

IPv4 is translated, IPv6 is not. The server knows the way back to the LAN's IPv6 only.
"""

import dataclasses
import time

from . import netns
from .firewallbox import SHARED, SYNC, SYNC_ADDRESSES, FirewallBox
from .flows import Flows
from .observer import Answer, overlap_ms
from .station import IFACE, Client
from .until import until

SERVER, SERVER6 = "203.0.113.100", "2001:db8:1::100"
# The lease is 153 ms: small machines pause a thread for 100 ms. The timer, 176 ms, is short enough
# for TCP: it waits twice as long with each repetition, so its stall is up to twice the path's.
QUICK = ({"advbase": 0, "advskew": 14, "lowest_advskew": 14},
         {"advbase": 0, "advskew": 15, "lowest_advskew": 14})

_SNAP = 96  # bytes: every header, and an advertisement over IPv6
_UDP = 17
_RESETS = """
table inet watch {
  counter resets { }
  chain input {
    type filter hook input priority -400;
    tcp flags rst counter name resets
    icmp type { destination-unreachable, redirect } counter name resets
    icmpv6 type { destination-unreachable, nd-redirect } counter name resets
  }
}
"""

BURST, BURST_MS = 64, 1  # frames, and how long the kernel takes for them
ESTABLISHED = 4          # TCP connections of Flows: to each address the transfer and the idle one


@dataclasses.dataclass
class Change:
    """What a change of box cost. Milliseconds."""

    kind: str
    udp: float         # the longest without an echo, of all addresses
    tcp: float
    silent: float      # on the WAN, from the old box's last frame that used a shared address or a
                       # virtual MAC to the new box's first one
    forwarding: float  # from then to the first datagram it forwarded to the server
    overlap: float     # on either side, for how long both used one
    but_for_a_burst: float  # the same without the old box's last burst, which may have been past its
                            # check when the worker was taken off its core (design.md, outside L1)
    stale: int         # frames of the new box that used one before it had advertised
    late: float        # the client's own delay in sending: noise
    held: bool = False  # the machine held an owner for longer than its lease meanwhile, so that it
                        # gave way once more: not the change that was asked for

    def __str__(self):
        return (f"{self.kind:9} udp {self.udp:6.1f}  tcp {self.tcp:6.1f}  silent {self.silent:6.1f}"
                f"  then forwarding {self.forwarding:5.1f}  both {self.overlap:.2f}"
                f"  stale {self.stale}  (client late {self.late:.1f})"
                + ("  an owner was held beyond its lease" if self.held else ""))


class Firewalls:
    """`a` is preferred and owns both sides once up() returns."""

    def __init__(self, lab, timers=QUICK, rto_min_ms=None, sync=True):
        """rto_min_ms: the shortest TCP waits before it repeats, on either host; default: Linux's,
        200. sync: the boxes tell each other their connections."""
        self.lab = lab
        outside = lab.segment("wan")
        self.server = lab.station("server", SERVER, Client, address6=SERVER6, bridge=outside)
        self.boxes = [lab.station(name, kind=FirewallBox, outside=outside, node_id=i, timers=t,
                                  sync=sync)
                      for i, (name, t) in enumerate(zip("ab", timers), 1)]
        self.a, self.b = self.boxes
        self.observers = {s: lab.observer(*self.boxes, port=s, snap=_SNAP) for s in SHARED}
        netns.run("ip", "-n", self.a.namespace, "link", "add", SYNC, "type", "veth", "peer", "name",
                  SYNC, "netns", self.b.namespace)
        for box in self.boxes:
            netns.add_address(box.namespace, SYNC, SYNC_ADDRESSES[box.name] + "/30")
            netns.set_link(box.namespace, SYNC, True)
        patience = ["rto_min", f"{rto_min_ms}ms"] if rto_min_ms else []
        for station, *route in (
                (lab.client, "203.0.113.0/24", "via", SHARED["lan"][0]),
                (lab.client, "2001:db8:1::/64", "via", SHARED["lan"][1]),
                (self.server, "203.0.113.0/24", "dev", IFACE, "src", SERVER),
                (self.server, "2001:db8::/64", "via", SHARED["wan"][1])):
            netns.run("ip", "-n", station.namespace, "route", "replace", *route, *patience)
        for station in (lab.client, self.server):
            netns.run("ip", "netns", "exec", station.namespace, "nft", "-f", "-", stdin=_RESETS)

    def up(self):
        for box in self.boxes:
            box.start_programs()
        for box in self.boxes:
            box.start()
        self._settled()
        return self

    def restore(self):
        """As after up(), from wherever a test broke off."""
        if self.a.process.poll() is not None:
            self.a.start()
        for side in SHARED:
            self.a.plug(True, side)
        self.a.ctl("undemote")  # refused iff it is not demoted
        self._settled()
        return self

    def _settled(self, within=15):
        """Waits until `a` owns both sides and knows the connections, and so does `b`: while one does
        not it is demoted for it, and a box that an administrator demotes is better than it."""
        self.owned_by(self.a)
        until("both boxes to know the connections", lambda: not any(
            group["slots"][0]["demotion"] for box in self.boxes for group in box.status()["groups"]),
            within, every=0.02)

    def other(self, box):
        return self.b if box is self.a else self.a

    def owned_by(self, box, within=10):
        """Waits until the box owns both sides, and the other one neither."""
        def there():
            status = {b.name: b.status() for b in self.boxes}
            roles = {name: {g["slots"][0]["role"] for g in s["groups"]} if s else set()
                     for name, s in status.items()}
            return (roles[box.name] == {"MASTER"}
                    and "MASTER" not in roles[self.other(box).name])
        until(lambda: f"{box.name} to own both sides; its log:\n{box.log_text()[-2000:]}", there,
              within, every=0.02)

    def flows(self):
        return self.lab.keep_open(Flows(self.lab.client, self.server, (SERVER, SERVER6)))

    def resets(self):
        """How often somebody told the client or the server that a connection is over, or another
        way."""
        said = [netns.run("ip", "netns", "exec", s.namespace, "nft", "list", "counter", "inet",
                          "watch", "resets") for s in (self.lab.client, self.server)]
        return sum(int(text.split("packets ")[1].split()[0]) for text in said)

    def tables(self):
        """What either box's kernel knows of connections, and what the other box has told it."""
        return "\n".join(f"{box.name}, {whose}:\n{text}" for box in self.boxes for whose, text in (
            ("its kernel", box.run("conntrack", "-L")), ("told", box.told())))

    def change(self, kind, act, heir, flows, patience=10):
        """act() makes the heir the owner, once it knows the connections: conntrackd tells them anew
        after each change, and says not when it is done. Waits until all flows go on, at most that
        many seconds. Returns the Change."""
        until(f"{heir.name} to know the connections", lambda: heir.knows(ESTABLISHED), within=5,
              every=0.02)
        for observer in self.observers.values():
            observer.clear()
        time.sleep(0.02)  # some frames of the old box, for the figure's near end
        began, expired = time.time_ns(), self._expired()
        act()
        self.owned_by(heir)

        def recovered():
            return all(flow["quiet"] < 20 for address, kinds in flows.stalls(began).items()
                       if address != "late" for flow in kinds.values())
        until("all flows to go on", recovered, patience, every=0.05)
        stalls = flows.stalls(began)
        late = stalls.pop("late")
        worst = {kind: max(kinds[kind]["stall"] for kinds in stalls.values())
                 for kind in ("udp", "tcp")}
        return Change(kind, **worst, **self._seen(heir), late=late,
                      held=self._expired() != expired)

    def _expired(self):
        return sum(box.log_text().count("MASTER -> BACKUP: lease expired") for box in self.boxes)

    def _seen(self, heir):
        """What a passive observer says."""
        out = {"overlap": 0.0, "but_for_a_burst": 0.0, "stale": 0}
        old = self.other(heir)
        for observer in self.observers.values():
            first = observer.adverts(heir.name)[0][0]
            mine = [f.time_ns for f in observer.frames(heir.name, wanted=_uses_shared)]
            others = [f.time_ns for f in observer.frames(old.name, wanted=_uses_shared)]
            out["stale"] += sum(t < first for t in mine)
            used = sorted([Answer(t, heir.name, "frame") for t in mine if t >= first]
                          + [Answer(t, old.name, "frame") for t in others],
                          key=lambda a: a.time_ns)
            out["overlap"] = max(out["overlap"], overlap_ms(used))
            out["but_for_a_burst"] = max(out["but_for_a_burst"],
                                         overlap_ms(without_last_burst(used, old.name)))
        # Of the WAN, the last side.
        last = max((t for t in others if t < first), default=first)
        forwarded = observer.frames(heir.name, first, lambda f: f.ip_protocol() == _UDP)
        return out | {"silent": (first - last) / 1e6,
                      "forwarding": (forwarded[0].time_ns - first) / 1e6}


def without_last_burst(used, box):
    """Without what the box sent last, if that is no more than a worker takes at once."""
    sent = [a.time_ns for a in used if a.box == box]
    burst = [t for t in sent if t >= sent[-1] - BURST_MS * 1e6]
    if len(burst) > BURST:
        return used
    return [a for a in used if a.box != box or a.time_ns not in burst]


def _uses_shared(frame):
    """Whether it comes from a virtual MAC or from a shared address."""
    if frame.source.startswith("00:00:5e:00:01:"):
        return True
    addresses = [a for pair in SHARED.values() for a in pair]
    return frame.ip_source() in addresses
