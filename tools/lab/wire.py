"""Frames on a wire: an AF_PACKET socket with the kernel's timestamps, and what we read of them."""

import ctypes
import dataclasses
import errno
import select
import socket
import struct
import time

from . import netns, wire6

ETH_P_ALL = 0x0003
ARP, IPV4, IPV6, VLAN = 0x0806, 0x0800, 0x86DD, 0x8100
BROADCAST = "ff:ff:ff:ff:ff:ff"

_SOL_PACKET = 263
_PACKET_STATISTICS, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING = 6, 8, 23
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 26, 33, 35
_VLAN_VALID, _VLAN_TPID_VALID = 1 << 4, 1 << 6
_TIMESPEC = struct.Struct("@qq")
_AUXDATA = struct.Struct("@IIIHHHH")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size) + socket.CMSG_SPACE(_AUXDATA.size)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(raw):
    return raw.hex(":")


def virtual_mac(vhid):
    return f"00:00:5e:00:01:{vhid:02x}"


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """One frame, any VLAN tag in its bytes, and when the kernel took it (ns, CLOCK_REALTIME)."""

    time_ns: int
    data: bytes

    @property
    def vlan(self):
        """The 802.1Q tag's VLAN, or None."""
        if self.data[12:14] != b"\x81\x00":
            return None
        return struct.unpack_from("!H", self.data, 14)[0] & 0xFFF

    @property
    def ethertype(self):
        at = 12 if self.vlan is None else 16
        return int.from_bytes(self.data[at:at + 2], "big")

    @property
    def payload(self):
        return self.data[14 if self.vlan is None else 18:]

    @property
    def source(self):
        return mac_text(self.data[6:12])

    def arp_operation(self):
        """1 request, 2 reply; None when it is not ARP."""
        p = self.payload
        return int.from_bytes(p[6:8], "big") if self.ethertype == ARP and len(p) >= 28 else None

    def arp_sender_ip(self):
        return socket.inet_ntoa(self.payload[14:18])

    def arp_target_ip(self):
        return socket.inet_ntoa(self.payload[24:28])

    def is_announcement(self, address):
        """protocol.md §9: gratuitous ARP, a request with sender and target the same, or an
        unsolicited Neighbor Advertisement to all nodes."""
        if ":" in address:
            found, said = self.ipv6(), self.neighbor_advertisement()
            return (said is not None and said.target == address
                    and found.destination == wire6.ALL_NODES)
        return (self.arp_operation() == 1 and self.arp_sender_ip() == address
                and self.arp_target_ip() == address)

    def ip_source(self):
        """The source address of IPv4 and of IPv6, or None."""
        if self.ethertype == IPV4 and len(self.payload) >= 20:
            return socket.inet_ntoa(self.payload[12:16])
        if self.ethertype == IPV6 and len(self.payload) >= 40:
            return socket.inet_ntop(socket.AF_INET6, self.payload[8:24])
        return None

    def ip_protocol(self):
        """Of IPv4 and of IPv6."""
        p = self.payload
        if self.ethertype == IPV4 and len(p) >= 20:
            return p[9]
        found = self.ipv6()
        return found.next_header if found else None

    def ipv6(self):
        """The wire6.Packet, or None."""
        return wire6.parse(self.payload) if self.ethertype == IPV6 else None

    def neighbor_advertisement(self):
        """The wire6.Advertisement, or None."""
        found = self.ipv6()
        return wire6.parse_advertisement(found) if found else None

    def carp(self):
        """The CARP header's 36 bytes, over IPv4 or IPv6, or None."""
        if self.ip_protocol() != 112:
            return None
        if self.ethertype == IPV6:
            body = self.ipv6().body
        else:
            start = (self.payload[0] & 0xF) * 4
            body = self.payload[start:int.from_bytes(self.payload[2:4], "big")]
        return body if len(body) >= 36 else None

    def answer_for(self):
        """(address, "arp" | "nd" | "echo") when it answers a request, else None.

        A Neighbor Advertisement to all nodes announces, or answers Duplicate Address Detection:
        neither counts.
        """
        if self.ethertype == ARP:
            return (self.arp_sender_ip(), "arp") if self.arp_operation() == 2 else None
        if self.ethertype == IPV6:
            return self._answer_for6()
        if self.ip_protocol() == 1 and len(self.payload) >= 28 and self.payload[20] == 0:
            return socket.inet_ntoa(self.payload[12:16]), "echo"
        return None

    def _answer_for6(self):
        found = self.ipv6()
        if found is None or found.destination == wire6.ALL_NODES:
            return None
        if found.icmp_type() == wire6.ECHO_REPLY:
            return found.source, "echo"
        said = wire6.parse_advertisement(found)
        return (said.target, "nd") if said else None


