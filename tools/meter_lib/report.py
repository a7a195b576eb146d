"""What samples come to: percentiles, the table, the goals, the plot. No clock and no network."""

import dataclasses
import math
import statistics

from meter_lib import plot

GOAL_KILL, GOAL_PLANNED_MS = 0.45, 2.0
_DECADES = (-1, 4)   # of the picture: 0.1 ms to 10 s
QUIET_MS = 1.0   # where the client itself and both cores were no later, the machine let them run


def percentile(values, percent):
    """The smallest value that so many percent of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def spread(values):
    return {"median": statistics.median(values), "p90": percentile(values, 90),
            "p99": percentile(values, 99), "max": max(values)}


def summary(samples):
    """(system, fault) to {"runs", "outage_ms", "heir_ms", "both_ms", "late_ms"}, in their order."""
    out = {}
    for key in dict.fromkeys((s.system, s.fault) for s in samples):
        rows = [s for s in samples if (s.system, s.fault) == key]
        out[key] = {"runs": len(rows)} | {
            what: spread([getattr(s, what) for s in rows])
            for what in ("outage_ms", "heir_ms", "both_ms", "late_ms")}
    return out


@dataclasses.dataclass
class Goal:
    text: str
    value: float | None   # None: not measured
    limit: float
    unit: str = ""

    @property
    def reached(self):
        return None if self.value is None else self.value <= self.limit

    def __str__(self):
        said = {None: "not measured", True: "reached", False: "NOT REACHED"}[self.reached]
        value = "" if self.value is None else f"{self.value:.2f}{self.unit}, "
        return f"{self.text} <= {self.limit:g}{self.unit}: {value}{said}"


def quiet(samples):
    """Those in which the client asked in time and no core of the machine stood still."""
    return [s for s in samples if max(s.late_ms, s.machine_ms) <= QUIET_MS]


def goals(samples):
    """A killed keepalived's kernel goes on answering, so that its clients see no gap: the measure is
    when the other box answers. Where the whole box dies, it is the gap."""
    sums, quiet_sums = summary(samples), summary(quiet(samples))

    def median(system, fault, what):
        found = sums.get((system, fault))
        return found[what]["median"] if found else None

    def ratio(fault, what):
        ours, theirs = median("koi-0", fault, "outage_ms"), median("keepalived-10ms", fault, what)
        return None if ours is None or not theirs else ours / theirs
    out = [
        Goal("kill, koi-0's median outage / keepalived-10ms's median until the other box answers",
             ratio("kill", "heir_ms"), GOAL_KILL),
        Goal("death of the box, koi-0's median outage / keepalived-10ms's",
             ratio("death", "outage_ms"), GOAL_KILL)]
    for system in ("koi-0", "koi-1"):
        for which, found in (("", sums), (f", where client and machine were at most {QUIET_MS:g} ms"
                                           " late", quiet_sums)):
            row = found.get((system, "planned"))
            runs = f" in {row['runs']} runs" if row else ""
            out.append(Goal(f"planned, {system}'s P99 of the outage{which}{runs}",
                            row["outage_ms"]["p99"] if row else None, GOAL_PLANNED_MS, " ms"))
    return out


def table(sums):
    lines = [f"{'':25}{'':>5}{'client outage, ms':>26}{'':10}{'other box':>10}{'both answer, ms':>18}"
             f"{'client':>9}",
             f"{'system':16}{'fault':9}{'runs':>5}{'median':>9}{'P90':>9}{'P99':>9}{'max':>9}"
             f"{'answers':>10}{'median':>9}{'max':>9}{'late':>9}"]
    for (system, fault), row in sums.items():
        outage, both = row["outage_ms"], row["both_ms"]
        figures = (outage["median"], outage["p90"], outage["p99"], outage["max"])
        lines.append(f"{system:16}{fault:9}{row['runs']:5}" + "".join(f"{v:9.2f}" for v in figures)
                     + f"{row['heir_ms']['median']:10.2f}{both['median']:9.2f}{both['max']:9.2f}"
                     f"{row['late_ms']['median']:9.2f}")
    lines.append("other box answers: median, from the fault on; both answer: until it is mended, 0.2 s"
                 " after that;\nclient late: median of the longest time between two of its requests"
                 " in a run")
    return "\n".join(lines)


def picture(samples):
    """An SVG: for each fault the share of runs with an outage of at most so long."""
    return plot.svg({
        f"{fault}: share of runs with an outage of at most": {
            system: plot.steps(sorted(s.outage_ms for s in samples
                                      if (s.system, s.fault) == (system, fault)))
            for system in dict.fromkeys(s.system for s in samples)}
        for fault in dict.fromkeys(s.fault for s in samples)}, _DECADES)
