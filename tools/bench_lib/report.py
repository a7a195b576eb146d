"""What the samples come to: medians, ratios, goals, the tables. No clock, no processes."""

import dataclasses
import statistics

HEAVY = 1.5  # times what an ARP for one address costs may one for 65,536 cost


@dataclasses.dataclass
class Duel:
    """koid's frames per second beside another's, pair by pair."""

    case: str
    what: str
    beside: str
    pairs: list      # of (koid's, the other's) frames per second
    answered: float  # share of the frames that koid answered

    @property
    def medians(self):
        return tuple(statistics.median(pair[side] for pair in self.pairs) for side in (0, 1))

    @property
    def ratio(self):
        """Of the medians, as the goals have it."""
        ours, theirs = self.medians
        return ours / theirs

    @property
    def of_best(self):
        """Of the best rates: what disturbs only makes a run slower, so these scatter less."""
        return max(ours for ours, _ in self.pairs) / max(theirs for _, theirs in self.pairs)

    @property
    def ratios(self):
        return [ours / theirs for ours, theirs in self.pairs]


@dataclasses.dataclass
class Point:
    """Of a sweep: koid alone."""

    sweep: str       # addresses, groups or workers
    count: int
    rates: list      # frames per second of each worker, a run each

    @property
    def rate(self):
        return statistics.median(self.rates)


@dataclasses.dataclass
class Goal:
    text: str
    value: float | None  # None: not measured
    limit: float
    at_most: bool = False

    @property
    def reached(self):
        if self.value is None:
            return None
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def __str__(self):
        said = {None: "not measured", True: "reached", False: "NOT REACHED"}[self.reached]
        value = "" if self.value is None else f"{self.value:.2f}, "
        return f"{self.text} {'<=' if self.at_most else '>='} {self.limit:.2f}: {value}{said}"


GOALS = (
    ("ARP, one address / testpmd icmpecho", "arp", "icmpecho", 1.10),
    ("ARP, one address / testpmd io, the limit", "arp", "io", 0.80),
    ("ARP, 4,096 addresses at random / testpmd icmpecho", "arp-4096", "icmpecho", 1.00),
    ("ARP, balanced over 8 by openbsd / testpmd icmpecho", "balanced-openbsd", "icmpecho", 0.95),
    ("NS / our ARP", "ns", "arp", 0.60),
    ("mix, 90 % between others / testpmd io", "mix", "io", 0.85),
    ("mix, 90 % to our MAC, no host port / testpmd io", "mix-to-port", "io", 0.85),
)


def goals(duels, points):
    """Each of the goals, reached or not."""
    ratios = {(duel.case, duel.beside): duel.ratio for duel in duels}
    out = [Goal(text, ratios.get((case, beside)), limit) for text, case, beside, limit in GOALS]
    rates = {point.count: point.rate for point in points if point.sweep == "addresses"}
    out.append(Goal("cycles of an ARP, 65,536 addresses at random / 1 address",
                    rates[1] / rates[65536] if {1, 65536} <= set(rates) else None, HEAVY, True))
    return out


def duel_table(duels, hz):
    lines = [f"{'case':20}{'M/s':>7}{'cycles':>8}  {'beside':14}{'M/s':>7}{'cycles':>8}"
             f"{'ratio':>8}{'of best':>9}{'of each pair':>16}{'answered':>10}"]
    for duel in duels:
        ours, theirs = duel.medians
        span = f"{min(duel.ratios):.2f} to {max(duel.ratios):.2f}"
        lines.append(f"{duel.case:20}{ours / 1e6:7.2f}{hz / ours:8.1f}  {duel.beside:14}"
                     f"{theirs / 1e6:7.2f}{hz / theirs:8.1f}{duel.ratio:8.2f}"
                     f"{duel.of_best:9.2f}{span:>16}"
                     f"{duel.answered:9.0%} ")
    return "\n".join(lines)


def sweep_table(points, hz):
    lines = [f"{'sweep':12}{'count':>8}{'M/s of a worker':>18}{'cycles':>8}{'to the first':>14}"]
    first = {}
    for point in points:
        start = first.setdefault(point.sweep, point.rate)
        lines.append(f"{point.sweep:12}{point.count:8,}{point.rate / 1e6:18.2f}{hz / point.rate:8.1f}"
                     f"{start / point.rate:14.2f}")
    return "\n".join(lines)


def figures(duels, points, setting):
    """For the JSON."""
    hz = setting["clock_hz"]

    def side(rate):
        return {"pps": rate, "cycles": hz / rate}
    return {
        "setting": setting,
        "cases": [{"case": d.case, "what": d.what, "beside": d.beside, "answered": d.answered,
                   "koid": side(d.medians[0]), "other": side(d.medians[1]), "ratio": d.ratio,
                   "ratio_of_best": d.of_best,
                   "pairs": [{"koid_pps": a, "other_pps": b, "ratio": a / b} for a, b in d.pairs]}
                  for d in duels],
        "sweeps": [{"sweep": p.sweep, "count": p.count, **side(p.rate), "runs_pps": p.rates}
                   for p in points],
        "goals": [{"goal": g.text, "limit": g.limit, "at_most": g.at_most, "value": g.value,
                   "reached": g.reached} for g in goals(duels, points)],
    }
