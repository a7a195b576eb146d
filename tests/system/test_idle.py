"""idle: adaptive with receive interrupts: a quiet worker costs little, and is there when it is needed."""

import statistics
import time

import pytest

from boxes import OWN, SHARED
from lab import until
from lab.freeze import Frozen, control_thread
from lab.network import CLIENT_ADDRESS
from lab.quiet import Asker, worker_share
from lab.tapbox import TapBox

pytestmark = pytest.mark.alone

# An advertisement every 0.23 s; in between the workers wait.
TIMERS = {"advbase": 0, "lowest_advskew": 60}
LEASE = 3 * 60 / 256  # seconds, less a guard
QUIET = 0.03          # seconds; they wait after 0.01


@pytest.fixture(scope="module")
def box(module_lab):
    """Alone and MASTER: it became that without a frame from anybody. Its host interrupts as well."""
    box = module_lab.station("a", kind=TapBox, own=OWN["a"], node_id=1, host="tap", advskew=60,
                             **TIMERS)
    box.start()
    box.wait_role("MASTER", within=5)
    assert "port lan: receive interrupts: yes" in box.log_text()
    assert "port lan: its host's receive interrupts: yes" in box.log_text()
    return box


@pytest.fixture(scope="module")
def asker(module_lab, box):
    return module_lab.keep_open(Asker(module_lab.client, CLIENT_ADDRESS, SHARED))


def test_a_quiet_worker_costs_little_and_lives(box):
    """Half of what naps cost (21 to 31 % of a core), at most; its heartbeat goes on."""
    assert worker_share(box.process.pid, 1) < 0.1
    ages = []
    for _ in range(50):
        ages.append(box.counters()["workers"][0]["heartbeat_age_seconds"])
    assert statistics.median(ages) < 0.001  # L1
    assert box.counters()["demotion"] == {"command": 0}


def test_answers_at_once_out_of_its_wait(asker):
    times = [t for t in asker.ask_often(20, QUIET) if t is not None]
    assert len(times) >= 18 and statistics.median(times) < 1000
    assert sorted(times)[-3] < 5000


def test_a_lease_ends_while_control_hangs(asker, box):
    """L1: nobody wakes the worker to tell it so."""
    until("an answer", asker.ask, within=1)
    frozen = Frozen(control_thread(box.process.pid)).freeze()
    try:
        began = time.monotonic()
        last = began
        while time.monotonic() - began < LEASE + 0.2:
            time.sleep(QUIET)
            if asker.ask(within=0.02):
                last = time.monotonic()
        assert last - began < LEASE
    finally:
        frozen.thaw()
    until("an answer after the thaw", asker.ask, within=3)


def test_control_reaches_a_worker_that_waits(module_lab, asker, box):
    """Demoted, it falls silent and bows out, and the other box, whose worker waits too, answers."""
    other = module_lab.station("b", kind=TapBox, own=OWN["b"], node_id=2, advskew=62, preempt=True,
                               **TIMERS)
    other.start()
    other.wait_role("BACKUP", within=3)
    until("b to hear a", lambda: (other.slot()["master"] or {}).get("address") == OWN["a"], within=2)
    box.wait_role("MASTER", within=3)
    observer = module_lab.observer(box, other)
    time.sleep(QUIET)
    began = box.demote()
    other.wait_role("MASTER", within=1)
    until("an answer", asker.ask, within=1)
    assert box.role() == "BACKUP"
    bow_outs = [at for at, header in observer.adverts("a", began) if (header[2], header[5]) == (255, 255)]
    assert bow_outs and bow_outs[0] - began < 200e6  # koictl's start is most of it
    assert observer.announcements("b", SHARED, began)[0].time_ns - bow_outs[0] < 20e6
    assert {a.box for a in observer.answers(SHARED, bow_outs[0])} == {"b"}
