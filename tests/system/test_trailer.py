"""The signed trailer, and where keys are not.

The oracle is Python's hmac over protocol.md §14.
"""

import os
import resource
import secrets
import signal
import string
import time

import pytest

from boxes import OVERLAP_ALLOWED_MS, SHARED, TIMERS, Pair
from frames import Asker
from lab import carp, overlap_ms, until
from lab.koibox import KEY

KEYS = {1: secrets.token_bytes(32), 2: secrets.token_bytes(64)}
NEVER = bytes(32)  # a key that no box has
SKEW = 20


def _key_file(lab, name, text):
    path = os.path.join(lab.folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="ascii") as f:
        f.write(text)
    return path


def _trailer(lab, mode, key_id=1, accept=()):
    """The configuration's section; the keys' files are made."""
    def entry(number):
        return {"key-file": _key_file(lab, f"trailer-{number}.key", f"hex:{KEYS[number].hex()}\n"),
                "key-id": number}
    return {"mode": mode, **entry(key_id), "accept": [entry(a) for a in accept]}


class Peer(carp.Speaker):
    """A box of our own making that signs trailers."""

    def __init__(self, tap, number):
        super().__init__(tap, f"192.0.2.{number}", key=KEY, addresses=[SHARED], node_id=number,
                         first_counter=time.time_ns() // 1000)
        self._sequence = carp.trailer_sequence(time.time())

    def advert(self, *, sequence=None, key=KEYS[1], key_id=1, scheme=1, **fields):
        """A frame; by default a worse advertisement, fresh and signed as it must be."""
        header = self.header(**({"advbase": 0, "advskew": 200} | fields))
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        return self.framed(header, carp.trailer(key, key_id, sequence, self.source, header,
                                                scheme=scheme))

    def framed(self, header, trailer=b""):
        return carp.frame(self.source, header, trailing=trailer)


@pytest.fixture(scope="module")
def box(module_lab):
    made = module_lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=SKEW,
                          lowest_advskew=SKEW, extra={"trailer": _trailer(module_lab, "enforce")})
    made.start()
    return made


@pytest.fixture(scope="module")
def asker(box):
    return Asker(box)


@pytest.fixture
def master(box):
    box.wait_role("MASTER", within=5)
    return box


@pytest.fixture
def peer(asker, request):
    return Peer(asker.tap, 100 + sum(request.node.name.encode()) % 100)


def _taken(box, address):
    """Waits until the box says that it has a signed advertisement of that address."""
    until(f"{address} to be taken", lambda: address in [s["address"] for s in box.slot()["signed"]],
          within=3)


# C19.1 kept, C19.2 kept, C19.3 kept, C19.4 kept
def test_on_the_wire(master, asker):
    """28 bytes more, under the IP length; what Python's hmac makes of the rest; UTC, growing."""
    last = 0
    for _ in range(3):
        frame = asker.tap.wait(lambda f: f.carp() is not None, 1.0, "an advertisement")
        header, tail = frame.carp()[:36], frame.carp()[36:]
        assert len(frame.data) == 98
        sequence = int.from_bytes(tail[4:12], "big")
        assert tail == carp.trailer(KEYS[1], 1, sequence, "192.0.2.2", header)
        assert abs(sequence / 2**32 - time.time()) < 1 and sequence > last
        last = sequence


# C19.2 refused, C19.4 refused, C19.5 refused, C19.6 refused
def test_forgeries_are_refused(master, asker, peer):
    """protocol.md §4, vector C, and its like: who rewrites a captured advertisement, or takes its
    trailer off, changes no role. CARP's own HMAC is right in all of them."""
    captured = peer.advert()
    header, tail = captured[34:70], captured[70:]
    asker.tap.send(captured)
    _taken(master, peer.source)

    asker.expect_drop(captured, "trailer_old")
    asker.expect_drop(peer.framed(carp.bow_out(header), tail), "trailer_mac")
    for at, value in ((5, 1), (2, 0), (4, 1)):  # advbase, advskew, demote
        changed = header[:at] + bytes([value]) + header[at + 1:]
        changed = changed[:6] + b"\0\0" + changed[8:]
        changed = changed[:6] + carp.checksum(changed).to_bytes(2, "big") + changed[8:]
        assert changed != header
        asker.expect_drop(peer.framed(changed, tail), "trailer_mac")
    asker.expect_drop(peer.framed(peer.header(advbase=0, advskew=0)), "trailer_missing")
    asker.expect_drop(peer.framed(peer.header(advbase=0, advskew=0), tail[:-1]), "trailer_missing")
    asker.expect_drop(peer.advert(advskew=0, scheme=2), "trailer_scheme")
    asker.expect_drop(peer.advert(advskew=0, key_id=9), "trailer_key")
    asker.expect_drop(peer.advert(advskew=0, key=NEVER), "trailer_mac")
    assert master.notices().get("trailer-refused", 0) >= 1

    asker.tap.send(peer.advert(advskew=0))  # and a better one that is right is obeyed
    master.wait_role("BACKUP", within=2)


