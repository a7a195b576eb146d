"""tools/demo --firewall: two firewalls, connections through them, and what is done to them."""

import json
import os
import statistics

from lab.firewalls import QUICK, SERVER, SERVER6, Firewalls

TIMERS = {0: QUICK, 1: ({"advskew": 0}, {"advskew": 100})}
SENTENCES = {"kill": "a was killed (SIGKILL)", "return": "a is back",
             "pull": "a lost its cable to the LAN", "plug": "a has its cable back",
             "demote": "a handed over (koictl demote)",
             "undemote": "a took over again (koictl undemote)"}


class FirewallStory:
    """One lab's run."""

    def __init__(self, lab, display, advbase):
        self._f, self._display = Firewalls(lab, TIMERS[advbase]), display
        self._changes, self._flows, self._told = [], None, 0

    def open(self):
        self._f.up()
        say = self._display.line
        say("client – LAN – firewalls a and b – WAN – server; a forwards, b knows its connections")
        self._flows = self._f.flows().start()
        say(f"the client has a transfer, a stream of datagrams and an idle connection to {SERVER} "
            f"(translated) and to {SERVER6}")
        self._told = self._f.resets()

    def kill(self):
        self._change("kill", self._f.a.kill, self._f.b)
        self._change("return", self._f.a.start, self._f.a)

    def pull(self):
        self._change("pull", lambda: self._f.a.plug(False), self._f.b)
        self._change("plug", lambda: self._f.a.plug(True), self._f.a)

    def hand_over(self):
        self._change("demote", self._f.a.demote, self._f.b)
        self._change("undemote", self._f.a.undemote, self._f.a)

    def _change(self, kind, act, heir):
        change = self._f.change(kind, act, heir, self._flows)
        self._changes.append(change)
        self._display.line(
            f"{SENTENCES[kind]}, {heir.name} forwards: datagrams paused {change.udp:.1f} ms, TCP "
            f"{change.tcp:.1f} ms; both boxes used a shared address for {change.overlap:.1f} ms")
        for address, answers in self._flows.speak().items():
            if None in answers.values():
                raise RuntimeError(f"no answer from {address}: {answers}")

    def close(self, out):
        """Whether all arrived, the table, and OUT/firewall.json."""
        told = self._f.resets() - self._told
        seen = self._flows.finish()
        for address, flow in seen.items():
            came = "all came back as they were sent" if flow["whole"] else "NOT all came back"
            self._display.line(f"{address}: {flow['bytes']} bytes by TCP, {came}; errors: "
                               f"{', '.join(flow['errors']) or 'none'}")
        self._display.line(f"resets and ICMP errors heard by the client and the server: {told}")
        if told or not all(flow["whole"] for flow in seen.values()):
            raise RuntimeError("a connection was lost")
        if self._changes:
            self._conclude(out)

    def _conclude(self, out):
        rows = {}
        for kind in dict.fromkeys(c.kind for c in self._changes):
            same = [c for c in self._changes if c.kind == kind]
            rows[kind] = {what: {"median": statistics.median(v), "max": max(v)} for what in (
                "udp", "tcp", "silent", "forwarding", "overlap") if (v := [getattr(c, what)
                                                                           for c in same])}
        self._display.plain(
            f"\nThe user's pause, ms:\n{'':10}{'count':>6}{'datagrams, median':>19}{'max':>8}"
            f"{'TCP, median':>13}{'max':>8}")
        for kind, row in rows.items():
            count = sum(c.kind == kind for c in self._changes)
            self._display.plain(f"{kind:10}{count:6}{row['udp']['median']:19.1f}"
                                f"{row['udp']['max']:8.1f}{row['tcp']['median']:13.1f}"
                                f"{row['tcp']['max']:8.1f}")
        os.makedirs(out, exist_ok=True)
        path = os.path.join(out, "firewall.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"summary": rows, "changes": [vars(c) for c in self._changes]}, f, indent=2)
            f.write("\n")
        self._display.plain(f"Written: {path}")
