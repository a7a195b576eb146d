"""Why a box steps back and when it returns: health checks, demote for a time, maintenance."""

import os
import time

import pytest

from boxes import OVERLAP_ALLOWED_MS, SHARED, Pair
from lab import overlap_ms, until

SILENCE_S = 5  # of koi-agent, with an interval of 200 ms and a timeout of 1 s
MAINTENANCE = 128


def _script(box):
    """A check that fails while the file `sick` is there. Returns the path of the program."""
    path = box.path("check")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\ntest ! -e {box.path('sick')}\n")
    return path


def _sick(box, sick):
    if sick:
        with open(box.path("sick"), "w", encoding="ascii"):
            pass
    else:
        os.unlink(box.path("sick"))


def _agent(box):
    return box.spawn([os.path.join(box.lab.build, "koi-agent"), "--socket", box.socket],
                     log="agent.log")


def _causes(box):
    """Name to the entry of status's list."""
    return {c["name"]: c for c in box.status()["demotion"]["list"]}


def _wait_cause(box, name, within, there=True):
    return until(lambda: f"cause {name} of {box.name}; last seen {_causes(box)}",
                 lambda: (name in _causes(box)) == there, within, every=0.05)


@pytest.fixture
def watched(lab):
    """A pair that preempts; `a` is watched by a script and has its agent in watched.agent."""
    pair = Pair(lab, "brisk", preempt=True)
    program = _script(pair.a)
    pair.cause = f"track script {program}"
    pair.a.groups[0].extra = {"track": [{"script": program, "interval": "200ms", "timeout": "1s",
                                         "rise": 1, "fall": 2, "weight": 1}]}
    pair.a.write_config()
    pair.up()
    pair.agent = _agent(pair.a)
    return pair


def test_a_failing_check_hands_over_and_back(lab, watched):
    """The script's exit code moves the address: away after two failures, back after one success."""
    a, b = watched.a, watched.b
    time.sleep(1)  # some runs that are good change nothing
    assert a.role() == "MASTER" and not _causes(a)
    began = time.time_ns()
    with lab.probe(SHARED) as probe:
        _sick(a, True)
        b.wait_role("MASTER", within=3)
        a.wait_role("BACKUP", within=1)
        cause = _causes(a)[watched.cause]
        assert (cause["owner"], cause["count"]) == ("koi-agent", 1)
        assert cause["detail"] == "exit code 1" and cause["groups"] == ["lan-gateway"]
        assert a.slot()["demotion"] == 1 and a.status()["demotion"]["total"] == 0
        _sick(a, False)
        a.wait_role("MASTER", within=3)
        b.wait_role("BACKUP", within=1)
        time.sleep(0.2)
        probe.stop()
    assert not _causes(a) and a.slot()["demotion"] == 0
    answers = watched.observer.answers(SHARED, began)
    assert overlap_ms(answers) <= OVERLAP_ALLOWED_MS
    assert {x.box for x in answers} == {"a", "b"} and answers[-1].box == "a"


def test_an_agent_that_is_killed_counts_as_failed(watched):
    """Nobody looks any more: the box steps back, and returns with the agent."""
    a, b = watched.a, watched.b
    until("a report", lambda: "watched" in a.log_text("agent.log"), within=3)
    time.sleep(0.5)
    watched.agent.kill()
    watched.agent.wait()
    died = time.monotonic()
    b.wait_role("MASTER", within=SILENCE_S + 3)
    assert time.monotonic() - died > SILENCE_S - 2.5  # the last report is at most so old
    assert _causes(a)[watched.cause]["owner"] == "koi-agent silent"
    watched.agent = _agent(a)
    a.wait_role("MASTER", within=3)
    assert not _causes(a)


def test_an_agent_that_restarts_clears_nothing(watched):
    """While the check fails, a new agent does not make the box the owner for a moment."""
    a, b = watched.a, watched.b
    _sick(a, True)
    b.wait_role("MASTER", within=3)
    a.wait_role("BACKUP", within=1)
    changes = a.counters()["slots"][0]["transitions"]
    watched.agent.kill()
    watched.agent.wait()
    watched.agent = _agent(a)
    until("the new agent", lambda: a.log_text("agent.log").count("watched") >= 2, within=3)
    time.sleep(1)
    assert a.counters()["slots"][0]["transitions"] == changes
    assert watched.cause in _causes(a)


