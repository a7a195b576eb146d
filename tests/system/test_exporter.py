"""koi-exporter, scraped over HTTP: the figures are those of what was sent."""

import json
import os
import re
import subprocess
import urllib.parse

import pytest

from boxes import SHARED
from frames import Asker, arp_request, echo_request
from lab import until
from scrapes import PORT, Scrape, get, scrape, start_exporter, start_master


@pytest.fixture(scope="module")
def box(module_lab):
    return start_master(module_lab)


@pytest.fixture(scope="module")
def exporter(box):
    return start_exporter(box)


@pytest.fixture(scope="module")
def asker(box):
    return Asker(box)


def test_names_and_types(box, exporter):
    """All of them, but for what only a demotion, an agent that is needed, or a peer brings; and
    promtool's own judgement of names, types and help."""
    seen = scrape(box)
    for name, kind in {
            "koi_slot_master": "gauge", "koi_slot_lease_seconds": "gauge",
            "koi_transitions_total": "counter", "koi_adverts_sent_total": "counter",
            "koi_adverts_received_total": "counter", "koi_answers_total": "counter",
            "koi_drops_total": "counter", "koi_port_packets_total": "counter",
            "koi_port_up": "gauge", "koi_takeover_seconds": "histogram",
            "koi_control_late_seconds": "histogram", "koi_worker_heartbeat_age_seconds": "gauge",
            "koi_build_info": "gauge", "koi_up": "gauge", "koi_notices_total": "counter",
            "koi_worker_received_total": "counter", "koi_control_age_seconds": "gauge",
            "koi_control_frames_dropped_total": "counter",
            "koi_control_reports_dropped_total": "counter"}.items():
        assert f"# TYPE {name} {kind}\n" in seen.text, name
        assert f"# HELP {name} " in seen.text, name
    told = subprocess.run(["promtool", "check", "metrics"], input=scrape(box).text, text=True,
                          capture_output=True, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


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
    """The counter agrees with the wire: between what was there from scrape to scrape and what came
    while they were made as well, give or take the one under way at either end."""
    asker.tap.frames()
    before = scrape(box)
    during = [f for f in asker.tap.frames() if f.carp() is not None]
    frames = asker.tap.collect(1.0, lambda f: f.carp() is not None)
    after = scrape(box)
    during += [f for f in asker.tap.frames() if f.carp() is not None]
    rise = (after.value("koi_adverts_sent_total", group="lan-gateway", vhid="1", family="ipv4")
            - before.value("koi_adverts_sent_total", group="lan-gateway", vhid="1", family="ipv4"))
    assert len(frames) - 1 <= rise <= len(frames) + len(during) + 1 and rise >= 10


def test_agrees_with_koictl(box, exporter):
    told = box.counters()["ports"][0]["drops"]
    seen = scrape(box)
    for reason, count in told.items():
        assert seen.value("koi_drops_total", port="lan", reason=reason) == count


def test_other_paths_and_no_daemon(box, exporter):
    """Asked for nonsense, and left without a daemon, the exporter lives on and says so."""
    for path in ("/nonsense", "/", "/../../../../etc/passwd", "/metrics/../../etc/passwd",
                 "/%2e%2e/%2e%2e/etc/passwd"):
        status, body = get(box, path)
        assert status in (400, 404) and "root:" not in body, path
    assert get(box, method="POST")[0] >= 400 and get(box, method="DELETE")[0] >= 400
    assert get(box, "/metrics?" + "x" * 100_000)[0] == 400
    box.stop()
    status, body = get(box)
    assert exporter.poll() is None
    assert status != 200 or Scrape(body).value("koi_slot_master") == 0
    box.start()
    box.wait_role("MASTER", within=5)
    until("the figures to return", lambda: scrape(box).value("koi_slot_master") == 1, within=5)


PROMETHEUS_PORT = 9090
RULES = os.path.join(os.path.dirname(__file__), "..", "..", "service", "prometheus",
                     "koi.rules.yml")
RULES_TEST = os.path.join(os.path.dirname(__file__), "..", "prometheus", "koi.rules.test.yml")

# A scrape and a look at the rules five times a second, as nobody waits for half a minute here.
PROMETHEUS = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: koi
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{cluster: lab}}}}]
"""


def test_alert_rules():
    """tests/prometheus has what each rule fires at, and what not."""
    told = subprocess.run(["promtool", "test", "rules", RULES_TEST], capture_output=True, text=True,
                          check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def ask_prometheus(box, path):
    try:
        status, body = get(box, path, port=PROMETHEUS_PORT)
    except OSError:
        return None
    return json.loads(body)["data"] if status == 200 else None


def test_prometheus(box, exporter):
    """The real one scrapes, takes the rules, and fires when koid ends."""
    with open(RULES, encoding="utf-8") as f, \
            open(box.path("koi.rules.yml"), "w", encoding="utf-8") as out:
        out.write(re.sub(r"for: \w+", "for: 0s", f.read()))
    with open(box.path("prometheus.yml"), "w", encoding="utf-8") as f:
        f.write(PROMETHEUS.format(rules=box.path("koi.rules.yml"), port=PORT))
    prometheus = box.spawn(
        ["prometheus", f"--config.file={box.path('prometheus.yml')}",
         f"--storage.tsdb.path={box.path('tsdb')}",
         f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}"],
        log="prometheus.log", env=os.environ | {"GOMAXPROCS": "1"})

    def value(query):
        data = ask_prometheus(box, "/api/v1/query?query=" + urllib.parse.quote(query))
        return data and [float(sample["value"][1]) for sample in data["result"]]

    def alerts():
        data = ask_prometheus(box, "/api/v1/alerts") or {"alerts": []}
        return {a["labels"]["alertname"]: a["annotations"]["summary"] for a in data["alerts"]
                if a["state"] == "firing"}
    try:
        until(lambda: f"Prometheus to see the master\n{box.log_text('prometheus.log')}",
              lambda: value('koi_slot_master{cluster="lab",group="lan-gateway"}') == [1], within=10)
        assert value("up") == [1] and value("exposer_scrapes_total")[0] > 0
        assert "KoiDown" not in alerts() and "KoiNoOwner" not in alerts()
        box.stop()
        fired = until("the alert", lambda: (a := alerts()) and "KoiDown" in a and a, within=5)
        assert fired["KoiDown"] == f"127.0.0.1:{PORT}: koid does not answer"
        box.start()
        until("the end of the alert", lambda: "KoiDown" not in alerts(), within=5)
    finally:
        prometheus.kill()
        prometheus.wait()
