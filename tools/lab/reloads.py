"""Reloads of running boxes at random moments, under a client's requests: does one of them cost an
answer or a role?"""

import contextlib
import dataclasses
import random

from .probe import unanswered
from .pulse import Pulse

ON_THEIR_WAY = 5   # requests whose answer had not come when the probe ended
WORKERS_CORE = 1   # see KoiBox.settings()
PULSE_NS, LATE_NS = 200_000, 700_000  # so that a pause of a worker's 1 ms (L8) is seen
AFTERWARDS_NS = 5_000_000             # until control has acknowledged it, and for what came meanwhile
BESIDES = {"vhid": 77, "addresses": ["192.0.2.9"]}  # of a group that comes and goes


@dataclasses.dataclass
class Result:
    applied: int = 0
    wrong: int = 0     # files that are refused
    asked: int = 0     # ARP requests for the address that no reload touches
    lost: int = 0      # of them without an answer
    paused: int = 0    # so many koid left unanswered since a worker had been paused
    unseen: int = 0    # of the lost, when nothing beside koid saw the machine stand still
    stops: int = 0     # how often that was seen
    changed: list = dataclasses.field(default_factory=list)  # boxes whose reign is another one

    def __str__(self):
        return (f"{self.applied} reloads, {self.wrong} wrong files; {self.asked} requests, {self.lost}"
                f" without an answer, {self.unseen} of them not about when the machine stood still"
                f" ({self.stops} times); {self.paused} left out after pauses of a worker; changes"
                f" of role: {len(self.changed)}")


def paused(boxes):
    """Requests that met no lease or were late: L1 and L8, after a pause of more than 1 ms."""
    return sum(n for box in boxes for reason, n in box.drops().items()
               if reason in ("no_lease", "answer_late"))


def _reign(box):
    slot = box.slot("lan-gateway")
    return slot["role"], slot["term"], slot["since"], slot["cause"]


def _settings(box, random_, wrong):
    settings = box.settings()
    group = settings["groups"]["lan-gateway"]
    if wrong:
        random_.choice((lambda: group.update(advskew=300), lambda: group.update(colour="red"),
                        lambda: settings["ports"].clear()))()
        return settings
    if random_.random() < 0.4:
        skew = group["advskew"]
        settings["groups"]["besides"] = group | BESIDES | {
            "advskew": random_.randrange(skew, 121)}
    if random_.random() < 0.4:
        group["announce-refresh"] = f"{random_.randrange(10, 60)}s"
    if random_.random() < 0.4:
        group["track"] = [{"ping": f"192.0.2.{random_.randrange(200, 250)}", "interval": "20s"}]
    if random_.random() < 0.4:
        group["previous-addresses"] = [f"192.0.2.{random_.randrange(200, 250)}"]
    return settings


def at_random(boxes, count, seed):
    """count reloads of one or the other, a fifth of them with a file that is wrong."""
    random_ = random.Random(seed)
    result = Result()
    lab = boxes[0].lab
    before = {box.name: _reign(box) for box in boxes}
    paused_before = paused(boxes)
    with contextlib.closing(Pulse(WORKERS_CORE, PULSE_NS, LATE_NS)) as pulse, \
            lab.probe("192.0.2.1") as probe:
        for _ in range(count):
            box, wrong = random_.choice(boxes), random_.random() < 0.2
            box.write_config(_settings(box, random_, wrong))
            code, out, err = box.ctl("reload", within=15)
            assert code == (2 if wrong else 0), f"reload: exit {code}: {out}{err}"
            result.wrong += wrong
            result.applied += not wrong
        seen = probe.stop()
        stood_still = pulse.read()
    lost = unanswered(seen.sent, seen.arp)
    result.asked, result.lost, result.stops = len(seen.sent), len(lost), len(stood_still)
    result.unseen = sum(
        not any(woke - late - AFTERWARDS_NS <= when <= woke + AFTERWARDS_NS
                for woke, late in stood_still)
        for when in lost if when < seen.sent[-ON_THEIR_WAY])
    result.paused = paused(boxes) - paused_before
    result.changed = [box.name for box in boxes if _reign(box) != before[box.name]]
    return result
