"""What happens in the demo: two boxes, one dies, returns, and hands over on purpose."""

import time

from lab import last_answer, overlap_ms, until

from .figures import Event

SHARED = "192.0.2.1"
OWN = {"a": "192.0.2.2", "b": "192.0.2.3"}
TIMERS = {
    0: ({"advskew": 0, "lowest_advskew": 0}, {"advskew": 1, "lowest_advskew": 0}),
    1: ({"advskew": 0}, {"advskew": 100}),
}
LEAD, LINGER = 0.2, 0.2  # seconds of probing before the moment and after the heir's first answer


class Story:
    """One lab's run; events holds what was measured."""

    def __init__(self, lab, display, advbase):
        self.lab, self.display, self.events = lab, display, []
        self.boxes = {
            name: lab.koi(name, own=OWN[name], node_id=i, advbase=advbase, **timers)
            for i, (name, timers) in enumerate(zip("ab", TIMERS[advbase]), 1)}
        self.observer = lab.observer(*self.boxes.values())

    # Telling.

    def _roles(self):
        parts = []
        for name, box in self.boxes.items():
            slot = box.slot() if box.running() else None
            parts.append(f"{name} {slot['role']}" if slot else f"{name} is down")
        return ", ".join(parts)

    def _wait_role(self, name, role, within):
        def there():
            self.display.live(f"{self._roles()} … waiting for {name} to be {role}")
            slot = self.boxes[name].slot()
            return slot and slot["role"] == role and slot
        slot = until(f"box {name} to be {role}", there, within, every=0.05)
        self.display.line(f"box {name} is {role} ({slot['cause']}); {self._roles()}")
        return slot

    def _owner(self):
        return next(n for n, b in self.boxes.items() if b.running() and b.role() == "MASTER")

    def _other(self, name):
        return "b" if name == "a" else "a"

    # Acts.

    def open(self):
        for name, role in (("a", "MASTER"), ("b", "BACKUP")):
            seconds = self.boxes[name].start()
            self.display.line(f"box {name}: koid started in {seconds:.2f} s")
            self._wait_role(name, role, within=10)
        self._settle()

    def kernel(self):
        """The client's own kernel resolves and pings the address."""
        client = self.lab.client
        client.forget(SHARED)
        if not client.ping(SHARED, count=3, within=2):
            raise RuntimeError(f"the client gets no echo replies from {SHARED}")
        self.display.line(f"client: 3 of 3 echo replies from {SHARED}; its ARP cache says "
                          f"{client.neighbor(SHARED)}; it is {self._owner()} that answers")

    def kill(self):
        """SIGKILL of the owner, then its return."""
        victim = self._measure("kill", lambda owner: self.boxes[owner].kill()).box
        seconds = self.boxes[victim].start()
        self.display.line(f"box {victim}: koid is back, started in {seconds:.2f} s")
        self._settle()

    def hand_over(self):
        """koictl demote on the owner, undone once the other has the address."""
        demoted = self._measure("hand-over", lambda owner: self.boxes[owner].demote()).box
        self.boxes[demoted].undemote()
        self._settle()

    def _settle(self):
        """Until one owns the address, and the other knows it and nothing more is due to move."""
        def settled():
            slots = {name: box.slot() for name, box in self.boxes.items()}
            self.display.live(", ".join(f"{n} {s['role']}" for n, s in slots.items()))
            backups = [s for s in slots.values() if s["role"] == "BACKUP" and s["master"]]
            return (len(backups) == 1 and sorted(s["role"] for s in slots.values())
                    == ["BACKUP", "MASTER"] and not any(s["demotion"] for s in slots.values()))
        until("one MASTER and one BACKUP", settled, within=10, every=0.05)
        self.display.line(self._roles())

    def _measure(self, kind, act):
        """Probes while act(owner) is done, which returns its moment. Returns the Event."""
        self.observer.clear()
        probe = self.lab.probe(SHARED).start()
        self._watch(LEAD)
        owner = self._answering()
        heir = self._other(owner)
        began = time.time_ns()
        moment = act(owner)
        until(f"box {heir} to answer", lambda: self._answering(since_ns=began) == heir, within=10,
              every=0.02)
        self._watch(LINGER)
        end = time.time_ns() - 100_000_000
        result = probe.stop()
        answers = self.observer.answers(SHARED)
        window = (last_answer(answers, owner) - 2_000_000, end)
        event = Event(kind, owner, heir, moment, result.outage_ms("arp", *window),
                      result.outage_ms("echo", *window), result.late_ms(*window),
                      overlap_ms(answers), answers)
        self.events.append(event)
        self.display.line(f"{event.sentence()} (the probe itself was late by at most "
                          f"{event.probe_late_ms:.1f} ms; both answered for "
                          f"{event.overlap_ms:.1f} ms)")
        return event

    def _watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._answering()
            time.sleep(0.02)

    def _answering(self, since_ns=0):
        """Who gave the last answer since then; shows it on the way."""
        answers = self.observer.answers(SHARED, max(since_ns, time.time_ns() - 200_000_000))
        if not answers:
            self.display.live(f"nobody answers for {SHARED}")
            return None
        quiet = (time.time_ns() - answers[-1].time_ns) / 1e6
        box = answers[-1].box
        self.display.live(f"{SHARED} is answered by {box}" if quiet < 30 else
                          f"nobody answers for {SHARED} for {quiet:.0f} ms; it was {box}")
        return box
