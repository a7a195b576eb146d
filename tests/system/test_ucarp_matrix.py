"""koi beside UCarp: who is preferred, preempt, passwords, vhids, --deadratio and -M.

The cases last 10 to 20 s each, nearly all of it waiting for timers of seconds: they run beside each
other, each in a lab of its own, and each test waits for its own.

-M (--nomcast) is understood both ways: such a UCarp sends to the broadcast MAC, but still to
224.0.0.18, and it hears koi's multicast wherever the network delivers it. It joins no group, so a
snooping switch may keep koi's advertisements from it: then both are masters, and -M is to be left
out there.
"""

import concurrent.futures
import dataclasses

import pytest

from lab import Group, Lab, until
from lab.koibox import KEY
from lab.wire import BROADCAST, virtual_mac

pytestmark = pytest.mark.usefixtures("need_ucarp")

SHARED, KOI, UCARP = "192.0.2.1", "192.0.2.2", "192.0.2.3"
AT_ONCE = 4  # labs; each koid takes a good part of a core, and needs it on time
LATE_S = {"koi": 0.3, "ucarp": 1.5}  # koi asks a silent LAN for 0.1 s first; after its nominal time: UCarp looks once a second


@dataclasses.dataclass(frozen=True)
class Case:
    preferred: str
    preempt: bool
    key: str = KEY
    vhid: int = 1
    advbase: int = 1
    dead_ratio: int = 3
    broadcast: bool = False

    def advskew(self, who):
        return 0 if who == self.preferred else 100

    def down_s(self, who):
        """protocol.md §6 and UCarp's own: its ratio multiplies the skew as well."""
        skew = self.advskew(who) / 256
        if who == "koi":
            return self.dead_ratio * self.advbase + skew
        return self.dead_ratio * (self.advbase + skew)


CASES = {
    "koi preferred": Case("koi", False),
    "koi preferred, preempt, 19 characters": Case("koi", True, key="nineteen-characters", vhid=255),
    "koi preferred, preempt, 1 character": Case("koi", True, key="x"),
    "koi preferred, 8 characters, vhid 255": Case("koi", False, key="8-chars!", vhid=255),
    "UCarp preferred": Case("ucarp", False, key="nineteen-characters"),
    "UCarp preferred, 1 character, vhid 255": Case("ucarp", False, key="x", vhid=255),
    "UCarp preferred, preempt, 8 characters": Case("ucarp", True, key="8-chars!"),
    "UCarp preferred, preempt, vhid 255": Case("ucarp", True, vhid=255),
    "deadratio 2, koi preferred": Case("koi", False, advbase=2, dead_ratio=2),
    "deadratio 4, UCarp preferred": Case("ucarp", False, dead_ratio=4),
    "-M, koi preferred": Case("koi", True, broadcast=True),
    "-M, UCarp preferred": Case("ucarp", True, broadcast=True),
}


