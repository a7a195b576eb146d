"""Three boxes that share an address by packet: what each client sends reaches one box's kernel, by
the fold computed here (CARP.md, C12.9 to C12.17)."""

import concurrent.futures
import contextlib
import itertools
import random
import socket
import struct
import threading
import time

import pytest

import hashes
from boxes import SHARED, SHARED6
from lab import Lab, netns, until, wire6
from lab.station import IFACE
from lab.wire import mac_bytes, virtual_mac
from trio import NAMES, VHIDS, Trio

pytestmark = pytest.mark.alone

PORT = 4000
HOST_IFACE = "koi-lan"
OVERLAP_ALLOWED_NS = 1_500_000  # as in boxes.py
GROUP_MAC = {"ip": "01:00:5e:00:01:01", "ip-unicast": virtual_mac(1)}
_RANDOM = random.Random(7)
CLIENTS = ([f"10.{_RANDOM.randrange(256)}.{_RANDOM.randrange(256)}.{n % 254 + 1}"
            for n in range(600)]
           + [f"2001:db8:7:{_RANDOM.randrange(1 << 16):x}:{_RANDOM.randrange(1 << 16):x}::{n:x}"
              for n in range(1, 301)])


def test_check_values():
    """C12.13's own."""
    assert hashes.fold("192.0.2.1", "192.0.2.10") % 2 == 1
    assert hashes.fold("192.0.2.2", "192.0.2.10") % 2 == 0


def vhid_of(client):
    return VHIDS[hashes.fold(client, SHARED6 if ":" in client else SHARED) % len(VHIDS)]


def datagram(client, number):
    """From the IP header on: UDP to the shared address, its data the number."""
    udp = struct.pack("!4HI", PORT, PORT, 12, 0, number)
    if ":" not in client:  # without a checksum of its own, which UDP over IPv4 need not have
        head = struct.pack("!BBHIBBH4s4s", 0x45, 0, 20 + len(udp), 0, 64, 17, 0,
                           socket.inet_aton(client), socket.inet_aton(SHARED))
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + udp
    check = wire6.checksum(client, SHARED6, 17, udp)
    return (wire6.header(client, SHARED6, 17, len(udp)) + udp[:6] + struct.pack("!H", check)
            + udp[8:])


