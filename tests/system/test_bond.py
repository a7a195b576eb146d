"""A port that is a bond: two cables to one switch, joined by LACP (DPDK's net_bonding, mode 4)."""

import itertools
import time

import pytest
from boxes import OWN, SHARED, TIMERS, VMAC, capabilities
from frames import arp_request
from lacp import CARRIES, DISTRIBUTING, Partner

CABLES = ("lan", "lan2")
CAP_NET_ADMIN = 1 << 12
CLIENTS = [f"02:00:00:00:01:{n:02x}" for n in range(16)]


@pytest.fixture
def bond(lab):
    """A box whose one port joins both cables, not started, and the switch."""
    first, _ = TIMERS["brisk"]
    box = lab.koi("a", own=OWN["a"], node_id=1, ports={"lan2": (lab.segment("two"), OWN["b"])},
                  **first)
    settings = box.settings()
    del settings["ports"]["lan2"]
    settings["ports"]["lan"] |= {"device": "net_bonding0,mode=4,xmit_policy=l2", "members": [
        f"net_af_packet{i},iface={cable}" for i, cable in enumerate(CABLES, 1)]}
    box.write_config(settings)
    return box, Partner({cable: box.tap(cable) for cable in CABLES})


def answered_by(switch, cables):
    """ARP requests of 16 clients, into these cables in turn: the cables that answers came out of.

    Who is not answered asks again, as hosts do: on a busy machine a worker is silent for a
    millisecond now and then (L8).
    """
    switch.pump()
    switch.frames.clear()
    due = 0

    def all_there():
        nonlocal due
        missing = set(CLIENTS) - {client for client, _ in switch.answers(SHARED)}
        if missing and time.monotonic() > due:
            due = time.monotonic() + 0.05
            for client, cable in zip(sorted(missing), itertools.cycle(cables)):
                switch.taps[cable].send(arp_request(SHARED, sender=client))
        return not missing
    switch.until("an ARP answer for each client", all_there, within=2)
    return {cable for _, cable in switch.answers(SHARED)}


def carries(switch, cable):
    """Whether the box collects and distributes there, as it said last."""
    said = switch.heard[cable][-1][1] if switch.heard[cable] else None
    return said is not None and said.actor_state & CARRIES == CARRIES


def test_a_bond_by_lacp_bears_the_loss_of_either_cable(bond):
    box, switch = bond
    box.start()
    # In a quiet network: the box has no link yet, so it sends nothing of its own, and LACPDUs
    # leave at the interval that the switch asked for all the same.
    switch.until("LACPDUs by each cable",
                 lambda: all(len(switch.heard[c]) >= 4 for c in CABLES), within=8)
    for cable in CABLES:
        times = [when for when, _ in switch.heard[cable]][1:]  # the first asks who is there
        for before, after in itertools.pairwise(times):
            assert 0.4e9 <= after - before <= 2e9  # the timers are of a thread like any other
        said = switch.heard[cable][-1][1]
        assert said.actor_system == box.mac  # the first member's
        assert not said.actor_state & DISTRIBUTING
    assert not any(switch.frames.values())
    assert box.role() == "INIT"

    assert capabilities(box.process.pid) == {"koi-service": CAP_NET_ADMIN}  # to put members in again
    switch.state = CARRIES
    switch.until("the aggregate", lambda: all(carries(switch, c) for c in CABLES), within=5)
    switch.until("MASTER", lambda: box.role() == "MASTER", within=3)
    assert answered_by(switch, CABLES) == set(CABLES)
    switch.until("an advertisement", lambda: any(
        f.carp() and f.source == VMAC for f in sum(switch.frames.values(), [])), within=1)
    since = box.slot()["since"]

    # One cable is cut: the other has all. It comes back, the other goes: now it has all.
    box.plug(False, "lan2")
    switch.until("all by lan", lambda: answered_by(switch, ["lan"]) == {"lan"}, within=2)
    box.plug(True, "lan2")
    heard = len(switch.heard["lan2"])
    switch.until("lan2 to be back", lambda: len(switch.heard["lan2"]) > heard
                 and carries(switch, "lan2"), within=6)
    box.plug(False, "lan")
    switch.until("all by lan2", lambda: answered_by(switch, ["lan2"]) == {"lan2"}, within=2)
    assert box.slot()["since"] == since

    box.plug(False, "lan2")
    switch.until("INIT", lambda: box.role() == "INIT", within=1)
