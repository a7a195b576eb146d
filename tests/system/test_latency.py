"""tools/latency: what it makes of runs, a run of it, and an answerer that is late."""

import json
import pathlib
import subprocess
import threading
import time
import xml.etree.ElementTree

import pytest

from lab import Lab, Tap, netns
from lab.koibox import SHARED
from lab.station import IFACE
from latency_lib import load, report, systems
from latency_lib.load import CLIENT, HOLDS, LOST, Run, Times

pytestmark = pytest.mark.alone

TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"
LATE_NS = (5_000_000, 15_000_000)
SLACK_NS = 1_000_000  # the way there and back


def _times(*buckets, largest=None):
    return Times({"max": largest or buckets[-1][0], "buckets": buckets})


def _run(rate, asked, *buckets, late=1000):
    return Run(rate, asked, sum(count for _, count in buckets), _times(*buckets),
               _times((late, asked)))


def test_quantiles():
    """Nearest rank: of 1 to 1000 each is its own number; the largest is exact."""
    times = _times(*((n, 1) for n in range(1, 1001)))
    assert [times.quantile(q) for q in report.QUANTILES.values()] == [500, 990, 999, 1000]
    times = _times((10, 98), (20, 1), (40, 1), largest=33)
    assert [times.quantile(q) for q in (0.98, 0.981, 0.99, 0.991, 1)] == [10, 20, 20, 33, 33]
    assert Times({"max": 0, "buckets": []}).quantile(0.5) is None


def test_verdicts():
    assert _run(1000, 10_000, (5000, 9991)).verdict() == HOLDS
    assert _run(1000, 10_000, (5000, 9990)).verdict() == LOST
    assert _run(1000, 10_000, (5000, 10_000), late=200_001).verdict() == CLIENT


@pytest.mark.parametrize("limit,why", [(8000, LOST), (123_456, LOST), (250_000, CLIENT)])
def test_search(limit, why):
    """Each rate fails once, for the machine's sake."""
    asked = set()

    def verdict(rate):
        holds = rate <= limit and rate in asked
        asked.add(rate)
        return HOLDS if holds else why
    rate, ended = load.highest(verdict)
    assert limit / load.PRECISION <= rate <= limit and ended == why
    with pytest.raises(RuntimeError):
        load.highest(lambda rate: LOST)


def test_report():
    """Medians over rounds of what is lost and late, ratios to the first, one rate for all."""
    maxima = {"koi": report.Maximum(100_000, LOST), "kernel": report.Maximum(50_000, CLIENT)}
    assert report.loads([1, 90], maxima) == {
        ("koi", "1 %"): 1000, ("koi", "90 %"): 90_000, ("koi", "common"): 25_000,
        ("kernel", "1 %"): 500, ("kernel", "90 %"): 45_000, ("kernel", "common"): 25_000}
    runs = {("koi", "1 %"): [_run(1000, 100, (n, 99)) for n in (20_000, 90_000, 30_000)],
            ("kernel", "1 %"): [_run(500, 100, (60_000, 98), (75_000, 2))]}
    sums = report.summary(runs)
    assert list(sums) == [("koi", "1 %"), ("kernel", "1 %")]
    assert sums["koi", "1 %"]["delay_us"] == {"median": 30, "p99": 30, "p99.9": 30, "max": 30}
    assert sums["koi", "1 %"]["lost"] == pytest.approx(0.01)
    lines = [line.split() for line in report.table(sums).splitlines()]
    assert lines[2] == "1 % koi 1,000 300 1.00% 30.0 30.0 30.0 30.0 1.0 1.0 1.00 1.00".split()
    assert lines[3] == "1 % kernel 500 100 0.00% 60.0 75.0 75.0 75.0 1.0 1.0 2.00 2.50".split()


def test_picture():
    """1 µs to 100 ms are 560 wide, 90 % is a quarter of 150 high, what was lost is not reached."""
    picture = report.picture({("koi", "1 %"): [_run(1, 100, (10_000, 90), (100_000, 9))]})
    path, = [e.get("d") for e in xml.etree.ElementTree.fromstring(picture).iter()
             if e.tag.endswith("path")]
    assert path == "M172.0 190.0 L172.0 190.0 L172.0 152.5 L284.0 152.5 L284.0 115.0"


def test_a_run_of_it(tmp_path):
    """Of all three, at a rate that is nothing to them: the limit is ten times what they take. koid
    leaves some unanswered when the machine had its core for a millisecond (L8)."""
    done = subprocess.run(
        [TOOLS / "latency", "--maximum", "16000", "--loads", "--rounds", "1", "--seconds", "0.1",
         "--out", tmp_path], capture_output=True, text=True, check=False, timeout=60)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    found = json.loads((tmp_path / "latency.json").read_text())
    rows = {(row["system"], row["load"]): row for row in found["summary"]}
    assert list(rows) == [(system, at) for system in systems.DEFAULT for at in ["common"]]
    for row in rows.values():
        assert row["asked"] == 800 and row["lost"] < 0.9
        assert 0 < row["delay_us"]["median"] <= row["delay_us"]["p99.9"] <= row["delay_us"]["max"]
        assert row["delay_us"]["median"] < 1000
    xml.etree.ElementTree.parse(tmp_path / "latency.svg")


class _Late(systems.System):
    """Answers each request after 5 ms, each second one after 15 ms, each tenth one never."""

    name, about = "late", ""
    took = ()  # ns from a request's arrival until its answer was about to leave, and had left

    def _box(self):
        box = self.lab.station(self.name)
        netns.silence_kernel(box.namespace, IFACE)
        return box

    def serve(self, requests):
        tap, mac = self.box.lab.keep_open(Tap(self.box.namespace, IFACE)), bytes.fromhex("02feedfeed01")
        waiting, took, seen, end = [], [], 0, time.monotonic() + 10
        while (seen < requests or waiting) and time.monotonic() < end:
            for frame in tap.frames():
                sender, asked = frame.data[22:32], frame.data[38:42]
                if seen % 10 != 9:
                    answer = sender[:6] + mac + bytes.fromhex(
                        "0806 0001 0800 06 04 0002") + mac + asked + sender
                    waiting.append((frame.time_ns + LATE_NS[seen % 2], frame.time_ns, answer))
                seen += 1
            while waiting and min(waiting)[0] <= time.time_ns():
                _, came, answer = waiting.pop(waiting.index(min(waiting)))
                leaves = time.time_ns() - came
                tap.send(answer)
                took.append((leaves, time.time_ns() - came))
        self.took = [sorted(times) for times in zip(*took)]


def test_an_answerer_that_is_late():
    """No answer's time is less than what its own request had to wait, nor much more: this machine
    may make the answerer itself later than it means to be, which is what it then took."""
    with Lab() as lab:
        late = _Late(lab)
        serving = threading.Thread(target=late.serve, args=[500])
        serving.start()
        run = load.run(lab.build, lab.client.namespace, late.interface, SHARED, 5000, 0.1)
        serving.join()
    print(run.delay.buckets, run.late.largest, late.took)
    assert (run.asked, run.answered) == (500, 450)
    assert run.delay.buckets[0][0] >= LATE_NS[0]
    assert sum(count for edge, count in run.delay.buckets if edge >= LATE_NS[1]) >= 200
    for q in (0.1, 0.5, 0.9):
        least, most = (times[round(q * 450) - 1] for times in late.took)
        assert least <= run.delay.quantile(q) <= 1.01 * most + SLACK_NS
