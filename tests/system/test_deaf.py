"""A BACKUP that hears nothing at all asks before it takes over (CARP.md §17)."""

import time

import pytest

from boxes import OVERLAP_ALLOWED_MS, OWN, SHARED, Pair
from lab import overlap_ms, until

pytestmark = pytest.mark.alone

ASKED_MS = 100  # at most, before the master-down time is over


def _pair(lab, takes_over):
    """b is the one that goes deaf."""
    pair = Pair(lab, "brisk", preempt=True)
    pair.b.groups[0].extra = {"takeover-when-deaf": takes_over}
    pair.b.write_config()
    return pair.up()


def _cause(box):
    return box.slot()["cause"]


# C17.1 kept, C17.3 kept
def test_takes_over_after_it_has_asked(lab):
    """It takes over when nobody answers; the boxes are one again once it hears."""
    pair = _pair(lab, True)
    began = time.time_ns()
    pair.b.cut(True)
    pair.b.wait_role("MASTER", within=2)
    assert _cause(pair.b) == "deaf takeover"
    first = pair.observer.adverts("b", began)[0][0]
    asked = [f for f in pair.observer.frames("b", began)
             if f.arp_operation() == 1 and f.arp_target_ip() == OWN["a"] and f.time_ns < first]
    assert asked and all(f.source == pair.b.mac and f.arp_sender_ip() == OWN["b"] for f in asked)
    assert pair.a.role() == "MASTER"  # the wire works in the other direction: a is the better one
    pair.b.cut(False)
    pair.settled(pair.a)


# C17.1 refused, C17.3 refused
def test_stays_backup_as_configured(lab):
    """takeover-when-deaf: false: it says so, every time, and takes nothing; heals by itself."""
    pair = _pair(lab, False)
    began = time.time_ns()
    pair.b.cut(True)
    until("notices of deafness", lambda: pair.b.notices().get("deaf", 0) >= 3, within=5)
    assert pair.b.role() == "BACKUP"
    assert "deaf from" in pair.b.log_text()
    assert not pair.observer.adverts("b", began)
    pair.b.cut(False)
    pair.settled(pair.a)
    noticed = pair.b.notices()["deaf"]
    # It hears again, and does what it is for.
    pair.change(pair.a.kill, pair.b, within=2)
    assert _cause(pair.b) == "master-down timer"
    assert pair.b.notices()["deaf"] == noticed


# C17.1 kept
def test_a_quiet_network_is_taken_over_in_time(lab):
    """Promise 2: asking comes before the master-down time is over, and costs nothing."""
    pair = _pair(lab, True)
    # One that b has had no start to go through before it was read.
    up = time.time_ns()
    until("an advertisement", lambda: pair.observer.adverts("a", up), within=2)
    pair.a.kill()
    pair.b.wait_role("MASTER", within=2)
    heard, first = pair.observer.adverts("a")[-1][0], pair.observer.adverts("b")[0][0]
    down = pair.b.groups[0].master_down_ms()
    assert down - 2 <= (first - heard) / 1e6 <= down + 5 + 20
    assert _cause(pair.b) == "deaf takeover"
    asked = [f for f in pair.observer.frames("b", heard)
             if f.arp_operation() == 1 and f.arp_target_ip() == OWN["a"] and f.time_ns < first]
    assert asked and down - ASKED_MS - 5 <= (asked[0].time_ns - heard) / 1e6


@pytest.mark.parametrize("takes_over", [True, False])
def test_other_traffic_is_hearing(lab, takes_over):
    """C17.2: with any frame in the master-down time the takeover is in time, and no deaf one."""
    pair = _pair(lab, takes_over)
    (arp, _, late), _, answers = pair.change(pair.a.kill, pair.b, within=2)
    assert overlap_ms(answers) <= OVERLAP_ALLOWED_MS
    assert arp <= pair.b.groups[0].master_down_ms() + 5 + late + 10
    assert _cause(pair.b) == "master-down timer" and "deaf" not in pair.b.notices()
    assert lab.client.ping(SHARED)
