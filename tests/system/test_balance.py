"""Three boxes that share one address: each client is answered by one of them (CARP.md §12)."""

import collections
import concurrent.futures
import threading

import pytest

import hashes
from boxes import SHARED, SHARED6, need_in_this_version
from crowd import Crowd, client_mac
from lab import Answer, Lab, overlap_ms
from lab.koibox import KEY
from lab.wire import mac_bytes, virtual_mac
from trio import NAMES, VHIDS, Trio

pytestmark = pytest.mark.alone

CLIENTS, CLIENTS6 = 100_000, 10_000
OVERLAP_ALLOWED_MS = 1.5  # as in boxes.py
HASHES = {"siphash": hashes.siphash, "openbsd": hashes.openbsd}


def test_vectors():
    """CARP.md §12; SipHash also by its authors' own: key 00..0f, text 00..0e."""
    assert hashes.siphash24(0x0706050403020100, 0x0F0E0D0C0B0A0908,
                            bytes(range(15))) == 0xA129CA6149BE45E5
    assert hashes.balance_key("secret").hex() == "95871dc780b219d5621795d8a07a5ab8"
    for mac, old, new in (("00:11:22:33:44:55", 0xCA35733D, 0xCEB599265282E4F8),
                          ("02:de:ad:be:ef:01", 0x7E757A16, 0x7DB66EBE99EF0A06),
                          ("52:54:00:12:34:56", 0x9E7A1B31, 0x79C5CDF255233DB5),
                          ("ff:ff:ff:ff:ff:ff", 0x44C2C7F2, 0xC9EC971A9D8317D6)):
        assert hashes.openbsd("secret")(mac_bytes(mac)) == old
        assert hashes.siphash("secret")(mac_bytes(mac)) == new


class Hashed(Trio):
    """Balanced by a hash of who asks."""

    def __init__(self, lab, name):
        super().__init__(lab, {"mode": "arp", "hash": name})
        self.hash, self.member = name, HASHES[name](KEY)
        self.observer = lab.observer(*self.boxes.values())
        self.crowd = Crowd(lab, self.boxes.values())
        self._slots = {}  # client to vhid, once computed

    def slot(self, number):
        """The client's vhid, by the hash."""
        if number not in self._slots:
            self._slots[number] = VHIDS[self.member(client_mac(number)) % 3]
        return self._slots[number]

    def one_box_each(self, clients, address=SHARED):
        """Every client (a range) is answered, by one box, the home of its slot, with the slot's
        MAC. Returns how many by each box."""
        said = self.crowd.ask(address, clients)
        assert len(said) == len(clients)
        for number, answers in said.items():
            vhid = self.slot(number)
            mac = mac_bytes(virtual_mac(vhid))
            assert {(s.box, s.mac) for s in answers} == {(self.home[vhid], mac)}, client_mac(number)
        return collections.Counter(self.home[self.slot(n)] for n in said)


class Asking:
    """Some clients ask all the time, in a thread of their own, while the test does something."""

    def __init__(self, trio):
        self._trio, self._stop = trio, threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._answers = {vhid: [] for vhid in VHIDS}

    def __enter__(self):
        self._work = self._pool.submit(self._run)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._pool.shutdown()

    def _run(self):
        while not self._stop.is_set():
            said = self._trio.crowd.ask(SHARED, range(0, CLIENTS, 200), until_answered=False)
            for number, answers in said.items():
                self._answers[self._trio.slot(number)] += [
                    Answer(s.time_ns, s.box, "arp") for s in answers]

    def never_two(self):
        """Ends it. A slot has one owner at a time, so it is judged over all clients of the slot."""
        self._stop.set()
        self._work.result()
        for vhid, answers in self._answers.items():
            answers.sort(key=lambda a: a.time_ns)
            overlap = overlap_ms(answers)
            assert overlap <= OVERLAP_ALLOWED_MS, f"vhid {vhid}: two boxes for {overlap:.3f} ms"


@pytest.fixture(scope="module", params=HASHES)
def trio(request):
    with Lab() as lab:
        made = Hashed(lab, request.param)
        need_in_this_version(made.boxes["a"])
        yield made.up()


def test_each_client_has_one_box(trio):
    shares = trio.one_box_each(range(CLIENTS))
    for name in NAMES:
        assert abs(shares[name] / CLIENTS - 1 / 3) <= 0.02 / 3
    # Asked again they stay where they are.
    trio.one_box_each(range(0, CLIENTS, 10))


def test_neighbor_discovery_is_balanced_alike(trio):
    trio.one_box_each(range(CLIENTS6), SHARED6)


@pytest.mark.parametrize("how", ["kill", "demote"])
def test_takeover_and_return(trio, how):
    """While b leaves and comes back, no client is answered by two; then all are by one again."""
    victim, began = trio.boxes["b"], dict(trio.home)
    leave, come_back = ((victim.kill, victim.start) if how == "kill"
                        else (victim.demote, victim.undemote))
    with Asking(trio) as asking:
        leave()
        trio.left_by("b")
        asking.never_two()
    assert all(trio.home[v] == n for v, n in began.items() if n != "b")  # the others stay
    trio.one_box_each(range(0, CLIENTS, 10))

    with Asking(trio) as asking:
        come_back()
        trio.owners_are(began)
        asking.never_two()
    trio.one_box_each(range(0, CLIENTS, 10))


def test_nothing_was_announced(trio):
    """C10.8: neither gratuitous ARP nor an unsolicited advertisement, from any box, in all this."""
    for name in NAMES:
        for address in (SHARED, SHARED6):
            frames = trio.observer.announcements(name, address)
            assert not frames, f"{name} announced {address} {len(frames)} times"
