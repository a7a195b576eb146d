"""The client: koi-arp-load's runs, what they came to, and the highest rate that is answered."""

import dataclasses
import json
import math
import os
import subprocess

PROGRAM = os.path.join("tests", "support", "koi-arp-load")
SENDER = "192.0.2.77"
MOST_LOST = 0.001
PUNCTUAL = (0.99, 200_000)   # the client is: so many of its requests at most so many ns late
PRECISION = 1.05   # of the maximum
TRIALS = 3         # the machine's moods fail some; one that holds is enough
HIGHEST = 4_000_000

HOLDS, LOST, CLIENT = "holds", "lost", "client"


class Times:
    """A distribution, as koi-arp-load prints it: [upper edge in ns, count], and the largest."""

    def __init__(self, printed):
        self.largest, self.buckets = printed["max"], printed["buckets"]

    def quantile(self, share):
        """ns that so many of them do not exceed (nearest rank), at most 0.8 % too much. None: of
        none."""
        left = math.ceil(round(share * sum(count for _, count in self.buckets), 6))
        for edge, count in self.buckets:
            left -= count
            if left <= 0:
                return min(edge, self.largest)
        return None


@dataclasses.dataclass
class Run:
    rate: int           # requests a second
    asked: int
    answered: int
    delay: Times        # from when each was due until its answer
    late: Times         # from when each was due until it was sent: the client's own

    @property
    def lost(self):
        return 1 - self.answered / self.asked

    def verdict(self):
        if self.lost >= MOST_LOST:
            return LOST
        share, most = PUNCTUAL
        return HOLDS if self.late.quantile(share) <= most else CLIENT


def run(build, namespace, interface, target, rate, seconds):
    """One run in the namespace, on the caller's core. Raises RuntimeError."""
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, os.path.join(build, PROGRAM), interface, target, SENDER,
         str(rate), str(seconds)],
        capture_output=True, text=True, check=False, timeout=30 + 3 * seconds)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    said = json.loads(done.stdout)
    if said["missed"]:
        raise RuntimeError(f"the client had no room for {said['missed']} frames")
    return Run(rate, said["sent"], said["answered"], Times(said["delay_ns"]),
               Times(said["late_ns"]))


def highest(verdict, first=8000):
    """The highest rate for which verdict(rate) is HOLDS, but for PRECISION, and what ended it: LOST or
    CLIENT (it cannot ask more often). Raises RuntimeError when the first one does not hold."""
    def judged(rate):
        for _ in range(TRIALS):
            if (said := verdict(rate)) == HOLDS:
                break
        return said
    held, failed, why = 0, first, HOLDS
    while why == HOLDS and failed <= HIGHEST:
        why = judged(failed)
        if why == HOLDS:
            held, failed = failed, 2 * failed
    if not held:
        raise RuntimeError(f"not even {first} requests a second are answered: {why}")
    while failed > PRECISION * held:
        middle = round(math.sqrt(held * failed))
        said = judged(middle)
        if said == HOLDS:
            held = middle
        else:
            failed, why = middle, said
    return held, why
