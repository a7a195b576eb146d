"""The oracle of the fault tests: who answered, claimed and announced, from packets alone.

Fed with what was seen at the switch's ports, in the order of its times. A *claim* is an
advertisement other than a bow-out. What is judged (I1 to I3 are those of koi's test catalogue):

* I1: of two boxes the one whose last claim is the older one answers for no address more than two
  wire delays + 1 ms after the other, with its newer claim, answered for it first.
* I2: where nobody answered for a while, the answer that ended it came within the master-down time
  + 5 ms of the last claim that its sender could have heard, and by how much the machine was late
  itself. Judged where one box is healthy.
* I3: a frame from a virtual MAC comes within a lease of the sender's own last claim (and what L1
  allows from the poll to the hand-over, 1 ms, and two wire delays). A bow-out claims nothing.

What is excluded, for no software can promise it, is the burst that was past its check when its
thread was paused. By packets: it answers the very next requests after the last one that the box
answered in time, i.e. those of the next `IN_HAND_MS`, and comes late. Answers to requests that came
while the thread stood still are in no such burst and count. The excluded are counted. So are those
to requests of the time before a box's interface refused its frames (refuses()): net_af_packet keeps
what the kernel did not take, and sends it with its next frame, whenever that is.

A wire delay is measured: from an advertisement's stamp at the switch to its stamp at the other box's
interface, the longest of the last `WIRE_MEMORY_MS`. The kernel does not count there how long a busy
core leaves the frame in the last queue before the worker can see it.
"""

import collections
import dataclasses

MS = 1_000_000
TOLERANCE_MS = 1.0
MARGIN_MS = 5.0
IN_HAND_MS = 2.0
IN_HAND_MOST = 8           # answers of one such burst
LEAST_WIRE_MS = 0.25
WIRE_MEMORY_MS = 100
NOISE_KNOWN_MS = 30        # after an answer, so late the noise before it is told at most


@dataclasses.dataclass(slots=True)
class Event:
    """time_ns, and what: "request" (key), "answer" (box, address, key), "claim" and "bow-out" (box,
    key: the advertisement's), "virtual" (box), "heard" (box, key), "late" (key: ms by which the
    machine woke up a real-time thread too late)."""

    time_ns: int
    what: str
    box: str = ""
    address: str = ""
    key: object = None


@dataclasses.dataclass(frozen=True)
class Terms:
    """What a box promises, in ms."""

    lease_ms: float
    master_down_ms: float


@dataclasses.dataclass
class Finding:
    """One breach of an invariant."""

    invariant: str
    time_ns: int
    box: str
    over_ms: float   # how much longer than allowed
    text: str

    def __str__(self):
        return f"{self.invariant} at {self.time_ns}: {self.box}: {self.text}"


