"""koictl reload and SIGHUP: another configuration for a koid that runs (README, Reload)."""

import json
import os
import random
import signal
import time

import pytest

from boxes import SHARED, Pair
from lab import reloads, until
from lab.koibox import Group

pytestmark = pytest.mark.alone

OTHER, NEW = "192.0.2.9", "192.0.2.8"
RELOADS = 40  # of a thousand: tools/soak --reloads 1000
FREE_VHID = 77


@pytest.fixture
def pair(lab):
    return Pair(lab, "patient").up()


def group(settings):
    return settings["groups"]["lan-gateway"]


def reload(box, change=None, *arguments):
    """Writes the changed settings and reloads. Returns koid's reply."""
    settings = box.settings()
    if change:
        change(settings)
    box.write_config(settings)
    return json.loads(box.ctl_ok("reload", "--json", *arguments))


def reign(box, name="lan-gateway"):
    """What no reload may touch: role, term, since when and why."""
    slot = box.slot(name)
    return slot["role"], slot["term"], slot["since"], slot["cause"]


def asked(lab, address):
    """The MAC that the client's kernel gets for the address, or None."""
    lab.client.forget(address)
    lab.client.ping(address)
    return lab.client.neighbor(address)


def keys(reply):
    return {c["key"]: c["effect"] for c in reply["changes"]}


def test_nothing_has_changed(pair):
    before = reign(pair.a)
    assert reload(pair.a)["changes"] == []
    assert "nothing has changed" in pair.a.ctl_ok("reload")
    assert reign(pair.a) == before


def test_advskew_is_live_and_dry_run_changes_nothing(pair):
    def change(settings):
        group(settings)["advskew"] = 70
    before = reign(pair.a)
    reply = reload(pair.a, change, "--dry-run")
    assert keys(reply) == {"groups.lan-gateway.advskew": "live"}
    assert (reply["applied"], pair.a.slot()["advskew"]) == (False, 60)
    assert "would be made" in pair.a.ctl_ok("reload", "--dry-run")
    assert reload(pair.a, change)["applied"] is True
    assert pair.a.slot()["advskew"] == 70 and pair.a.slot()["effective_advskew"] == 70
    assert reign(pair.a) == before
    # On the wire at once: the other box hears the new one.
    until("advskew 70 on the wire", lambda: any(c[2] == 70 for _, c in pair.observer.adverts("a")),
          within=3)
    assert any("reloaded by koictl" in line for line in pair.a.ctl_ok("events").splitlines())


# C20.1 refused
def test_a_wrong_file_changes_nothing(pair):
    before = reign(pair.a)
    settings = pair.a.settings()
    group(settings)["advskew"] = 255
    group(settings)["colour"] = "red"
    pair.a.write_config(settings)
    code, out, err = pair.a.ctl("reload")
    assert code == 2 and out == ""
    assert "groups.lan-gateway.advskew" in err and "groups.lan-gateway.colour" in err
    assert f"{pair.a.config}:" in err and "nothing was changed" in err
    assert reign(pair.a) == before
    # The same by signal: the errors are in the log.
    pair.a.process.send_signal(signal.SIGHUP)
    until("the error in the log", lambda: "groups.lan-gateway.colour" in pair.a.log_text(), within=3)
    assert reign(pair.a) == before


def test_what_needs_a_restart_is_refused(pair):
    before = reign(pair.a)
    settings = pair.a.settings()
    settings["dataplane"]["worker-cores"] = [0]
    settings["node-id"] = 9
    group(settings)["advskew"] = 70
    pair.a.write_config(settings)
    code, out, err = pair.a.ctl("reload")
    assert code == 1 and out == ""
    assert "dataplane.worker-cores" in err and "node-id" in err and "restart" in err
    assert pair.a.slot()["advskew"] == 60 and reign(pair.a) == before


def test_sighup(pair):
    settings = pair.a.settings()
    group(settings)["advskew"] = 65
    pair.a.write_config(settings)
    before = reign(pair.a)
    pair.a.process.send_signal(signal.SIGHUP)
    until("advskew 65", lambda: pair.a.slot()["advskew"] == 65, within=3)
    assert reign(pair.a) == before


def test_a_group_comes_and_goes(pair, lab):
    def change(settings):
        first = group(settings)
        settings["groups"]["second"] = first | {"vhid": FREE_VHID, "addresses": [OTHER]}
    before = reign(pair.a)
    assert keys(reload(pair.a, change)) == {"groups.second": "starts"}
    pair.a.wait_role("MASTER", within=5, group="second")
    assert asked(lab, OTHER) == f"00:00:5e:00:01:{FREE_VHID:02x}"
    assert reign(pair.a) == before
    # It goes with a bow-out, and nobody answers for its address any more.
    moment = time.time_ns()
    assert keys(reload(pair.a)) == {"groups.second": "ends"}
    until("its bow-out", lambda: any((c[1], c[2], c[5]) == (FREE_VHID, 255, 255)
                                     for _, c in pair.observer.adverts("a", moment)), within=3)
    assert asked(lab, OTHER) is None
    assert [g["name"] for g in pair.a.status()["groups"]] == ["lan-gateway"]
    assert reign(pair.a) == before
    # And again: it is another one now.
    reload(pair.a, change)
    pair.a.wait_role("MASTER", within=5, group="second")
    assert reign(pair.a) == before


