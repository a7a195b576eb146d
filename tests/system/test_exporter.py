"""koi-exporter, scraped over HTTP: the figures are those of what was sent."""

import http.client
import os
import re

import pytest

from boxes import SHARED
from frames import Asker, arp_request, echo_request
from lab import netns, until

PORT = 9477  # in the box's own namespace: nobody else is there
LINE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Scrape:
    """One answer of the exporter."""

    def __init__(self, text):
        self.text, self._values = text, {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = LINE.match(line).groups()
                key = name, frozenset(LABEL.findall(labels or ""))
                assert key not in self._values, f"twice: {line}"
                self._values[key] = float(value)

    def value(self, name, **labels):
        """0 when there is no such line; the labels given must match, others may be there."""
        wanted = set(labels.items())
        return sum(v for (n, have), v in self._values.items() if n == name and wanted <= have)

    def has(self, name):
        return any(n == name for n, _ in self._values)


@pytest.fixture(scope="module")
def box(module_lab):
    made = module_lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20,
                          lowest_advskew=20)
    made.start()
    made.wait_role("MASTER", within=5)
    return made


@pytest.fixture(scope="module")
def exporter(box):
    process = box.spawn([os.path.join(box.lab.build, "koi-exporter"), "--socket", box.socket,
                         "--listen", f"127.0.0.1:{PORT}"], log="exporter.log")

    def answers():
        assert process.poll() is None, box.log_text("exporter.log")
        try:
            return get(box)[0] == 200
        except OSError:
            return False
    until("the exporter to answer", answers, within=5)
    return process


def get(box, path="/metrics"):
    """(status, body) of a GET from within the box."""
    with netns.inside(box.namespace):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
        connection.connect()
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def scrape(box):
    status, body = get(box)
    assert status == 200
    return Scrape(body)


@pytest.fixture(scope="module")
def asker(box):
    return Asker(box)


def test_names_and_types(box, exporter):
    """design.md, Names that are an interface: those that have a meaning with CARP over IPv4."""
    seen = scrape(box)
    for name, kind in {
            "koi_slot_master": "gauge", "koi_slot_lease_seconds": "gauge",
            "koi_transitions_total": "counter", "koi_adverts_sent_total": "counter",
            "koi_adverts_received_total": "counter", "koi_answers_total": "counter",
            "koi_drops_total": "counter", "koi_port_packets_total": "counter",
            "koi_port_up": "gauge", "koi_takeover_seconds": "histogram",
            "koi_control_late_seconds": "histogram", "koi_worker_heartbeat_age_seconds": "gauge",
            "koi_build_info": "gauge"}.items():
        assert f"# TYPE {name} {kind}\n" in seen.text, name
        assert f"# HELP {name} " in seen.text, name


def test_state(box, exporter):
    seen = scrape(box)
    labels = {"group": "lan-gateway", "vhid": "1"}
    assert seen.value("koi_slot_master", **labels) == 1
    assert 0 < seen.value("koi_slot_lease_seconds", **labels) < 0.235
    assert seen.value("koi_transitions_total", **labels, **{"from": "INIT", "to": "BACKUP"}) == 1
    assert seen.value("koi_transitions_total", **labels, **{"from": "BACKUP", "to": "MASTER"}) == 1
    assert seen.value("koi_port_up", port="lan") == 1
    assert seen.value("koi_build_info") == 1
    assert seen.value("koi_takeover_seconds_count") >= 0
    assert seen.value("koi_worker_heartbeat_age_seconds") < 1


# L1, L8: what a worker does not answer that the machine left waiting for more than 1 ms.
LEASE_DROPS = ("no_lease", "answer_late")


@pytest.mark.parametrize("target", [SHARED, "192.0.2.2"])
def test_answers(box, exporter, asker, target):
    """N requests in, as many answers out as the counters say, every other request counted too."""
    count = 100
    before = scrape(box)
    asker.tap.frames()
    for _ in range(count):
        asker.tap.send(arp_request(target))

    def rise(now, name, **labels):
        return now.value(name, **labels) - before.value(name, **labels)

    def silent(now):
        return sum(rise(now, "koi_drops_total", port="lan", reason=r) for r in LEASE_DROPS)

    def all_decided():
        now = scrape(box)
        answered = rise(now, "koi_answers_total", port="lan", kind="arp")
        return now if answered + silent(now) == count else None
    after = until("every request to be counted", all_decided, within=3)
    answered = rise(after, "koi_answers_total", port="lan", kind="arp")
    assert answered >= count / 2
    if target != SHARED:
        assert answered == count  # no lease is needed for it
    replies = 0

    def all_there():
        nonlocal replies
        replies += sum(f.answer_for() == (target, "arp") for f in asker.tap.frames())
        return replies == answered
    until("the answers", all_there, within=2)

    assert rise(after, "koi_drops_total") == silent(after)
    assert rise(after, "koi_port_packets_total", port="lan", direction="rx") == count
    adverts = rise(after, "koi_adverts_sent_total", group="lan-gateway", family="ipv4")
    sent = rise(after, "koi_port_packets_total", port="lan", direction="tx")
    assert 0 <= sent - answered - adverts <= 2


def test_drops(box, exporter, asker):
    before = scrape(box)
    bad = {"arp_not_ours": arp_request("192.0.2.9"), "ethertype": b"\xff" * 6 + b"\x02" * 6
           + b"\x88\xb5" + bytes(46), "arp_not_request": arp_request(SHARED, op=2),
           "ipv4_not_ours": echo_request("192.0.2.9", box.mac)}
    for i, frame in enumerate(bad.values()):
        asker.answers_before_fence(*[frame] * (i + 3))
    after = scrape(box)
    for i, reason in enumerate(bad):
        assert (after.value("koi_drops_total", port="lan", reason=reason)
                - before.value("koi_drops_total", port="lan", reason=reason)) == i + 3, reason


def test_adverts_sent(box, exporter, asker):
    """The counter agrees with the wire, give or take the one under way at either end."""
    asker.tap.frames()
    before = scrape(box)
    frames = asker.tap.collect(1.0, lambda f: f.carp() is not None)
    after = scrape(box)
    rise = (after.value("koi_adverts_sent_total", group="lan-gateway", vhid="1", family="ipv4")
            - before.value("koi_adverts_sent_total", group="lan-gateway", vhid="1", family="ipv4"))
    assert abs(rise - len(frames)) <= 1 and rise >= 10


def test_agrees_with_koictl(box, exporter):
    told = box.counters()["ports"][0]["drops"]
    seen = scrape(box)
    for reason, count in told.items():
        assert seen.value("koi_drops_total", port="lan", reason=reason) == count


def test_other_paths_and_no_daemon(box, exporter):
    """Asked for nonsense, and left without a daemon, the exporter lives on and says so."""
    assert get(box, "/nonsense")[0] == 404
    box.stop()
    status, body = get(box)
    assert exporter.poll() is None
    assert status != 200 or Scrape(body).value("koi_slot_master") == 0
    box.start()
    box.wait_role("MASTER", within=5)
    until("the figures to return", lambda: scrape(box).value("koi_slot_master") == 1, within=5)
