"""Random faults of a running pair, judged by a passive observer: never two answers, always one.

tools/soak has the same with lengths of up to 10 s, for as long as one likes. Here the longest is
0.4 s, which is seven times a lease; the seed is new each time and printed.
"""

import secrets
import time

import pytest

from lab import faults, until
from lab.freeze import Frozen, control_thread, worker_threads
from lab.judge import Event, Judge, Terms

pytestmark = pytest.mark.alone

FAULTS = 60
LONGEST_MS = 400
TAKEOVER_NOISE_MS = 20  # that no thread of ours sees


def test_random_faults():
    """T25, T26, T27, T30, T35."""
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}: tools/soak --faults {FAULTS} --seed {seed} --longest {LONGEST_MS / 1000}")
    with faults.Campaign(seed, LONGEST_MS, say=print) as campaign:
        campaign.run(FAULTS)
        print(campaign.report())
    assert len(campaign.done) == FAULTS and campaign.freezes
    assert all(n > 1000 for n in campaign.judge.answers.values())
    # A takeover's lateness is also the machine's; a silence that lasts is found by the campaign.
    assert not [str(f) for f in campaign.judge.findings
                if f.invariant != "I2" or f.over_ms > TAKEOVER_NOISE_MS]


# C18.9 kept
def test_what_stalls_demotes(lab):
    """T26: a worker without a heartbeat for 10 ms, the default, is a demotion cause while control
    goes on; and control's own lateness is one."""
    box = lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20, lowest_advskew=20)
    settings = box.settings()
    del settings["dataplane"]["stall-after"]
    box.write_config(settings)
    box.start()
    box.wait_role("MASTER", within=3)

    def causes():
        return {c["name"] for c in box.status()["demotion"]["list"]}
    frozen = Frozen(worker_threads(box.process.pid)[0]).freeze()
    try:
        until("the stalled worker to be told", lambda: "stalled worker 0" in causes(), within=1)
    finally:
        frozen.thaw()
    until("the demotion to end", lambda: "stalled worker 0" not in causes(), within=10)
    for _ in range(3):
        frozen = Frozen(control_thread(box.process.pid)).freeze()
        time.sleep(0.06)
        frozen.thaw()
        time.sleep(0.02)
    until("late control to be told", lambda: "late control" in causes(), within=1)


# The judge must be able to find. Times in ms; the lease is 20 ms, the master-down time 30 ms.

def _judge(*lines):
    judge = Judge({"a": Terms(20, 30), "b": Terms(20, 30)})
    judge.healthy = lambda *_: True
    lines = [*lines, *((t, "request", "") for t in range(200))]
    for number, (ms, what, box) in enumerate(sorted(lines)):
        if what == "answer":
            judge.feed(Event(round(ms * 1e6) - 50_000, "request", key=number))
        judge.feed(Event(round(ms * 1e6), what, box, "x" if what == "answer" else "", number))
    judge.finish()
    return [f.invariant for f in judge.findings]


def _reign(box, since, until, every=1.0):
    claims = [(t, "claim", box) for t in range(since, until, 10)]
    return claims + [(since + 0.2 + i * every, "answer", box)
                     for i in range(int((until - since) / every))]


def test_the_judge_allows_a_clean_takeover():
    assert _judge(*_reign("a", 0, 100), *_reign("b", 125, 200)) == []


def test_the_judge_allows_two_wire_delays_and_a_millisecond():
    assert _judge(*_reign("a", 0, 100), *_reign("b", 99, 200)) == []


def test_the_judge_finds_an_answer_under_an_older_claim():
    stray = (150.2, "answer", "a")
    assert "I1" in _judge(*_reign("a", 0, 100), *_reign("b", 125, 200), stray)


def test_the_judge_finds_two_that_both_claim():
    assert "I1" in _judge(*_reign("a", 0, 200), *_reign("b", 105, 200))


def test_the_judge_finds_an_answer_after_the_lease():
    assert _judge((0, "claim", "a"), *[(t, "answer", "a") for t in (1, 10, 20, 24)]) == ["I3"]


def test_the_judge_finds_an_announcement_of_a_backup():
    assert _judge(*_reign("a", 0, 100), (50, "virtual", "b")) == ["I3"]


def test_the_judge_finds_a_late_takeover():
    assert _judge(*_reign("a", 0, 100), *_reign("b", 150, 200)) == ["I2"]


def test_the_judge_allows_for_a_machine_that_is_late():
    late = Event(round(148 * 1e6), "late", key=30.0)
    judge = Judge({"a": Terms(20, 30), "b": Terms(20, 30)})
    judge.healthy = lambda *_: True
    lines = sorted([*_reign("a", 0, 100), *_reign("b", 150, 200)])
    for ms, what, box in lines:
        if ms >= 150 and late:
            judge.feed(late)
            late = None
        judge.feed(Event(round(ms * 1e6), what, box, "x" if what == "answer" else ""))
    judge.finish()
    assert not judge.findings


def test_the_judge_leaves_out_the_burst_that_was_past_its_check():
    """Its request came next after the last one answered in time; a later one's answer counts, unless
    the driver kept it, which sent it while its interface was going down."""
    for asked, refused, found in ((100.6, None, []), (110.0, None, ["I3", "I1"]),
                                  (110.0, 115, []), (110.0, 135, ["I3", "I1"]),
                                  (110.0, 105, ["I3", "I1"])):
        judge = Judge({"a": Terms(20, 30), "b": Terms(20, 30)})
        if refused:
            judge.refuses("a", (refused - 1) * 1_000_000, refused * 1_000_000)
        lines = sorted(_reign("a", 0, 100) + _reign("b", 125, 200))
        for number, (ms, what, box) in enumerate(lines):
            if ms > 150 and not judge.late_bursts and not judge.findings:
                judge.feed(Event(round(150 * 1e6), "answer", "a", "x", "late"))
            if what == "answer":
                judge.feed(Event(round(ms * 1e6) - 50_000, "request", key=number))
            judge.feed(Event(round(ms * 1e6), what, box, "x" if what == "answer" else "", number))
            if ms < asked:
                judge.feed(Event(round(asked * 1e6), "request", key="late"))
        judge.finish()
        assert [f.invariant for f in judge.findings] == found
        assert judge.late_bursts == (not found)