class Kernel:
    """A box's kernel, which has the shared addresses whatever its role, and a program there."""

    def __init__(self, lab, box):
        self.box = box
        with netns.inside(box.namespace):
            self._sockets = [lab.keep_open(socket.socket(family, socket.SOCK_DGRAM))
                             for family in (socket.AF_INET, socket.AF_INET6)]
        self._sockets[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for each in self._sockets:
            each.setblocking(False)
            each.bind(("", PORT))

    def configure(self):
        """Once koid has made the interface."""
        netns.allow_ipv6(self.box.namespace, HOST_IFACE)
        for address in (SHARED, SHARED6):
            netns.add_address(self.box.namespace, HOST_IFACE, address)
            # Whoever sends, it might be there.
            netns.run("ip", "-n", self.box.namespace, "-6" if ":" in address else "-4", "route",
                      "add", "default", "dev", HOST_IFACE)

    def received(self):
        """The numbers since the last call."""
        out = []
        for each in self._sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    out.append(struct.unpack("!I", each.recv(2048))[0])
        return out


class Shared(Trio):
    def __init__(self, lab, mode):
        super().__init__(lab, {"mode": mode}, host="tap")
        self.mode, self.lab = mode, lab
        self.kernels = {name: Kernel(lab, box) for name, box in self.boxes.items()}
        if mode == "ip-unicast":  # a hub, which is what it is for
            for station in lab.stations:
                netns.run("ip", "-n", lab.switch, "link", "set", "dev", station.name, "type",
                          "bridge_slave", "learning", "off")
        self.observer = lab.observer(*self.boxes.values())
        with netns.inside(lab.client.namespace):
            self._out = lab.keep_open(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
            self._out.bind((IFACE, 0))
        head = mac_bytes(GROUP_MAC[mode]) + mac_bytes(lab.client.mac)
        self._heads = {False: head + b"\x08\0", True: head + b"\x86\xdd"}
        self._numbers = itertools.count(1)
        self.sent = {}   # number to (client, ns)
        self.taken = {}  # number to the boxes whose kernel had it

    def up(self):
        super().up()
        for kernel in self.kernels.values():
            kernel.configure()
        return self

    def send(self, client):
        number = next(self._numbers)
        self.sent[number] = (client, time.monotonic_ns())
        self._out.send(self._heads[":" in client] + datagram(client, number))
        return number

    def collect(self):
        for name, kernel in self.kernels.items():
            for number in kernel.received():
                self.taken.setdefault(number, []).append(name)

    def each_reaches_its_box(self):
        """What every client sends is taken, by the home of its slot alone. Sent again while it is
        not, for a worker that lost its core for a millisecond refuses what the lease has to
        allow."""
        self.collect()
        self.sent.clear()
        self.taken.clear()
        waiting = list(CLIENTS)
        deadline = time.monotonic() + 20
        while waiting:
            assert time.monotonic() < deadline, f"nobody takes what {waiting[:3]} send"
            batch, waiting = waiting[:64], waiting[64:]
            numbers = {self.send(client): client for client in batch}
            end = time.monotonic() + 0.05
            while not self.taken.keys() >= numbers.keys() and time.monotonic() < end:
                self.collect()
            for number, client in numbers.items():
                if number not in self.taken:
                    waiting.append(client)
                    continue
                assert self.taken[number] == [self.home[vhid_of(client)]], client
        time.sleep(0.02)  # a second one, if there is
        self.collect()
        assert not self.twice()

    def twice(self):
        """The datagrams that two kernels had: (vhid, ns)."""
        return [(vhid_of(self.sent[n][0]), self.sent[n][1]) for n, boxes in self.taken.items()
                if len(boxes) > 1]


class Sending:
    """All clients send all the time, in a thread of their own, while the test does something."""

    def __init__(self, shared):
        self._shared, self._stop = shared, threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(1)

    def __enter__(self):
        self._shared.sent.clear()
        self._shared.taken.clear()
        self._work = self._pool.submit(self._run)
        until("a packet of each slot to be taken", self._all_go_through, within=5)
        return self

    def _all_go_through(self):
        taken = list(self._shared.taken)
        return {vhid_of(self._shared.sent[number][0]) for number in taken} == set(VHIDS)

    def __exit__(self, *_):
        self._stop.set()
        self._pool.shutdown()

    def _run(self):
        for client in itertools.cycle(CLIENTS):
            if self._stop.is_set():
                return
            self._shared.send(client)
            self._shared.collect()
            time.sleep(0.0003)

    def go_to(self, home):
        """Waits until the box that is each slot's home takes its packets."""
        def there():
            by = self._by()
            return all(home[v] in by[v] for v in VHIDS)
        until(lambda: f"the packets to reach {home}; they reached {self._by()}", there, within=5)

    def never_two(self):
        """Ends it. Returns vhid to the names of those that took its packets."""
        self._stop.set()
        self._work.result()
        for vhid in VHIDS:
            when = [ns for v, ns in self._shared.twice() if v == vhid]
            overlap = max(when) - min(when) if when else 0
            assert overlap <= OVERLAP_ALLOWED_NS, f"vhid {vhid}: two boxes for {overlap} ns"
        return self._by()

    def _by(self):
        by = {vhid: set() for vhid in VHIDS}
        for number, boxes in list(self._shared.taken.items()):
            by[vhid_of(self._shared.sent[number][0])].update(boxes)
        return by


@pytest.fixture(scope="module", params=GROUP_MAC)
def shared(request):
    with Lab() as lab:
        yield Shared(lab, request.param).up()


def test_each_packet_reaches_one_kernel(shared):
    assert {vhid_of(c) for c in CLIENTS} == set(VHIDS)
    shared.each_reaches_its_box()


def test_a_clients_kernel_finds_the_group(shared):
    """By ARP and Neighbor Discovery, from the first slot's MASTER; the echo comes from whose share
    the client is."""
    for address in (SHARED, SHARED6):
        until(f"an echo from {address}", lambda a=address: shared.lab.client.ping(a), within=5)
        assert shared.lab.client.neighbor(address) == GROUP_MAC[shared.mode]


def test_explain_says_the_same(shared):
    for client in CLIENTS[::200]:
        address = SHARED6 if ":" in client else SHARED
        said = shared.boxes["a"].ctl_ok("explain", address, "--client", client)
        assert f"member {VHIDS.index(vhid_of(client))}" in said
        here = shared.home[vhid_of(client)] == "a"
        assert ("this box takes its packets" in said) == here


def test_takeover_and_return(shared):
    """While b is killed and comes back, no packet is two boxes'; then all are one's again."""
    victim, began = shared.boxes["b"], dict(shared.home)
    with Sending(shared) as sending:
        victim.kill()
        shared.left_by("b")
        sending.go_to(shared.home)
        by = sending.never_two()
    assert by == {v: {began[v], shared.home[v]} for v in VHIDS}
    shared.each_reaches_its_box()

    heirs = dict(shared.home)
    with Sending(shared) as sending:
        victim.start()
        shared.kernels["b"].configure()
        shared.owners_are(began)
        by = sending.never_two()
    assert all(by[v] <= {began[v], heirs[v]} for v in VHIDS)
    shared.each_reaches_its_box()


def test_no_switch_learned_the_group(shared):
    """C12.12: in all this nothing left from a virtual MAC, with ip; with ip-unicast from those."""
    sources = {f.source for name in NAMES for f in shared.observer.frames(name)}
    own = {box.mac for box in shared.boxes.values()}
    wanted = own if shared.mode == "ip" else own | {virtual_mac(v) for v in VHIDS}
    assert sources == wanted
