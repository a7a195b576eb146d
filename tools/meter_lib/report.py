"""What samples come to: percentiles, the table, the goals, the plot. No clock and no network."""

import dataclasses
import math
import statistics

GOAL_KILL, GOAL_PLANNED_MS = 0.45, 2.0
QUIET_MS = 1.0   # where the client itself was no later, the machine let it run


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
    """Those in which the client asked in time."""
    return [s for s in samples if s.late_ms <= QUIET_MS]


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
        for which, found in (("", sums), (f", where the client was at most {QUIET_MS:g} ms late",
                                          quiet_sums)):
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


# The plot: for each fault the share of runs (upwards) with an outage of at most so long (log scale).

_COLOURS = ("#0b6e4f", "#6bbf59", "#c1121f", "#e9897e", "#5f5f8c", "#444444")
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 560, 150, 60, 40, 60
_DECADES = (-1, 4)      # 0.1 ms to 10 s


def plot(samples):
    """An SVG."""
    faults = list(dict.fromkeys(s.fault for s in samples))
    colours = dict(zip(dict.fromkeys(s.system for s in samples), _COLOURS))
    height = _TOP + len(faults) * (_HEIGHT + _GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 20}" '
           f'height="{height}" font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="{height}" fill="white"/>']
    for i, (system, colour) in enumerate(colours.items()):
        out.append(f'<text x="{_LEFT + i * 115}" y="20" fill="{colour}" font-weight="bold">'
                   f'{system}</text>')
    for i, fault in enumerate(faults):
        top = _TOP + i * (_HEIGHT + _GAP)
        out += _axes(fault, top)
        for system, colour in colours.items():
            values = [s.outage_ms for s in samples if (s.system, s.fault) == (system, fault)]
            if values:
                out.append(f'<path d="{_steps(sorted(values), top)}" fill="none" '
                           f'stroke="{colour}" stroke-width="2"/>')
    return "\n".join(out) + "\n</svg>\n"


def _x(ms):
    low, high = _DECADES
    share = (math.log10(max(ms, 10 ** low)) - low) / (high - low)
    return _LEFT + _WIDTH * min(share, 1)


def _axes(fault, top):
    bottom = top + _HEIGHT
    out = [f'<text x="{_LEFT}" y="{top - 4}">{fault}: share of runs with an outage of at most</text>',
           f'<text x="{_LEFT - 8}" y="{top + 10}" text-anchor="end">100 %</text>',
           f'<text x="{_LEFT - 8}" y="{bottom}" text-anchor="end">0</text>',
           f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" '
           'stroke="#999"/>']
    for decade in range(_DECADES[0], _DECADES[1] + 1):
        x = _x(10 ** decade)
        label = f"{10 ** decade:g} ms" if decade < 3 else f"{10 ** (decade - 3):g} s"
        out += [f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>',
                f'<text x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{label}</text>']
    return out


def _steps(values, top):
    """Up by one run's share at each value."""
    def y(count):
        return top + _HEIGHT * (1 - count / len(values))
    path = [f"M{_x(values[0]):.1f} {y(0):.1f}"]
    for count, value in enumerate(values, 1):
        path += [f"L{_x(value):.1f} {y(count - 1):.1f}", f"L{_x(value):.1f} {y(count):.1f}"]
    return " ".join(path)
