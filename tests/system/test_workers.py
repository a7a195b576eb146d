"""Two workers: on two queues of one port, between which the kernel spreads flows (net_af_packet's
fanout, which sends all ARP to one), and on two ports with one queue each.
"""

import collections

import pytest
from scapy.all import IP, TCP, UDP, Ether

from boxes import OWN, SHARED, TIMERS, VMAC
from frames import CLIENT_MAC, arp_request, echo_request
from lab import Group, until
from lab.station import IFACE

CLIENTS = [f"192.0.2.{100 + i}" for i in range(64)]
FEW = 8  # of 64 fair coins as few show heads once in 10^10 times


def _workers(box, cores, **devices):
    settings = box.settings()
    settings["dataplane"]["worker-cores"] = cores
    for port, device in devices.items():
        settings["ports"][port]["device"] = device
    box.write_config(settings)


def _received(box, port=IFACE):
    """By worker; None where it has no queue of the port."""
    return [worker["received"].get(port) for worker in box.counters()["workers"]]


def _transitions(box):
    return sum(t["count"] for t in box.counters()["slots"][0]["transitions"])


@pytest.fixture(scope="module")
def boxes(module_lab):
    """a is MASTER, b BACKUP."""
    made = [module_lab.koi(name, own=OWN[name], node_id=i, **timers)
            for i, (name, timers) in enumerate(zip("ab", TIMERS["patient"]), 1)]
    for box in made:  # a is the first to take over
        _workers(box, [0, 1], lan=f"net_af_packet0,iface={IFACE},qpairs=2")
        box.start()
    for box, role in zip(made, ("MASTER", "BACKUP")):
        box.wait_role(role, within=5)
    until("b to hear a", lambda: made[1].slot()["master"], within=3)
    return made


@pytest.fixture
def steady(boxes):
    """Neither box changes its role meanwhile."""
    before = [_transitions(box) for box in boxes]
    yield boxes
    assert [box.role() for box in boxes] == ["MASTER", "BACKUP"]
    assert [_transitions(box) for box in boxes] == before


def _ask_all(tap, requests, client_of):
    """requests: by client. Each gets one answer for each time that it asks, as its own cable shows;
    it asks again only if it had none, for a worker that was held up is silent (L8)."""
    asked, answered = collections.Counter(), collections.Counter()

    def count(frames):
        answered.update(client_of(frame) for frame in frames if frame.answer_for())

    def all_have():
        for client in requests.keys() - answered.keys():
            tap.send(requests[client])
            asked[client] += 1
        count(tap.collect(0.1))
        return answered.keys() >= requests.keys()
    until("all to be answered", all_have, within=3)
    count(tap.collect(0.1))  # to show the absence of second ones
    assert answered.keys() == requests.keys()
    assert not answered - asked, "answered twice"


def test_says_what_spreads(boxes):
    for box in boxes:
        log = box.log_text()
        assert "2 queue pair(s) for 2 worker(s): spread by what is behind the device" in log
        assert "does nothing" not in log


# L1: a worker answers by what each worker that may receive has heard.
def test_both_answer(steady):
    """ICMP echo from many addresses."""
    a, _ = steady
    before = _received(a)
    _ask_all(a.tap(), {client: echo_request(SHARED, VMAC, sender_ip=client) for client in CLIENTS},
             lambda frame: ".".join(str(byte) for byte in frame.payload[16:20]))
    after = _received(a)
    assert all(now - then >= FEW for now, then in zip(after, before))


@pytest.mark.parametrize("layer", [TCP, UDP])
def test_flows_spread(steady, layer):
    """One client's, told apart by their ports alone."""
    a, _ = steady
    tap, before = a.tap(), _received(a)
    for port in range(40000, 40064):
        tap.send(bytes(Ether(src=CLIENT_MAC, dst=VMAC) / IP(src=CLIENTS[0], dst=SHARED)
                       / layer(sport=port, dport=53)))
    def gained():
        return [now - then for now, then in zip(_received(a), before)]
    until("all to be received", lambda: sum(gained()) >= 64, within=2)
    assert min(gained()) >= FEW


def test_arp_is_answered_once(steady):
    """All of it by one worker, and never by two."""
    a, _ = steady
    before = _received(a)
    requests = {client: arp_request(SHARED, sender_ip=client, sender=f"02:00:00:00:01:{i:02x}")
                for i, client in enumerate(CLIENTS)}
    _ask_all(a.tap(), requests, lambda frame: frame.arp_target_ip())
    gained = sorted(now - then for now, then in zip(_received(a), before))
    assert gained[0] < FEW and gained[1] >= len(CLIENTS)


def test_advertisements_are_heard_once(steady):
    a, b = steady

    def sent():
        return a.counters()["slots"][0]["adverts_sent"]["ipv4"]

    def between_two():
        before = sent()
        heard = b.counters()["slots"][0]["adverts_received"]["accepted"]
        return (before, heard) if sent() == before else None
    # On a machine that is busy two questions often take longer than an interval.
    sent_first, heard_first = until("a moment between two advertisements", between_two, within=10)

    def each_once():
        moment = between_two()
        return moment and moment[0] >= sent_first + 3 and (
            moment[1] - heard_first == moment[0] - sent_first)
    until("each to have been heard once", each_once, within=10)


def test_ports_with_one_queue_share_the_workers(lab):
    """Each of two workers has one, the third has nothing to do and is named."""
    lab.segment("wan")
    box = lab.koi("a", own=OWN["a"], node_id=1, ports={"wan": ("wan", "198.51.100.2")}, groups=[
        Group(**TIMERS["brisk"][0]),
        Group(name="wan-gateway", vhid=2, port="wan", addresses=("198.51.100.1",),
              **TIMERS["brisk"][0])])
    _workers(box, [0, 1, 1])
    box.start()
    for group, port, address in (("lan-gateway", IFACE, SHARED),
                                 ("wan-gateway", "wan", "198.51.100.1")):
        box.wait_role("MASTER", within=5, group=group)
        _ask_all(box.tap(port), {CLIENTS[0]: arp_request(address, sender_ip=CLIENTS[0])},
                 lambda frame: frame.arp_target_ip())
    lan, wan = _received(box), _received(box, "wan")
    assert lan[0] and wan[1] and lan[1:] == [None, None] and wan[::2] == [None, None]
    assert "1 queue pair(s) for 3 worker(s): its driver has no more" in box.log_text()
    idle = [line for line in box.log_text().splitlines() if "does nothing" in line]
    assert len(idle) == 1 and "worker 2 (core 1) has no queue of any port" in idle[0]