# C19.7 kept, C19.7 refused
def test_a_clock_too_far_off(master, asker, peer):
    """Of a sender that is not known: said by name, with what is to be done."""
    late = carp.trailer_sequence(time.time() - 31)
    asker.expect_drop(peer.advert(sequence=late, advskew=0), "trailer_clock")
    until("the event", lambda: master.notices().get("clock-differs"), within=2)
    said = f"clock-differs from {peer.source}: its trailer is more than 30 s old"
    until("the log", lambda: said in master.log_text(), within=2)
    assert "the boxes' clocks must agree within 30 s" in master.ctl_ok("events")
    asker.tap.send(peer.advert(sequence=carp.trailer_sequence(time.time() - 28)))
    _taken(master, peer.source)


# C19.6 kept, C19.6 refused
def test_replays_after_a_restart_of_the_receiver(master, asker, peer):
    """Young enough for a stranger's, and refused all the same: after an end in order each one, after
    a crash those of the last write."""
    def accepted():
        return master.counters()["slots"][0]["adverts_received"]["accepted"]
    captured, before = [peer.advert() for _ in range(3)], accepted()
    for frame in captured[:2]:
        asker.tap.send(frame)
    until("both to be taken", lambda: accepted() == before + 2, within=2)
    assert master.stop()[0] == 0
    master.start()
    master.wait_role("MASTER", within=5)
    for frame in captured[:2]:
        asker.expect_drop(frame, "trailer_old")
    master.kill()
    master.start()
    master.wait_role("MASTER", within=5)
    asker.expect_drop(captured[1], "trailer_old")
    asker.tap.send(captured[2])
    _taken(master, peer.source)


def _regions(pid):
    """(first, end, flags) of what can be read."""
    region, rights = None, ""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            word = line.split()[0]
            if word == "VmFlags:":
                if rights.startswith("r"):
                    yield *region, line.split()[1:]
            elif not word.endswith(":"):
                region, rights = [int(a, 16) for a in word.split("-")], line.split()[1]


def _places(pid, needles):
    """needle to (address, flags of its region) of each copy in the process's memory."""
    found = {needle: [] for needle in needles}
    chunk, overlap = 1 << 24, max(map(len, needles)) - 1
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for first, end, flags in _regions(pid):
            for at in range(first, end, chunk):
                try:
                    memory.seek(at)
                    data = memory.read(min(chunk + overlap, end - at))
                except (OSError, ValueError, OverflowError):
                    break  # of the kernel's, or given back meanwhile
                for needle, places in found.items():
                    place = data.find(needle)
                    while place >= 0:
                        places.append((at + place, flags))
                        place = data.find(needle, place + 1)
    return {needle: sorted(set((a, tuple(f)) for a, f in places))
            for needle, places in found.items()}


