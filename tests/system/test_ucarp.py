"""UCarp as the peer, in both roles.

UCarp 1.5.2 sends no bow-out, has one IPv4 address, and puts its interface's own MAC into ARP.
"""

import time

import pytest

from boxes import SHARED, VMAC
from lab import until

pytestmark = pytest.mark.usefixtures("need_ucarp")

# UCarp waits 3 * (advbase + advskew/256) s.
UCARP_DOWN = {0: 3.0, 100: 4.17}


def _koi(lab, advskew, **group):
    return lab.koi("koi", own="192.0.2.2", node_id=1, advskew=advskew, dialect="ucarp", **group)


def _owner_is(lab, mac):
    """The client's kernel: the announcement corrected its cache, and a fresh request agrees."""
    until(lambda: f"the client's cache to say {mac}, it says {lab.client.neighbor(SHARED)}",
          lambda: lab.client.ping(SHARED) and lab.client.neighbor(SHARED) == mac, within=2)
    lab.client.forget(SHARED)
    assert lab.client.ping(SHARED) and lab.client.neighbor(SHARED) == mac


# C5.12 kept
def test_koi_preferred(lab):
    koi, ucarp = _koi(lab, 0), lab.ucarp("ucarp", "192.0.2.3", advskew=100)
    koi.start()
    ucarp.start()
    koi.wait_role("MASTER", within=5)
    _owner_is(lab, VMAC)
    time.sleep(1)  # an advertisement each way
    assert koi.role() == "MASTER" and not ucarp.is_master()

    killed = time.monotonic()
    koi.kill()
    ucarp.wait_master(True, within=6)
    assert time.monotonic() - killed > UCARP_DOWN[100] - 1.1
    _owner_is(lab, ucarp.mac)

    koi.start()
    koi.wait_role("BACKUP", within=3)
    until("koi to know its master", lambda: (koi.slot()["master"] or {}).get("address")
          == "192.0.2.3", within=3)
    time.sleep(1.5)
    assert koi.role() == "BACKUP" and ucarp.is_master()  # no preempt

    ucarp.die()
    koi.wait_role("MASTER", within=4)
    _owner_is(lab, VMAC)


def test_ucarp_preferred(lab):
    koi, ucarp = _koi(lab, 100), lab.ucarp("ucarp", "192.0.2.3", advskew=0, preempt=True)
    ucarp.start()
    ucarp.wait_master(True, within=6)
    koi.start()
    koi.wait_role("BACKUP", within=3)
    _owner_is(lab, ucarp.mac)

    ucarp.die()
    koi.wait_role("MASTER", within=4.5)
    _owner_is(lab, VMAC)

    ucarp.start()
    ucarp.wait_master(True, within=6)
    koi.wait_role("BACKUP", within=3)
    _owner_is(lab, ucarp.mac)

    koi.kill()
    time.sleep(0.5)
    _owner_is(lab, ucarp.mac)


# C5.12 kept
def test_ucarp_obeys_the_bow_out(lab):
    koi, ucarp = _koi(lab, 0), lab.ucarp("ucarp", "192.0.2.3", advskew=100)
    koi.start()
    ucarp.start()
    koi.wait_role("MASTER", within=5)
    time.sleep(1.2)
    began = time.monotonic()
    code, _ = koi.stop()
    assert code == 0
    ucarp.wait_master(True, within=3)
    assert time.monotonic() - began < 2, "it waited for its timer"
    _owner_is(lab, ucarp.mac)


def test_koi_preempts_ucarp(lab):
    """koi with preempt returns: UCarp steps down by itself when it hears the better one."""
    koi, ucarp = _koi(lab, 0, preempt=True), lab.ucarp("ucarp", "192.0.2.3", advskew=100)
    ucarp.start()
    ucarp.wait_master(True, within=6)
    koi.start()
    koi.wait_role("MASTER", within=4)
    ucarp.wait_master(False, within=3)
    _owner_is(lab, VMAC)
