"""One fault, measured as the client sees it."""

import dataclasses
import time

from lab import overlap_ms, until
from lab.koibox import SHARED
from lab.probe import largest_gap

_LEAD_S, _LINGER_S = 0.1, 0.2   # of answers before the fault, and after the heir's first one


@dataclasses.dataclass
class Sample:
    """Milliseconds."""

    system: str
    fault: str
    round: int
    owner: str          # whom it befell
    outage_ms: float    # the longest gap between answers, from the fault on
    heir_ms: float      # from the fault to the other box's first answer
    both_ms: float      # both boxes answered for so long
    late_ms: float      # the longest gap between the client's own requests meanwhile
    machine_ms: float = 0.0   # the latest that a real-time thread of a core woke up


def sample(pair, fault, number, dice, pulses=()):
    """Befalls whoever answers, at any moment between two advertisements. pulses: lab.Pulse of each
    core."""
    owner, heir = pair.settled()
    time.sleep(dice.uniform(0, pair.interval_ms / 1000))
    pair.observer.clear()
    pair.asked.frames()
    _late_ms(pulses)
    time.sleep(_LEAD_S)
    began = time.time_ns()
    with pair.fault(fault, owner):
        until(f"{pair.name}, {fault}: an answer of {heir.name}",
              lambda: pair.observer.frames(heir.name, began, _is_answer), pair.within, every=0.01)
        time.sleep(_LINGER_S)
        ended = time.time_ns()
    time.sleep(_LEAD_S)  # what it answers once it is mended counts too
    answers = pair.observer.answers(SHARED)
    asked = [f.time_ns for f in pair.asked.frames()]
    taken = figures(pair.name, fault, number, owner.name, answers, asked, began, ended)
    taken.machine_ms = _late_ms(pulses)
    return taken


def _late_ms(pulses):
    """The most since it was asked before; 0 where it was never more than pulse.TOLD_NS."""
    return max((late / 1e6 for pulse in pulses for _, late in pulse.read()), default=0.0)


def _is_answer(frame):
    return frame.arp_operation() == 2


def figures(system, fault, number, owner, answers, asked, began_ns, ended_ns):
    """The sample, from answers and the times of requests. Outages are those until it was mended.

    Raises AssertionError when they do not span the time from the fault to then.
    """
    times = [a.time_ns for a in answers]
    first, last = largest_gap(times, began_ns, ended_ns)
    heir = next(a.time_ns for a in answers if a.box != owner and a.time_ns >= began_ns)
    late = largest_gap(asked, began_ns, ended_ns)
    return Sample(system, fault, number, owner, (last - first) / 1e6, (heir - began_ns) / 1e6,
                  overlap_ms(answers), (late[1] - late[0]) / 1e6)
