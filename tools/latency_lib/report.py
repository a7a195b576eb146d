"""What runs come to: medians over the rounds, the table, the figures, the picture. No clock, no network."""

import collections
import dataclasses
import statistics

from meter_lib import plot

QUANTILES = {"median": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
COMMON = "common"       # the load that is one rate for all
_DECADES, _NINES = (-3, 2), 4   # of the picture: 1 µs to 100 ms, to 99.99 %


@dataclasses.dataclass
class Maximum:
    rate: int
    ended_by: str       # what befell the next higher rate: see load.highest


def loads(percents, maxima):
    """{(system, load): requests a second} in the order they are asked; maxima: system to Maximum."""
    common = round(min(m.rate for m in maxima.values()) / 2)
    return {(system, load): max(1, rate)
            for system, most in maxima.items()
            for load, rate in [(f"{p:g} %", round(most.rate * p / 100)) for p in percents]
            + [(COMMON, common)]}


def summary(runs):
    """runs: (system, load) to its runs. To {"rate", "asked", "lost": share of all asked, "delay_us",
    "late_us": each a name of QUANTILES to the median over the rounds, None where none was answered}."""
    return {key: {
        "rate": some[0].rate, "rounds": len(some), "asked": sum(r.asked for r in some),
        "lost": 1 - sum(r.answered for r in some) / sum(r.asked for r in some),
        "delay_us": _medians([r.delay for r in some]),
        "late_us": _medians([r.late for r in some])} for key, some in runs.items() if some}


def _medians(rounds):
    out = {}
    for name, share in QUANTILES.items():
        found = [value for times in rounds if (value := times.quantile(share)) is not None]
        out[name] = statistics.median(found) / 1000 if found else None
    return out


def maxima_table(maxima):
    said = {"lost": "more is lost", "client": "the client cannot ask more often"}
    return "\n".join(f"{system:10}{most.rate:9,}/s at most: {said.get(most.ended_by, most.ended_by)}"
                     for system, most in maxima.items())


def table(sums):
    """Load by load, each system's times beside the first one's."""
    lines = [f"{'':10}{'':10}{'':>9}{'':>9}{'':>8}{'delay, µs':>40}{'client late, µs':>20}"
             f"{'to the first':>20}",
             f"{'load':10}{'system':10}{'rate/s':>9}{'asked':>9}{'lost':>8}"
             f"{'median':>10}{'P99':>10}{'P99.9':>10}{'max':>10}{'median':>10}{'P99':>10}"
             f"{'median':>10}{'P99':>10}"]
    for load in dict.fromkeys(load for _, load in sums):
        rows = {system: row for (system, of), row in sums.items() if of == load}
        first = next(iter(rows.values()))["delay_us"]
        for system, row in rows.items():
            delay, late = row["delay_us"], row["late_us"]
            lines.append(
                f"{load:10}{system:10}{row['rate']:9,}{row['asked']:9,}{row['lost']:8.2%}"
                + "".join(_number(delay[name], 10, 1) for name in QUANTILES)
                + "".join(_number(late[name], 10, 1) for name in ("median", "p99"))
                + "".join(_number(_ratio(delay[name], first[name]), 10, 2)
                          for name in ("median", "p99")))
    return "\n".join(lines)


def _ratio(value, other):
    return value / other if value is not None and other else None


def _number(value, width, places):
    return f"{'-':>{width}}" if value is None else f"{value:{width},.{places}f}"


def figures(maxima, sums, runs, setting):
    """For the JSON."""
    return {"setting": setting,
            "maxima": {system: dataclasses.asdict(most) for system, most in maxima.items()},
            "summary": [{"system": s, "load": of} | row for (s, of), row in sums.items()],
            "runs": [{"system": s, "load": of, "rate": r.rate, "asked": r.asked, "answered": r.answered,
                      "delay_us": _medians([r.delay]), "late_us": _medians([r.late])}
                     for (s, of), some in runs.items() for r in some]}


def picture(runs):
    """An SVG; all rounds of a system at a load are one line, and what was lost lacks at its top."""
    panels = collections.defaultdict(dict)
    for (system, load), some in runs.items():
        buckets = sum((collections.Counter(dict(r.delay.buckets)) for r in some),
                      collections.Counter())
        asked, line, at_most = sum(r.asked for r in some), [], 0
        for edge, count in sorted(buckets.items()):
            at_most += count
            line.append((edge / 1e6, at_most / asked))
        title = "one rate for all" if load == COMMON else f"{load} of each one's maximum"
        panels[f"{title}: share of requests answered within"][system] = line
    return plot.svg(panels, _DECADES, _NINES)
