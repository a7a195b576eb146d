"""What was measured, and how it is summed up."""

import dataclasses
import json
import statistics


@dataclasses.dataclass
class Event:
    """A kill or a hand-over. Outages in ms as the client saw them; answers around the moment."""

    kind: str       # "kill" or "hand-over"
    box: str        # who owned the address
    heir: str       # who owns it now
    moment_ns: int  # CLOCK_REALTIME
    arp_ms: float
    echo_ms: float
    probe_late_ms: float  # the probe's own largest delay meanwhile: noise in the figures
    overlap_ms: float     # for how long both answered
    answers: list         # lab.Answer

    def sentence(self):
        done = ("box {} was killed (SIGKILL)" if self.kind == "kill"
                else "box {} handed over (koictl demote)").format(self.box)
        return (f"{done}, box {self.heir} answers: outage {self.arp_ms:.1f} ms for ARP, "
                f"{self.echo_ms:.1f} ms for echo")

    def row(self):
        out = dataclasses.asdict(self)
        del out["answers"]
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in out.items()}


def summary(events):
    """Median and largest outage per kind of event and of answer, in ms."""
    out = {}
    for kind in dict.fromkeys(e.kind for e in events):
        rows = [e for e in events if e.kind == kind]
        out[kind] = {"count": len(rows)}
        for what in ("arp_ms", "echo_ms", "probe_late_ms", "overlap_ms"):
            values = [getattr(e, what) for e in rows]
            out[kind][what] = {"median": round(statistics.median(values), 3),
                               "max": round(max(values), 3)}
    return out


def write(path, events, setting):
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"setting": setting, "summary": summary(events),
                   "events": [e.row() for e in events]}, f, indent=2)
        f.write("\n")
