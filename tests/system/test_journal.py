"""The journal, read where it arrives: a socket of the test's own stands at journald's path, in a
mount namespace that only koid is in, and takes journald's native protocol (systemd's Native Journal
Protocol) apart. What it should say is koid's flight recorder's and the wire's."""

import json
import os
import re
import socket
import struct
import threading

import pytest

from boxes import SHARED
from frames import Asker, arp_request
from lab import until

FIELDS = ("GROUP", "VHID", "FROM", "TO", "CAUSE", "TERM", "SINCE_HEARD_MS", "ADVSKEW", "DEMOTION")
CATALOG = os.path.join(os.path.dirname(__file__), "..", "..", "service", "journal", "koi.catalog")

# As systemd starts a service whose standard error goes to the journal.
START = """
mount -t tmpfs none /run/systemd && mkdir /run/systemd/journal && touch /run/systemd/journal/socket
mount --bind "$1" /run/systemd/journal/socket && shift
export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr)
exec "$@"
"""


def entry(datagram):
    """One entry: NAME=value lines, or NAME, a newline, the length in 64 bits and the bytes."""
    fields = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8:8 + size], rest[9 + size:]
        assert name not in fields, f"twice: {name}"
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


class FakeJournald:
    """What koid has sent to the journal so far; taken at once, for a full queue would hold it up."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.entries = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        while True:
            self.entries.append(entry(self.socket.recv(1 << 20)))

    def changes(self):
        return [e for e in self.entries if "MESSAGE_ID" in e]


def catalog():
    """MESSAGE_ID to (subject, text), as catalog files are written (journald's message catalog)."""
    with open(CATALOG, encoding="utf-8") as f:
        blocks = re.split(r"^-- ([0-9a-f]{32})\n", f.read(), flags=re.M)[1:]
    messages = {}
    for number, block in zip(blocks[::2], blocks[1::2]):
        head, text = block.split("\n\n", 1)
        headers = dict(line.split(": ", 1) for line in head.splitlines())
        assert headers["Defined-By"] == "koi" and number not in messages
        messages[number] = headers["Subject"], text
    return messages


@pytest.fixture
def box(lab):
    return lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20, lowest_advskew=20)


def role_events(box):
    events = [json.loads(line) for line in box.ctl_ok("events", "--json").splitlines()]
    return [e for e in events if e["kind"] == "role"]


def values(event):
    """Of FIELDS, as an event of the flight recorder has them."""
    heard = event.get("since_heard_ms")
    return ["lan-gateway", "1", event["from"], event["to"], event["cause"], str(event["term"]),
            "none" if heard is None else f"{heard:.3f}", "20", str(event["demotion"])]


def test_journal(box):
    """One entry for each change of role, with every field; nothing for a packet; the catalog
    explains each. The recorder says the same."""
    os.makedirs("/run/systemd", exist_ok=True)
    journald = FakeJournald(box.path("journal.sock"))
    box.process = box.spawn(["unshare", "--mount", "--propagation", "private", "sh", "-ec", START,
                             "sh", box.path("journal.sock"), box.program, "-c", box.config])
    until(lambda: f"koid to answer; its log:\n{box.log_text()}", box.status, within=10)
    box.wait_role("MASTER", within=5)

    until("both changes", lambda: len(journald.changes()) == 2, within=2)
    before = len(journald.entries)
    sent = 300
    answers = Asker(box).answers_before_fence(*[arp_request(SHARED)] * sent)
    assert sum(f.answer_for() == (SHARED, "arp") for f in answers) > sent / 2
    assert len(journald.entries) == before

    box.plug(False)
    box.wait_role("INIT", within=5)
    box.plug(True)
    box.wait_role("MASTER", within=5)
    told = role_events(box)
    assert [(e["from"], e["to"]) for e in told][:3] == [
        ("INIT", "BACKUP"), ("BACKUP", "MASTER"), ("MASTER", "INIT")]
    until("the journal to have them all", lambda: len(journald.changes()) == len(told), within=2)
    box.stop()
    ended = until("the last", lambda: journald.changes()[len(told):], within=2)
    assert [e["KOI_CAUSE"] for e in ended] == ["shutdown"]  # L10

    known = catalog()
    kinds = {}
    for seen, event in zip(journald.changes(), told):
        assert {name for name in seen if name.startswith("KOI_")} == {f"KOI_{f}" for f in FIELDS}
        assert [seen[f"KOI_{f}"] for f in FIELDS] == values(event)
        assert seen["MESSAGE"].startswith(
            f"group lan-gateway vhid 1: {event['from']} -> {event['to']}: {event['cause']} (term ")
        assert seen["PRIORITY"] == "6" and seen["SYSLOG_IDENTIFIER"] == "koid"
    for seen in journald.changes():
        number = kinds.setdefault((seen["KOI_FROM"], seen["KOI_TO"]), seen["MESSAGE_ID"])
        assert number == seen["MESSAGE_ID"]
        subject, text = known[number]
        assert set(re.findall(r"@(\w+)@", subject + text)) <= set(seen)
    assert len(set(kinds.values())) == 4 == len(known)  # INIT, BACKUP twice, MASTER: each has its own

    # Everything else is there too, once, without a time of its own in front.
    messages = [e["MESSAGE"] for e in journald.entries]
    assert "port lan: link down" in messages and "SIGTERM: stepping down" in messages
    assert "koid[" not in "".join(messages)
    assert "koid[" not in box.log_text() and "->" not in box.log_text()


def test_standard_error(box, monkeypatch):
    """The same line with the same fields where standard error is not the journal: a JOURNAL_STREAM
    that was inherited, but is another file, is none."""
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    box.start()
    box.wait_role("MASTER", within=5)
    told = role_events(box)
    lines = until("the lines", lambda: [
        line for line in box.log_text().splitlines() if "MESSAGE_ID" in line] or None, within=2)
    assert len(lines) == len(told)
    for line, event in zip(lines, told):
        text, fields = line.split(" MESSAGE_ID=")
        assert re.search(r"koid\[\d+\] info: group lan-gateway vhid 1: ", text)
        number, *rest = re.findall(r'(?:^|=)("[^"]*"|\S*)', fields)
        assert number in catalog()
        assert re.findall(r" KOI_(\w+)=", fields) == list(FIELDS)
        assert [value.strip('"') for value in rest] == values(event)