class Tap:
    """Sends to and receives from one interface, below the kernel's stack.

    On a switch port, what it sends goes to the box on that port only, and what it receives is what
    that box sent: frames that the bridge sends out of the port are left out.
    """

    def __init__(self, namespace, iface, buffer_bytes=128 << 20, snap=None, only=None):
        """snap: of each frame only so many bytes are kept. only: a packet filter; see filtered()."""
        with netns.inside(namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        if snap or only:
            attach(self._socket, only or filtered(length=snap))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer_bytes)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        with netns.inside(namespace):
            self._socket.bind((iface, ETH_P_ALL))
        self._socket.setblocking(False)

    def close(self):
        self._socket.close()

    def fileno(self):
        return self._socket.fileno()

    def send(self, data):
        """Returns when the frame was handed over, in ns of CLOCK_REALTIME."""
        before = time.time_ns()
        self._socket.send(bytes(data))
        return before

    def frames(self):
        """What arrived since the last call, oldest first. Raises if the kernel had to drop any."""
        out = []
        while True:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65535, _ANCILLARY)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENETDOWN:  # said once after the cable was pulled
                    raise
                continue
            out.append(_frame(data, ancillary))
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        dropped = struct.unpack("@II", raw)[1]
        if dropped:
            raise RuntimeError(f"the capture lost {dropped} frames; read it more often")
        return out

    def wait(self, wanted, within, what="a frame"):
        """The first frame for which wanted(frame) is true; earlier ones are discarded."""
        deadline = time.monotonic() + within
        while True:
            for frame in self.frames():
                if wanted(frame):
                    return frame
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {within} s: {what}")
            select.select([self._socket], [], [], left)

    def collect(self, seconds, wanted=lambda frame: True):
        """All frames of the next `seconds` for which wanted(frame) is true: to show an absence."""
        end = time.monotonic() + seconds
        out = []
        while (left := end - time.monotonic()) > 0:
            select.select([self._socket], [], [], left)
            out += [frame for frame in self.frames() if wanted(frame)]
        return out


_LOADS, _EQUAL, _RETURN = {1: 0x30, 2: 0x28, 4: 0x20}, 0x15, 0x06


def filtered(*fields, length=65535):
    """A packet filter (BPF): the first `length` bytes of frames in which all fields are as given.

    A field is (offset, bytes), of 1, 2 or 4 bytes.
    """
    out = []
    for i, (offset, value) in enumerate(fields):
        out.append((_LOADS[len(value)], 0, 0, offset))
        to_the_end = 2 * (len(fields) - i) - 1
        out.append((_EQUAL, 0, to_the_end, int.from_bytes(value, "big")))
    return out + [(_RETURN, 0, 0, length), (_RETURN, 0, 0, 0)]


def attach(sock, program):
    """The socket takes what the program of filtered() lets through."""
    raw = ctypes.create_string_buffer(b"".join(struct.pack("@HBBI", *i) for i in program))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER,
                    struct.pack("@HP", len(program), ctypes.addressof(raw)))


def _frame(data, ancillary):
    """The kernel takes a VLAN tag out of the bytes into the ancillary data: put it back."""
    when = 0
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIMESPEC.unpack_from(content)
            when = seconds * 1_000_000_000 + nanoseconds
        elif level == _SOL_PACKET and kind == _PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack_from(content)
            if status & _VLAN_VALID:
                tag = struct.pack("!HH", tpid if status & _VLAN_TPID_VALID else VLAN, tci)
                data = data[:12] + tag + data[12:]
    return Frame(when, data)