class Play:
    """A lab with one koi and one UCarp."""

    def __init__(self, lab, case):
        self.lab, self.case = lab, case
        extra = {"allow-weak-key": True} if len(case.key) < 8 else {}
        if case.dead_ratio != 3:
            extra["dead-ratio"] = case.dead_ratio
        common = {"advbase": case.advbase, "preempt": case.preempt, "key": case.key,
                  "vhid": case.vhid}
        koi = lab.koi("koi", own=KOI, node_id=1, groups=[
            Group(dialect="ucarp", advskew=case.advskew("koi"), extra=extra, **common)])
        ucarp = lab.ucarp("ucarp", UCARP, advskew=case.advskew("ucarp"),
                          dead_ratio=case.dead_ratio, broadcast=case.broadcast, **common)
        self.boxes = {"koi": koi, "ucarp": ucarp}
        self.mac = {"koi": virtual_mac(case.vhid), "ucarp": ucarp.mac}
        self.observer = lab.observer(koi, ucarp)

    def is_master(self, who):
        box = self.boxes[who]
        return box.is_master() if who == "ucarp" else box.role() == "MASTER"

    def wait_master(self, who, is_master, within):
        if who == "ucarp":
            self.boxes[who].wait_master(is_master, within)
        else:
            self.boxes[who].wait_role("MASTER" if is_master else "BACKUP", within)

    def owned_by(self, who, corrected=1):
        """The client's kernel sends to the owner: its cache, when it has the address, is corrected
        by announcements alone, in so many seconds; and a fresh request gets the same answer."""
        client, mac = self.lab.client, self.mac[who]
        if client.neighbor(SHARED):
            until(lambda: f"the client's cache to say {mac} unasked, it says "
                  f"{client.neighbor(SHARED)}", lambda: client.neighbor(SHARED) == mac, corrected)
        client.forget(SHARED)
        until(f"an answer from {mac}", lambda: client.ping(SHARED), within=3)
        assert client.neighbor(SHARED) == mac

    def kill(self, who):
        box = self.boxes[who]
        return box.kill() if who == "koi" else box.die()

    def takes_over(self, heir, owner):
        """The owner dies: the heir owns the address after its own time since the last advert."""
        down = self.case.down_s(heir)
        killed = self.kill(owner)
        self.wait_master(heir, True, within=down + 2)
        self.owned_by(heir)
        heard = self.observer.adverts(owner)[-1][0]
        first = self.observer.adverts(heir, killed)[0][0]
        waited = (first - heard) / 1e9
        assert down - 0.005 <= waited <= down + LATE_S[heir], (
            f"{heir} waited {waited:.3f} s, {down:.3f} s is its time")

    def hears(self, who):
        """Two advertisements that reach the box, and a little time to act on them."""
        began = self.observer.adverts(who)
        until(f"two advertisements of {who}", lambda: len(self.observer.adverts(who))
              >= len(began) + 2, within=3 * (self.case.advbase + 0.5), every=0.05)


def play(case):
    with Lab() as lab:
        stage = Play(lab, case)
        first, second = case.preferred, "ucarp" if case.preferred == "koi" else "koi"
        try:
            _course(stage, first, second)
        except BaseException as error:
            logs = "".join(f"\n-- log of {b.name}:\n{b.log_text()[-2500:]}"
                           for b in stage.boxes.values())
            raise AssertionError(f"{error}{logs}") from error


def _course(stage, first, second):
    case, boxes = stage.case, stage.boxes
    for who in (first, second):
        boxes[who].start()
    stage.wait_master(first, True, within=case.down_s(first) + 3)
    stage.owned_by(first)
    stage.hears(first)
    assert stage.is_master(first) and not stage.is_master(second)

    stage.takes_over(second, first)

    boxes[first].start()
    if case.preempt:
        stage.wait_master(first, True, within=case.down_s(first) + 3)
        stage.wait_master(second, False, within=2 * case.advbase + 1)
        # By koi's second round at the latest, two advertisements after the first.
        stage.owned_by(first, corrected=1 if first == "ucarp" else 2 * case.advbase + 1)
        stage.kill(second)
        stage.hears(first)
        stage.owned_by(first)
    else:
        stage.hears(second)
        assert stage.is_master(second) and not stage.is_master(first)
        stage.owned_by(second)
        stage.takes_over(first, second)

    if case.broadcast:
        frames = stage.observer.frames("ucarp", wanted=lambda f: f.carp() is not None)
        assert frames and all(f.data[:6].hex(":") == BROADCAST for f in frames)
        assert {f.payload[16:20] for f in frames} == {bytes([224, 0, 0, 18])}


@pytest.fixture(scope="module")
def plays(request):
    """The selected cases, all under way."""
    names = [item.callspec.params["name"] for item in request.session.items
             if item.module is request.module and hasattr(item, "callspec")]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(play, CASES[name]) for name in names}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", CASES)
def test_matrix(plays, name):
    plays[name].result()
