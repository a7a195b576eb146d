"""Advertisements that a pair did not send: forged, replayed, reflected; what the boxes make of them.

Who forges has heard every advertisement of the pair and has no key. A frame goes to one box only,
from the switch.
"""

import collections
import itertools
import random
import struct
import time

from . import carp
from .until import until

KINDS = ("forged", "replayed", "reflected")
_CHUNK = 50         # frames between two looks at the clock
_DIFFERENT = 500
_RATE = 15_000      # frames a second: what a worker of a lab bears beside its own work
_STRANGER, _STRANGER_MAC = "192.0.2.66", "02:00:00:00:00:66"


def rewritten(header, **fields):
    """The 36 bytes with advbase, advskew or demote changed: CARP's HMAC covers none of them."""
    raw = bytearray(header)
    for name, at in (("advskew", 2), ("demote", 4), ("advbase", 5)):
        raw[at] = fields.get(name, raw[at])
    raw[6:8] = b"\0\0"
    raw[6:8] = struct.pack("!H", carp.checksum(bytes(raw)))
    return bytes(raw)


def forged(header, dice):
    """The next counters of the same sender, signed with what is no key."""
    counter = int.from_bytes(header[8:16], "big") + (dice.randrange(1, 1 << 20) << 12)
    raw = header[:8] + struct.pack("!Q", counter) + dice.randbytes(20)
    return rewritten(raw, advbase=0, advskew=0)


def changed(header, dice):
    """One that was sent, as it was or with the fields that the HMAC does not cover changed."""
    how = dice.choice(({}, {"advbase": 0, "advskew": 0}, {"advbase": 255, "advskew": 255},
                       {"demote": 0}, {"demote": 255}, {"advskew": 254}))
    return rewritten(header, **how)


class Forger:
    """Listens to a pair and sends to its boxes; advertisements over IPv4."""

    def __init__(self, boxes, seed):
        self.boxes = boxes
        self.dice = random.Random(seed)
        self._taps = {box.name: box.tap() for box in boxes}
        self.heard = {box.name: [] for box in boxes}  # the 36 bytes, oldest first

    def listen(self):
        for name, tap in self._taps.items():
            self.heard[name] += [f.carp() for f in tap.frames()
                                 if f.ethertype == 0x0800 and f.carp()]
            del self.heard[name][:-5000]

    def wait_heard(self, box, count=1, within=10):
        """Until so many more advertisements of the box were heard."""
        before = len(self.heard[box.name])

        def there():
            self.listen()
            return len(self.heard[box.name]) >= before + count
        until(f"{count} advertisements of {box.name}", there, within, every=0.005)

    def frame(self, kind, victim, sender):
        """A frame of that kind for the victim; sender: whose advertisements are forged or come
        again, the peer or (reflected) the victim itself."""
        dice, header = self.dice, self.dice.choice(self.heard[sender.name])
        if kind == "forged":
            return carp.frame(sender.own, forged(header, dice))
        source, mac = sender.own, None
        if kind == "reflected" and dice.random() < 0.5:
            source, mac = _STRANGER, _STRANGER_MAC
        return carp.frame(source, changed(header, dice), source_mac=mac)

    def send(self, kind, victim, count):
        """Sends so many to the victim, no more than _DIFFERENT of them different, for making one
        takes longer than sending it. Those replayed are the peer's, those reflected its own."""
        peer = next(b for b in self.boxes if b is not victim)
        sender = victim if kind == "reflected" else peer
        tap = self._taps[victim.name]
        self.listen()
        frames = itertools.cycle([self.frame(kind, victim, sender)
                                  for _ in range(min(count, _DIFFERENT))])
        due = time.monotonic()
        for sent in itertools.count(0, _CHUNK):
            if sent >= count:
                return
            self.listen()
            for _ in range(min(_CHUNK, count - sent)):
                tap.send(next(frames))
            due = max(due + _CHUNK / _RATE, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))


REASONS = {"forged": "carp_digest", "replayed": "carp_replay", "reflected": "carp_own"}


def transitions(box):
    """(box, from, to, cause) to how often."""
    return collections.Counter({(box.name, t["from"], t["to"], t["cause"]): t["count"]
                                for slot in box.counters()["slots"] for t in slot["transitions"]})


def attack(forger, victim, kind, count):
    """Returns (the changes of role meanwhile, as transitions() has them, and how many were refused
    for their kind's reason).

    Raises unless most were: a worker that was left waiting may lose some to a full ring.
    """
    roles = [transitions(box) for box in forger.boxes]
    before = victim.drops().get(REASONS[kind], 0)
    forger.send(kind, victim, count)
    refused, seen = -1, 0
    while refused != seen:  # until nothing is left in the ring
        refused = seen
        time.sleep(0.1)
        seen = victim.drops().get(REASONS[kind], 0) - before
    assert count // 2 < refused <= count, f"{refused} of {count} refused as {REASONS[kind]}"
    changes = collections.Counter()
    for box, then in zip(forger.boxes, roles):
        changes += transitions(box) - then
    return changes, refused
