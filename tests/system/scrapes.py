"""koi-exporter in a box's namespace, and what a scrape of it says."""

import http.client
import os
import re

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


def start_master(lab):
    """A box, once it reigns."""
    box = lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20, lowest_advskew=20)
    box.start()
    box.wait_role("MASTER", within=5)
    return box


def start_exporter(box):
    """The process, once it answers."""
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


def get(box, path="/metrics", method="GET", port=PORT, within=5):
    """(status, body) of a GET from within the box."""
    with netns.inside(box.namespace):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=within)
        connection.connect()
    try:
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def scrape(box):
    status, body = get(box)
    assert status == 200
    return Scrape(body)
