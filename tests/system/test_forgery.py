"""Forged, replayed and reflected advertisements change no role, and are told (CARP.md, §6)."""

import time

import pytest

from boxes import Pair
from lab import Group, Lab, carp, forgeries, until
from lab.koibox import KEY

pytestmark = pytest.mark.alone

OF_EACH_KIND = 2000  # tools/soak --forgeries sends as many as one likes
WITHIN = 3           # packets until forgery-suspected
DIALECTS = ("openbsd", "freebsd", "ucarp")


@pytest.fixture(scope="module")
def pair():
    """`a` is the master. Both have been heard as one, and have told nothing."""
    with Lab() as lab:
        made = Pair(lab, "brisk")
        made.forger = forgeries.Forger([made.a, made.b], seed=1)
        made.up()
        made.a.ctl_ok("demote")
        made.b.wait_role("MASTER", within=2)
        made.forger.wait_heard(made.b, 2)
        made.a.ctl_ok("undemote")
        made.b.ctl_ok("demote")
        made.a.wait_role("MASTER", within=2)
        made.b.ctl_ok("undemote")
        made.settled(made.a)
        made.forger.wait_heard(made.a, 2)
        yield made


# C6.10 refused
@pytest.mark.parametrize("role", ["MASTER", "BACKUP"])
def test_a_replay_is_told_within_three_packets(pair, role):
    """T10, T11: a captured one with advbase and advskew 0, as a bow-out, and as it was."""
    victim, peer = (pair.a, pair.b) if role == "MASTER" else (pair.b, pair.a)
    before = forgeries.transitions(victim)
    captured = pair.forger.heard[peer.name][-1]
    told = victim.notices().get("forgery-suspected", 0)
    tap = victim.tap()
    for fields in ({"advbase": 0, "advskew": 0}, {"advbase": 255, "advskew": 255}, {})[:WITHIN]:
        tap.send(carp.frame(peer.own, forgeries.rewritten(captured, **fields)))
    until("forgery-suspected", lambda: victim.notices().get("forgery-suspected", 0) > told,
          within=1)
    assert f"forgery-suspected from {peer.own}" in victim.log_text()
    assert victim.role() == role and forgeries.transitions(victim) == before


# C4.2 refused, C6.3 refused, C6.4 refused
@pytest.mark.parametrize("kind", forgeries.KINDS)
def test_no_role_changes(pair, kind):
    """T10 to T12: thousands of each kind, to the MASTER and to the BACKUP; each is refused."""
    for victim in (pair.a, pair.b):
        changed, refused = forgeries.attack(pair.forger, victim, kind, OF_EACH_KIND // 2)
        assert not changed and refused > 0
    assert (pair.a.role(), pair.b.role()) == ("MASTER", "BACKUP")


# C6.4 refused
def test_our_own_are_ours_after_a_restart_too(pair):
    """T12: what the box sent before it was killed comes back when it has sent nothing yet."""
    sent = pair.forger.heard["a"][-20:]
    pair.a.kill()
    pair.b.wait_role("MASTER", within=2)
    pair.a.start()
    pair.settled(pair.b)
    before, tap = forgeries.transitions(pair.a), pair.a.tap()
    for header in sent:
        tap.send(carp.frame(pair.a.own, forgeries.rewritten(header, advbase=0, advskew=0)))
        tap.send(carp.frame("192.0.2.66", header, source_mac="02:00:00:00:00:66"))
    until("all to be refused", lambda: pair.a.drops().get("carp_own", 0) >= 2 * len(sent), within=2)
    assert pair.a.drops()["carp_own"] == 2 * len(sent)
    assert "carp_node_id" not in pair.a.drops()
    assert forgeries.transitions(pair.a) == before and pair.a.role() == "BACKUP"


# C6.9 kept
def test_other_dialects_obey_and_say_so(lab):
    """The residual risk (CARP.md): beside these systems a replay cannot be told from a lawful
    change, so it is obeyed, and raises a notice."""
    addresses = {d: f"192.0.2.{101 + i}" for i, d in enumerate(DIALECTS)}
    box = lab.koi("a", own="192.0.2.2", node_id=1, groups=[
        Group(name=d, vhid=1 + i, dialect=d, addresses=(addresses[d],))
        for i, d in enumerate(DIALECTS)])
    box.start()
    tap = box.tap()
    for dialect in DIALECTS:
        box.wait_role("MASTER", 6, dialect)
    for i, dialect in enumerate(DIALECTS):
        peer = carp.Speaker(tap, f"192.0.2.{30 + i}", key=KEY, addresses=[addresses[dialect]],
                            vhid=1 + i, first_counter=time.time_ns() // 1000)
        old = peer.header(advbase=1, advskew=200)
        _, captured = peer.say(advbase=1, advskew=200)
        until("a worse one to be taken", lambda d=dialect: _taken(box, d) == 1, within=1)
        assert box.role(dialect) == "MASTER" and not box.notices(dialect)
        tap.send(carp.frame(peer.source, forgeries.rewritten(captured, advbase=0, advskew=0),
                            vhid=1 + i))
        box.wait_role("BACKUP", 1, dialect)
        assert box.notices(dialect).get("parameters-changed") == 1
        tap.send(carp.frame(peer.source, old, vhid=1 + i))
        until("counter-went-back", lambda d=dialect: box.notices(d).get("counter-went-back"),
              within=1)


def _taken(box, group):
    slot = next(s for s in box.counters()["slots"] if s["group"] == group)
    return slot["adverts_received"].get("accepted", 0)