# C19.11 kept
def test_keys_are_in_one_locked_page(lab):
    """Of a running koid: nowhere but in memory that is locked and stays out of core files."""
    text = "".join(secrets.choice(string.ascii_letters) for _ in range(19))
    hash_text = "".join(secrets.choice(string.ascii_letters) for _ in range(40))
    box = lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=SKEW, lowest_advskew=SKEW,
                  key=text, extra={"trailer": _trailer(lab, "enforce", accept=[2]), "balance": {
                      "hash-key-file": _key_file(lab, "hash.key", hash_text),
                      "members": [{"vhid": 1, "advskew": SKEW}, {"vhid": 2, "advskew": SKEW}]}})
    box.start()
    box.wait_role("MASTER", within=5)
    box.status()
    keys = [text.encode(), hash_text.encode(), KEYS[1], KEYS[2]]
    found = _places(box.process.pid, keys + [key.hex().encode() for key in keys])
    pages = set()
    for key in keys:
        assert len(found[key]) == 1, f"{len(found[key])} copies"
        place, flags = found[key][0]
        assert {"lo", "dd"} <= set(flags), f"flags {flags}"
        pages.add(place >> 12)
        assert not found[key.hex().encode()]
    assert len(pages) == 1
    shown = box.log_text() + box.ctl_ok("status", "--json") + box.ctl_ok("counters", "--json")
    with open(f"/proc/{box.process.pid}/cmdline", "rb") as f:
        shown += f.read().decode()
    for key in (text, hash_text, KEYS[1].hex(), KEYS[2].hex()):
        assert key not in shown
    # Nor does it leave a core file, whatever the limit.
    resource.prlimit(box.process.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    os.kill(box.process.pid, signal.SIGABRT)
    _, status = os.waitpid(box.process.pid, 0)
    assert os.WTERMSIG(status) == signal.SIGABRT and not os.WCOREDUMP(status)


# C2.5 kept, C19.4 kept
def test_ucarp_beside_it(lab, need_ucarp):
    """A UCarp hears signed advertisements as if they were not; koi hears its unsigned ones."""
    koi = lab.koi("koi", own="192.0.2.2", node_id=1, advskew=0, dialect="ucarp",
                  extra={"trailer": _trailer(lab, "permissive")})
    ucarp = lab.ucarp("ucarp", "192.0.2.3", advskew=100)
    koi.start()
    ucarp.start()
    koi.wait_role("MASTER", within=5)
    # It would be MASTER 4.2 s after its start if it did not take them.
    time.sleep(2)
    assert koi.role() == "MASTER" and not ucarp.is_master()
    assert koi.stop()[0] == 0
    ucarp.wait_master(True, within=2)  # it obeyed the signed bow-out
    koi.start()
    until("koi to hear it", lambda: (koi.slot()["master"] or {}).get("address") == "192.0.2.3",
          within=3)


# C5.15 kept, C19.8 kept
@pytest.mark.alone
def test_rolling_rotation(lab):
    """All keys and the address list change, box by box, each by a restart: accept old and new, then
    switch. Nobody refuses an advertisement, no two boxes answer, and somebody always does."""
    grown = [SHARED, "192.0.2.5"]
    steps = {
        "accept": {"key": KEY, "addresses": (SHARED,), "extra": {
            "accept-key-files": [_key_file(lab, "next.key", KEY[::-1] + "\n")],
            "previous-addresses": grown,
            "trailer": _trailer(lab, "enforce", 1, [2])}},
        "switch": {"key": KEY[::-1], "addresses": tuple(grown), "extra": {
            "accept-key-files": [_key_file(lab, "last.key", KEY + "\n")],
            "previous-addresses": [SHARED],
            "trailer": _trailer(lab, "enforce", 2, [1])}},
    }
    pair = Pair(lab, "patient", extra={"trailer": _trailer(lab, "enforce")})
    pair.up()
    began = time.time_ns()
    with lab.probe(SHARED) as probe:
        time.sleep(0.2)  # some answers, for the figure's near end
        since = time.time_ns()
        for step in steps.values():
            for _ in range(2):  # the BACKUP, which then owns, and then the other one
                owner = pair.owner()
                box = pair.other(owner)
                for name, value in step.items():
                    setattr(box.groups[0], name, value)
                box.write_config()
                assert box.stop()[0] == 0
                box.start()
                pair.settled(owner)
                owner.demote()
                box.wait_role("MASTER", within=2)
                pair.settled(box)
                owner.undemote()
        time.sleep(0.2)  # and for its far end
        seen = time.time_ns() - 100_000_000
        result = probe.stop()
    answers = pair.observer.answers(SHARED, began)
    overlap = overlap_ms(answers)
    assert overlap <= OVERLAP_ALLOWED_MS, f"two boxes answered for {overlap:.3f} ms"
    outage = result.outage_ms("arp", since, seen)
    longest = 3000 * TIMERS["patient"][1]["advskew"] / 256
    assert outage < longest, f"nobody answered for {outage:.1f} ms"
    for box in (pair.a, pair.b):
        refused = {r: n for r, n in box.drops().items()
                   if r.startswith("trailer_") or r == "carp_digest"}
        assert not refused, f"{box.name} refused {refused}"
        assert box.status()["groups"][0]["trailer"] == {"mode": "enforce", "key_id": 2}