def test_an_agent_outlives_koid(watched):
    """koid is killed and starts again: the same agent finds it, and its check still counts."""
    a, b = watched.a, watched.b
    _sick(a, True)
    b.wait_role("MASTER", within=3)
    a.kill()
    a.start()
    _wait_cause(a, watched.cause, within=SILENCE_S + 2)
    assert _causes(a)[watched.cause]["owner"] == "koi-agent"
    assert watched.agent.poll() is None
    assert a.log_text("agent.log").count("asking again") <= 1


def test_demote_for_a_time_ends_by_itself(lab):
    pair = Pair(lab, "brisk", preempt=True).up()
    out = pair.a.ctl_ok("demote", "disk swap", "--for", "1s")
    assert "disk swap 1" in out and "for 1s or until koictl undemote" in out
    pair.b.wait_role("MASTER", within=1)
    pair.a.wait_role("BACKUP", within=1)
    cause = _causes(pair.a)["disk swap"]
    assert cause["owner"] == f"koictl by uid {os.geteuid()}"
    assert 0 < cause["seconds_left"] < 1 and cause["groups"] is None
    assert "disk swap: 1, by koictl by uid" in pair.a.ctl_ok("status")
    pair.a.wait_role("MASTER", within=3)
    assert not _causes(pair.a)


def test_undemote_by_name(lab):
    box = lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20, lowest_advskew=20)
    box.start()
    box.ctl_ok("demote", "one")
    box.ctl_ok("demote", "two")
    assert box.status()["demotion"]["causes"] == {"command": 0, "one": 1, "two": 1}
    code, _, err = box.ctl("undemote", "three")
    assert code == 1 and "one, two" in err
    box.ctl_ok("undemote", "one")
    assert box.status()["demotion"]["total"] == 1
    box.ctl_ok("undemote")
    assert box.status()["demotion"]["total"] == 0


def test_maintenance_outlives_a_kill(lab):
    """It hands over, is there after SIGKILL and a start, and ends by command."""
    pair = Pair(lab, "brisk", preempt=True).up()
    pair.a.ctl_ok("maintenance", "on")
    pair.b.wait_role("MASTER", within=1)
    since = _causes(pair.a)["maintenance"]["since"]
    pair.a.kill()
    pair.a.start()
    pair.a.wait_role("BACKUP", within=3)
    time.sleep(0.5)
    assert pair.a.role() == "BACKUP" and pair.b.role() == "MASTER"
    cause = _causes(pair.a)["maintenance"]
    assert cause["count"] == MAINTENANCE and cause["since"][:19] == since[:19]
    pair.a.ctl_ok("maintenance", "off")
    pair.a.wait_role("MASTER", within=2)
    pair.a.kill()
    pair.a.start()
    pair.a.wait_role("MASTER", within=3)
    assert not _causes(pair.a)


def test_a_lone_box_in_maintenance_answers(lab):
    box = lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20, lowest_advskew=20)
    box.start()
    box.ctl_ok("maintenance", "on")
    box.wait_role("MASTER", within=3)
    until("an answer", lambda: lab.client.ping(SHARED), within=3)


def test_a_box_waits_for_the_state_of_its_connections(lab):
    """With a sync-wait the better box preempts once it is told to, and again after a pulled cable;
    alone it takes over all the same."""
    pair = Pair(lab, "brisk", preempt=True)
    a, b = pair.a, pair.b
    a.groups[0].extra = {"sync-wait": "600s"}
    a.write_config()
    b.start()
    b.wait_role("MASTER", within=3)
    a.start()
    a.wait_role("BACKUP", within=2)
    cause = _causes(a)["state-sync"]
    assert cause["owner"] == "koid" and cause["groups"] == ["lan-gateway"]
    assert 590 < cause["seconds_left"] <= 600
    time.sleep(0.5)  # it would have preempted by now
    assert a.role() == "BACKUP" and b.role() == "MASTER"
    a.ctl_ok("undemote", "state-sync")
    a.wait_role("MASTER", within=1)
    assert not _causes(a)
    a.plug(False)
    b.wait_role("MASTER", within=1)
    a.plug(True)
    _wait_cause(a, "state-sync", within=1)
    b.kill()
    a.wait_role("MASTER", within=2)
    assert "state-sync" in _causes(a)