class Judge:
    """feed() events in order of time; findings and figures grow."""

    def __init__(self, terms):
        """terms: box to its Terms."""
        self.terms = terms
        self.findings = []
        self.late_bursts = 0          # excluded, see above
        self.longest_overlap_ms = 0.0  # of two boxes' answers, excluded ones left out
        self.longest_wire_ms = 0.0
        self.longest_silence_ms = 0.0  # of answers for one address
        self.worst_takeover_ms = None  # beyond the master-down time; may be below 0
        self.answers = collections.Counter()
        self.healthy = None            # called with (since_ns, until_ns): may I2 be judged?
        self._claims = {}              # box to its last claim
        self._others = {}              # (box, address): first answer under another's newer claim
        self._last_answer = {}         # address to (time, box)
        self._requests = {}            # key to the time of the last one
        self._answered = {}            # box to when the last request came that it answered in time
        self._excluded = collections.Counter()  # box to excluded answers since then
        self._refused = {}             # box to the (since, until) of the requests left out
        self._wires = collections.deque()   # (time, ms)
        self._sent = {}                # key of an advertisement to its time
        self._claimed = []             # (time, box), the latest few
        self._last_request = None
        self._noise = collections.deque()   # (time, ms): the machine's own lateness
        self._pending = collections.deque()  # what is judged once its noise is known

    def feed(self, event):
        while self._pending and self._pending[0][0].time_ns < event.time_ns - NOISE_KNOWN_MS * MS:
            self._late_takeover(*self._pending.popleft())
        getattr(self, "_" + event.what.replace("-", "_"))(event)

    def finish(self):
        """Nothing follows."""
        while self._pending:
            self._late_takeover(*self._pending.popleft())

    def refuses(self, box, since_ns, until_ns):
        """Its interface takes nothing from some moment between the two on."""
        self._refused[box] = (since_ns - round(self.terms[box].lease_ms * MS), until_ns)

    def wire_ms(self, now_ns):
        while self._wires and self._wires[0][0] < now_ns - WIRE_MEMORY_MS * MS:
            self._wires.popleft()
        return max([LEAST_WIRE_MS] + [ms for _, ms in self._wires])

    def allowed_ms(self, now_ns):
        return TOLERANCE_MS + 2 * self.wire_ms(now_ns)

    # What is seen.

    def _request(self, e):
        if self._last_request is not None:
            gap = (e.time_ns - self._last_request) / MS
            if gap > 1:
                self._noisy(e.time_ns, gap)
        self._last_request = e.time_ns
        self._requests[e.key] = e.time_ns

    def _late(self, e):
        self._noisy(e.time_ns, e.key)

    def _noisy(self, time_ns, ms):
        self._noise.append((time_ns, ms))
        if len(self._noise) > 1000:
            self._noise.popleft()

    def _claim(self, e):
        self._claims[e.box] = e.time_ns
        self._sent[e.key] = e.time_ns
        if len(self._sent) > 1000:
            self._sent.pop(next(iter(self._sent)))
        self._claimed.append((e.time_ns, e.box))
        if len(self._claimed) > 20_000:
            del self._claimed[:10_000]
        for known in [k for k in self._others if k[0] == e.box]:
            del self._others[known]

    def _bow_out(self, e):
        self._sent[e.key] = e.time_ns

    def _heard(self, e):
        sent = self._sent.get(e.key)
        if sent is not None:
            wire = (e.time_ns - sent) / MS
            self._wires.append((e.time_ns, wire))
            self.longest_wire_ms = max(self.longest_wire_ms, wire)

    def _virtual(self, e):
        self._lease(e, "announced")

    def _answer(self, e):
        self.answers[e.box] += 1
        asked = self._requests.get(e.key)
        if not self._in_hand(e, asked):
            self._lease(e, "answered")
            self._alone(e)
            self._answered[e.box] = asked if asked is not None else e.time_ns
            self._excluded[e.box] = 0
            mine = self._claims.get(e.box, 0)
            for other in self.terms:
                if other != e.box and mine > self._claims.get(other, 0):
                    self._others.setdefault((other, e.address), e.time_ns)
        self._outage(e)

    # What is judged.

    def _in_hand(self, e, asked):
        """The burst that no software can promise."""
        if asked is None or (e.time_ns - asked) / MS <= self.allowed_ms(e.time_ns):
            return False
        before = self._answered.get(e.box)
        if before is None or self._may(e):
            return False
        since, until = self._refused.get(e.box, (0, 0))
        kept = since <= asked <= until
        if not kept and (asked - before) / MS > IN_HAND_MS:
            return False
        self._excluded[e.box] += 1
        if not kept and self._excluded[e.box] > IN_HAND_MOST:
            return False
        self.late_bursts += self._excluded[e.box] == 1
        return True

    def _may(self, e):
        return self._over_lease(e) <= 0 and self._over_alone(e) <= 0

    def _over_lease(self, e):
        claim = self._claims.get(e.box)
        if claim is None:
            return float("inf")
        return ((e.time_ns - claim) / MS - self.terms[e.box].lease_ms
                - self.allowed_ms(e.time_ns))

    def _over_alone(self, e):
        other = self._others.get((e.box, e.address))
        if other is None:
            return 0.0
        return (e.time_ns - other) / MS - self.allowed_ms(e.time_ns)

    def _lease(self, e, did):
        over = self._over_lease(e)
        if over > 0:
            self._find("I3", e, over, f"{did} {over:.3f} ms after its lease and what L1 allows")

    def _alone(self, e):
        other = self._others.get((e.box, e.address))
        if other is None:
            return
        overlap = (e.time_ns - other) / MS
        self.longest_overlap_ms = max(self.longest_overlap_ms, overlap)
        over = self._over_alone(e)
        if over > 0:
            self._find("I1", e, over, f"answered for {e.address} {overlap:.3f} ms after another box"
                       f" did, and has claimed nothing since; a wire delay was"
                       f" {self.wire_ms(e.time_ns):.3f} ms")

    def _outage(self, e):
        before = self._last_answer.get(e.address)
        self._last_answer[e.address] = (e.time_ns, e.box)
        if before is None:
            return
        gap = (e.time_ns - before[0]) / MS
        self.longest_silence_ms = max(self.longest_silence_ms, gap)
        if gap < 10:
            return
        if e.box != before[1]:
            heir, heard = e.box, self._silent_since(e.box, e.time_ns)
        else:  # then the other one should have taken over, unless this one went on claiming
            heir, heard = next(b for b in self.terms if b != e.box), None
        if not (self.healthy and self.healthy(before[0], e.time_ns, heir)):
            return
        waited = ((e.time_ns - heard) / MS if heard else self._longest_without_claim(
            before[0], e.time_ns))
        self._pending.append((e, heir, before[0], gap, waited, self.wire_ms(e.time_ns)))

    def _late_takeover(self, e, heir, since_ns, gap, waited, wire):
        known = e.time_ns + NOISE_KNOWN_MS * MS
        noise = max([ms for t, ms in self._noise if since_ns <= t <= known], default=0)
        beyond = waited - self.terms[heir].master_down_ms - noise
        if self.worst_takeover_ms is None or beyond > self.worst_takeover_ms:
            self.worst_takeover_ms = beyond
        over = beyond - MARGIN_MS - wire
        if over > 0:
            self._find("I2", e, over, f"the first answer for {e.address} in {gap:.1f} ms came"
                       f" {beyond:.1f} ms after the master-down time of {heir}")

    def _silent_since(self, box, now_ns):
        """The last claim of another box."""
        return next((t for t, b in reversed(self._claimed) if b != box and t <= now_ns), None)

    def _longest_without_claim(self, since_ns, until_ns):
        """In ms, of that time and what was before it."""
        times = [until_ns]
        for when, _ in reversed(self._claimed):
            if when <= until_ns:
                times.append(when)
                if when <= since_ns:
                    break
        return max((a - b) / MS for a, b in zip(times, times[1:])) if len(times) > 1 else 0.0

    def _find(self, invariant, e, over, text):
        self.findings.append(Finding(invariant, e.time_ns, e.box, over, text + self._asked(e)))

    def _asked(self, e):
        """What an answer answers."""
        if e.what != "answer":
            return ""
        asked = self._requests.get(e.key)
        if asked is None:
            return "; nobody had asked"
        before = self._answered.get(e.box)
        after = "" if before is None else (f", {(asked - before) / MS:.3f} ms after the last one"
                                           " that it answered in time")
        return f"; the request came {(e.time_ns - asked) / MS:.3f} ms before{after}"
