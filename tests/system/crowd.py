"""Very many clients that ask for one address, and who answered each."""

import dataclasses
import socket
import time

from lab import Tap, netns, wire6
from lab.station import IFACE

BATCH = 128          # requests on their way at once: what a box's receive queue surely holds
AGAIN_S = 0.03       # then those without an answer are asked again, as clients do


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """One answer: when, by which box, and the MAC it says (6 bytes)."""

    time_ns: int
    box: str
    mac: bytes


def client_mac(number):
    return b"\x02\x00" + number.to_bytes(4, "big")


class Crowd:
    """Client `number` has client_mac(number). Answers are read on the boxes' own cables."""

    def __init__(self, lab, boxes):
        self._taps = {b.name: lab.keep_open(Tap(lab.switch, b.name)) for b in boxes}
        with netns.inside(lab.client.namespace):
            self._out = lab.keep_open(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
            self._out.bind((IFACE, 0))

    def ask(self, address, numbers, until_answered=True):
        """Each asks for the address, again until it is answered (or only once).

        Returns number to list of Said, for those that got an answer.
        """
        request, read = ((_solicitation(address), _read_nd) if ":" in address
                         else (_arp_request(address), _read_arp))
        said, waiting = {}, list(numbers)
        self._collect(read, {})  # nobody's: asked before
        deadline = time.monotonic() + 60
        while waiting:
            batch, waiting = waiting[:BATCH], waiting[BATCH:]
            for number in batch:
                self._out.send(request(client_mac(number)))
            end, missing = time.monotonic() + AGAIN_S, set(batch)
            while missing and time.monotonic() < end:
                self._collect(read, said)
                missing -= said.keys()
            if until_answered:
                assert time.monotonic() < deadline, f"{len(missing)} of {BATCH} without an answer"
                waiting += missing
        time.sleep(0.01)  # a second answer, if there is one
        self._collect(read, said)
        return said

    def _collect(self, read, said):
        for box, tap in self._taps.items():
            for frame in tap.frames():
                if (found := read(frame.data)) is not None:
                    number, mac = found
                    said.setdefault(number, []).append(Said(frame.time_ns, box, mac))


def _number(mac):
    return int.from_bytes(mac[2:], "big") if mac[:2] == b"\x02\x00" else None


def _arp_request(address):
    target = socket.inet_aton(address)
    kind = bytes.fromhex("0806" "0001" "0800" "0604" "0001")

    def request(mac):
        return b"".join((b"\xff" * 6, mac, kind, mac, b"\xc0\x00\x02\x63", bytes(6), target))
    return request


def _read_arp(data):
    """(client, MAC) of an ARP reply, from its Ethernet destination and its sender; both MACs of
    the sender are the same."""
    if data[12:14] != b"\x08\x06" or data[20:22] != b"\0\2" or (n := _number(data[:6])) is None:
        return None
    assert data[6:12] == data[22:28] and data[:6] == data[32:38]
    return n, data[22:28]


def _solicitation(address):
    group, group_mac = wire6.solicited_node(address)
    to = bytes.fromhex(group_mac.replace(":", ""))

    def request(mac):
        return (to + mac + b"\x86\xdd"
                + wire6.packet("2001:db8::99", group, wire6.solicitation(address, mac)))
    return request


def _read_nd(data):
    """The same of a solicited Neighbor Advertisement: the option's MAC."""
    if data[12:14] != b"\x86\xdd" or data[54:55] != b"\x88" or (n := _number(data[:6])) is None:
        return None
    assert data[78:80] == b"\x02\x01" and data[6:12] == data[80:86]
    return n, data[80:86]
