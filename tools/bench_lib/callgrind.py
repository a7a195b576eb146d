"""Instructions a frame, of whole loops with their driver: what a noisy machine cannot hide."""

import functools
import glob
import pathlib
import re
import subprocess
import tempfile
import time

from bench_lib import cases
from bench_lib.contestants import Alone, Least, Testpmd

SECONDS = 6  # of counting
ALONE = {"arp": ("1",), "arp-4096": ("4096",), "mix": ("1",),
         "balanced-openbsd": ("1", "openbsd"), "balanced-freebsd": ("1", "freebsd"),
         "groups-1": ("1", "groups"), "groups-255": ("255", "groups"),
         "groups-4080": ("4080", "groups")}


def valgrind(folder):
    """Before a command. Without fair scheduling one thread has all the time."""
    return ["valgrind", "--tool=callgrind", "--trace-children=yes", "--separate-threads=yes",
            "--fair-sched=yes", f"--callgrind-out-file={folder}/instructions"]


def _dump(process):
    """And counts from zero again."""
    subprocess.run(["callgrind_control", "-d", str(process.pid)], capture_output=True, check=True)


def _second_part(folder):
    """Of all threads."""
    total = 0
    for path in glob.glob(f"{folder}/instructions*"):
        text = pathlib.Path(path).read_text(encoding="utf-8")
        if re.search(r"^part: 2$", text, re.M):
            total += int(re.search(r"^totals: (\d+)", text, re.M)[1])
    return total


def per_frame(make):
    """(instructions, share of the frames that were answered)."""
    with tempfile.TemporaryDirectory(prefix="koi-bench-") as folder:
        contestant = make(pathlib.Path(folder), under=valgrind(folder))
        try:
            contestant.settle()
            before = contestant.counted()
            _dump(contestant.process)
            time.sleep(SECONDS)
            after = contestant.counted()
            _dump(contestant.process)
        finally:
            contestant.stop()
        handled, answered = (now - then for now, then in zip(after, before))
        return _second_part(folder) / handled, answered / handled


def loops(options, named):
    """(case, by whom, what makes it)."""
    swept = {f"groups-{n}": cases.in_vlans(f"groups-{n}", n) for n in (1, 255, 4080)}
    for name, arguments in ALONE.items():
        yield name, "koi's worker", functools.partial(
            Alone, options=options, case=(named | swept)[name], arguments=arguments)
    for name in ("least", "least-4096"):
        yield name.replace("least", "arp"), "least loop", functools.partial(
            Least, options=options, build=options.build, case=named[name])
    for mode in ("io", "icmpecho"):
        yield "arp", f"testpmd {mode}", functools.partial(
            Testpmd, options=options, mode=mode, case=named["arp"])


def measure(options, named):
    """(case, by whom, instructions, share answered) of each."""
    return [(case, who, *per_frame(make)) for case, who, make in loops(options, named)]


def table(rows):
    lines = [f"{'case':20}{'by':18}{'instructions':>13}{'answered':>10}"]
    lines += [f"{case:20}{who:18}{count:13.1f}{share:10.0%}" for case, who, count, share in rows]
    return "\n".join(lines)
