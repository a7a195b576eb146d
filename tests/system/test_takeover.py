"""Who owns the address when boxes die, return, resign and hang, as a client sees it."""

import statistics
import time

import pytest

from boxes import OVERLAP_ALLOWED_MS, SHARED, VMAC, Pair
from lab import overlap_ms
from lab.wire import BROADCAST, mac_bytes

pytestmark = pytest.mark.alone

MARGIN_MS = 5  # promise 2 of design.md: its own master-down time plus 5 ms


def _client_knows(lab):
    """The client's kernel, asked anew, gets an answer from the owner's virtual MAC."""
    assert lab.client.neighbor(SHARED) == VMAC
    assert lab.client.ping(SHARED)


def _transitions(box):
    """(from, to) to how often, whatever the cause."""
    out = {}
    for t in box.counters()["slots"][0]["transitions"]:
        out[t["from"], t["to"]] = out.get((t["from"], t["to"]), 0) + t["count"]
    return out


def test_kill_with_the_shortest_timer(lab):
    """advbase 0, 11.7 ms: five kills of whoever owns it; each victim returns as BACKUP."""
    pair = Pair(lab, "tight").up()
    figures = []
    for _ in range(5):
        owner = pair.owner()
        heir = pair.other(owner)
        (arp, echo, late), _, _ = pair.change(owner.kill, heir, within=1)
        figures.append((arp, echo, late))
        _client_knows(lab)
        owner.start()
        pair.settled(heir)
    print("ARP, echo, the probe's own delay, ms:", figures)
    down = pair.b.groups[0].master_down_ms()
    for arp, echo, late in figures:
        assert max(arp, echo) <= down + MARGIN_MS + late + 10
    assert statistics.median(f[0] for f in figures) <= 14 + statistics.median(
        f[2] for f in figures)


def test_kill_with_seconds(lab):
    """advbase 1, advskew 0/100: at most 3.6 s; the victim returns as BACKUP and takes nothing."""
    pair = Pair(lab, "seconds").up()
    (arp, echo, _), killed, _ = pair.change(pair.a.kill, pair.b, within=5)
    print(f"outage: ARP {arp:.1f} ms, echo {echo:.1f} ms")
    down = pair.b.groups[0].master_down_ms()
    assert down - 1000 - MARGIN_MS < arp <= 3600 and echo <= 3600
    # The last advertisement heard is the takeover's beginning.
    heard = pair.observer.adverts("a")[-1][0]
    took = pair.observer.announcements("b", SHARED, killed)[0].time_ns
    assert down - 2 <= (took - heard) / 1e6 <= down + MARGIN_MS + 15
    _client_knows(lab)
    pair.a.start()
    pair.settled(pair.b)  # a has heard b, which is worse, and leaves it
    assert pair.a.slot()["master"]["mac"] == VMAC


# C7.7 kept, C8.8 kept, C7.7 refused
def test_preempt(lab):
    """With preempt the better box takes back, through BACKUP, and nobody answers twice."""
    pair = Pair(lab, "brisk", preempt=True).up()
    pair.a.kill()
    pair.b.wait_role("MASTER", within=2)
    began = time.time_ns()
    with lab.probe(SHARED) as probe:
        pair.a.start()
        pair.a.wait_role("MASTER", within=3)
        pair.b.wait_role("BACKUP", within=1)
        time.sleep(0.1)
        probe.stop()
    answers = pair.observer.answers(SHARED, began)
    assert overlap_ms(answers) <= OVERLAP_ALLOWED_MS
    assert answers[0].box == "b" and answers[-1].box == "a"
    moved = _transitions(pair.a)
    assert moved[("INIT", "BACKUP")] == 1 and moved[("BACKUP", "MASTER")] == 1
    assert ("INIT", "MASTER") not in moved
    _client_knows(lab)