# C20.2 kept
def test_a_group_that_comes_waits_for_the_state_of_its_connections(pair):
    """The better box preempts in the group that it gets only once it is told to, as after a start."""
    def change(settings, **more):
        settings["groups"]["second"] = group(settings) | {
            "vhid": FREE_VHID, "addresses": [OTHER]} | more
    reload(pair.b, change)
    pair.b.wait_role("MASTER", within=5, group="second")
    before = reign(pair.a)
    reload(pair.a, lambda s: change(s, preempt=True, **{"sync-wait": "600s"}))
    until("the other box to be heard", lambda: (pair.a.slot("second")["master"] or {}).get(
        "address") == pair.b.own, within=3)
    time.sleep(0.5)  # it would have preempted by now
    assert pair.a.role("second") == "BACKUP" and pair.b.role("second") == "MASTER"
    cause = next(c for c in pair.a.status()["demotion"]["list"] if c["name"] == "state-sync")
    assert cause["groups"] == ["second"] and 590 < cause["seconds_left"] <= 600
    pair.a.ctl_ok("undemote", "state-sync")
    pair.a.wait_role("MASTER", within=3, group="second")
    transitions = [e for e in map(json.loads, pair.a.ctl_ok("events", "--json").splitlines())
                   if e.get("group") == "second" and e["kind"] == "role"]
    assert [e["to"] for e in transitions] == ["BACKUP", "MASTER"]
    assert reign(pair.a) == before


def test_a_check_that_is_new_demotes_nobody_while_it_is_well(pair):
    """koi-agent learns of it at once: five seconds without a result would count as a failure."""
    def change(settings):
        group(settings)["track"] = [{"script": "/bin/true", "interval": "1s"}]
    agent = pair.a.spawn([os.path.join(pair.lab.build, "koi-agent"), "--socket", pair.a.socket],
                         log="agent.log")
    until("koi-agent", lambda: pair.a.status()["agent"]["present"], within=5)
    before = reign(pair.a)
    reload(pair.a, change)
    until("the check", lambda: "watched" in pair.a.log_text("agent.log"), within=1)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        assert pair.a.status()["demotion"]["list"] == []
        time.sleep(0.1)
    assert reign(pair.a) == before
    reload(pair.a)
    until("its end", lambda: "no longer watched" in pair.a.log_text("agent.log"), within=2)
    agent.terminate()


def roll(pair, steps):
    """Each step on the one box, then on the other; no role changes and the address is answered."""
    before = {box.name: reign(box) for box in (pair.a, pair.b)}
    with pair.lab.probe(SHARED) as probe:
        for step in steps:
            for box in (pair.b, pair.a):
                reload(box, step)
                assert {b.name: reign(b) for b in (pair.a, pair.b)} == before
        heard = len(pair.observer.adverts("a"))
        until("further advertisements", lambda: len(pair.observer.adverts("a")) > heard + 4, within=5)
        result = probe.stop()
    assert {b.name: reign(b) for b in (pair.a, pair.b)} == before
    for box in (pair.a, pair.b):
        refused = box.drops()
        assert not refused.get("carp_digest"), refused
    return result


def test_the_address_list_rolls_through(pair, lab):
    def accept_new(settings):
        group(settings)["previous-addresses"] = [SHARED, NEW]

    def go_over(settings):
        group(settings).update({"addresses": [SHARED, NEW], "previous-addresses": [SHARED]})

    def done(settings):
        group(settings)["addresses"] = [SHARED, NEW]
    result = roll(pair, (accept_new, go_over, done))
    lost = len(result.sent) - len(result.arp)
    assert lost <= reloads.paused((pair.a, pair.b)) + reloads.ON_THEIR_WAY
    assert asked(lab, NEW) == "00:00:5e:00:01:01"


def test_a_key_rolls_through(pair):
    for box in (pair.a, pair.b):
        box._write_key(Group(name="next", key="the-next-one"))

    def accept_new(settings):
        group(settings)["accept-key-files"] = [group(settings)["key-file"].replace("lan-gateway", "next")]

    def go_over(settings):
        old = group(settings)["key-file"]
        group(settings).update({"accept-key-files": [old],
                                "key-file": old.replace("lan-gateway", "next")})

    def done(settings):
        group(settings)["key-file"] = group(settings)["key-file"].replace("lan-gateway", "next")
    roll(pair, (accept_new, go_over, done))
    assert all("the-next-one" not in box.log_text() for box in (pair.a, pair.b))


def test_reloads_at_random_moments(pair):
    seed = random.randrange(1 << 32)
    result = reloads.at_random((pair.a, pair.b), RELOADS, seed)
    print(f"seed {seed}: {result}")
    assert not result.changed
    assert result.lost <= result.paused + reloads.ON_THEIR_WAY
