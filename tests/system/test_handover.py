"""koictl handover: one group goes to the other box, and the person is told who has it."""

import re

import pytest

from boxes import Pair
from lab import until

pytestmark = pytest.mark.alone

LIMIT_MS = 500  # of what koictl says: the change itself takes 2 ms


def handover(box, *arguments):
    code, out, err = box.ctl("handover", "lan-gateway", *arguments, within=20)
    return code, out + err


def took_ms(said):
    found = re.search(r"after ([\d.]+) (ms|us|s)", said)
    return float(found[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[found[2]]


def test_a_preempting_box_holds_back(lab):
    pair = Pair(lab, "patient", preempt=True).up()
    code, said = handover(pair.a)
    assert code == 0 and said.startswith(f"lan-gateway: MASTER is {pair.b.own}, after "), said
    assert said.endswith("this box holds back until koictl undemote handover\n")
    assert took_ms(said) < LIMIT_MS
    pair.settled(pair.b)
    (cause,) = pair.a.status()["demotion"]["list"]
    assert (cause["name"], cause["groups"]) == ("handover", ["lan-gateway"])
    # From the other box it comes back at once, for this one is the better; its own is not needed.
    assert handover(pair.a) == (1, "koictl: koid refused: this box is not MASTER of lan-gateway; "
                                f"{pair.b.own} is MASTER\n")
    pair.a.ctl_ok("undemote", "handover")
    pair.a.wait_role("MASTER", within=2)
    pair.settled(pair.a)


def test_without_preempt_nothing_remains(lab):
    pair = Pair(lab, "patient").up()
    for giver, heir in ((pair.a, pair.b), (pair.b, pair.a)):
        code, said = handover(giver)
        assert code == 0, said
        assert re.fullmatch(rf"lan-gateway: MASTER is {heir.own}, after [\d.]+ ms\n", said)
        pair.settled(heir)
        assert giver.status()["demotion"]["list"] == []


def test_alone_it_is_master_again_and_says_so(lab):
    pair = Pair(lab, "brisk", preempt=True)
    pair.a.start()
    pair.a.wait_role("MASTER", within=6)
    assert handover(pair.a) == (1, "koictl: koid refused: lan-gateway: nobody took it over: this box "
                                "is MASTER again\n")
    until("it to hold nothing against itself",
          lambda: pair.a.status()["demotion"]["list"] == [], within=1)
    assert handover(pair.a, "--for", "soon")[0] == 2
    assert pair.a.ctl("handover", "wan")[2] == (
        "koictl: koid refused: no group \"wan\"; there are lan-gateway\n")