# C9.6 kept, C9.7 kept, C9.6 refused
def test_planned_handover(lab):
    """koictl demote, timers of seconds: silence first, then the bow-out, then the peer."""
    pair = Pair(lab, "seconds").up()
    figures = []
    for _ in range(4):
        owner = pair.owner()
        heir = pair.other(owner)
        outages, moment, answers = pair.change(owner.demote, heir, within=2)
        figures.append(outages)
        bow_outs = [t for t, c in pair.observer.adverts(owner.name, moment)
                    if (c[5], c[2]) == (255, 255)]
        assert len(bow_outs) == 1
        last = max(a.time_ns for a in answers if a.box == owner.name)
        assert last <= bow_outs[0], "the old owner answered after its bow-out"
        slot = owner.slot()
        assert slot["role"] == "BACKUP" and slot["demotion"] > 0
        _client_knows(lab)
        owner.undemote()
        pair.settled(heir)  # without preempt nothing moves
        assert owner.slot()["demotion"] == 0
    print("ARP, echo, the probe's own delay, ms:", figures)
    assert statistics.median(f[0] for f in figures) <= 2 + statistics.median(
        f[2] for f in figures)
    assert max(f[0] for f in figures) < 50


def test_sigterm_bows_out(lab):
    pair = Pair(lab, "seconds").up()
    (arp, echo, late), moment, _ = pair.change(pair.a.terminate, pair.b, within=2)
    assert max(arp, echo) < 50 + late
    assert pair.a.process.wait(2) == 0
    last = pair.observer.adverts("a")[-1]
    assert last[0] >= moment and (last[1][5], last[1][2]) == (255, 255)
    _client_knows(lab)


# C7.9 refused
@pytest.mark.parametrize("seconds", [0.5, 2])
def test_frozen_owner_never_answers_twice(lab, seconds):
    """SIGSTOP the owner, let the peer take over, SIGCONT: what waited is not answered."""
    pair = Pair(lab, "brisk").up()
    began = time.time_ns()
    with lab.probe(SHARED) as probe:
        pair.a.freeze()
        pair.b.wait_role("MASTER", within=2)
        time.sleep(seconds)
        thawed = time.time_ns()
        pair.a.thaw()
        pair.a.wait_role("BACKUP", within=2)
        time.sleep(0.2)
        probe.stop()
    answers = pair.observer.answers(SHARED, began)
    assert overlap_ms(answers) <= OVERLAP_ALLOWED_MS
    assert not [a for a in answers if a.box == "a" and a.time_ns > thawed]
    assert not pair.observer.announcements("a", SHARED, thawed)
    assert pair.b.role() == "MASTER"


# C7.8 kept, C7.8 refused
def test_frozen_backup_takes_nothing(lab):
    """A BACKUP that overslept finds the master's advertisements first (L9)."""
    pair = Pair(lab, "brisk").up()
    began = time.time_ns()
    for _ in range(5):
        pair.b.freeze()
        time.sleep(0.5)
        pair.b.thaw()
        time.sleep(0.1)
        assert pair.b.role() == "BACKUP"
    assert not pair.observer.adverts("b", began)


# C10.3 kept, C10.5 kept
def test_announcements(lab):
    """protocol.md §9: advertisement, gratuitous ARP, and a second round after two more adverts."""
    pair = Pair(lab, "brisk", addresses=(SHARED, "192.0.2.11"))
    pair.a.start()
    pair.a.wait_role("MASTER", within=3)
    time.sleep(4 * 0.0782)
    adverts = [t for t, _ in pair.observer.adverts("a")]
    for address in (SHARED, "192.0.2.11"):
        raw = bytes(int(n) for n in address.split("."))
        expected = (mac_bytes(BROADCAST) + mac_bytes(VMAC) + bytes.fromhex("08060001080006040001")
                    + mac_bytes(VMAC) + raw + bytes(6) + raw)
        frames = pair.observer.announcements("a", address)
        assert frames and all(f.data[:42] == expected for f in frames)
        assert adverts[0] <= frames[0].time_ns < adverts[1]
        assert [f for f in frames if adverts[2] <= f.time_ns < adverts[3]], "no second round"
    slot = pair.a.slot()
    assert slot["lease_ms"] > 0 and slot["cause"]


# C7.7 kept
def test_cable_pulled(lab):
    """The owner's cable is pulled: the peer takes over, it goes INIT and returns by BACKUP."""
    pair = Pair(lab, "brisk").up()

    def pull():
        when = time.time_ns()
        pair.a.plug(False)
        return when
    (arp, _, late), _, _ = pair.change(pull, pair.b, within=2)
    assert arp <= pair.b.groups[0].master_down_ms() + MARGIN_MS + late + 30
    pair.a.wait_role("INIT", within=2)
    pair.a.plug(True)
    pair.a.wait_role("BACKUP", within=2)
    time.sleep(0.3)
    assert pair.a.role() == "BACKUP" and pair.b.role() == "MASTER"
