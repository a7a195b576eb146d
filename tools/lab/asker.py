"""A client that wants the MACs of thousands of addresses at once: ARP in batches, sendmmsg and recvmmsg.

An address is asked for once its box has said a word: the first frame of a box that takes over is an
advertisement from the group's virtual MAC, and asking before that tells nothing. Then again every
AGAIN_NS until it is answered, as a client does whose request was lost. Requests go to the virtual MAC
that clients have in their caches.
"""

import collections
import ctypes
import dataclasses
import errno
import os
import socket
import struct
import time

from . import netns
from .wire import ETH_P_ALL, attach, filtered

BATCH = 64              # requests at once
OPEN = 256              # and so many on their way: what a box's receive queue surely holds
AGAIN_NS = 3_000_000
COLD_NS = 1_000_000     # between two requests for what nobody has said a word of
PAUSE_S = 50e-6         # between two looks when there is nothing to ask
_SNAP, _RECEIVED = 64, 512
_SO_RCVBUFFORCE, _SOL_PACKET, _PACKET_IGNORE_OUTGOING = 33, 263, 23
_LIBC = ctypes.CDLL(None, use_errno=True)
_FRAME = struct.Struct("!11xB16x4s32x")  # vhid, of the source; ARP's sender address


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                ("iov", ctypes.c_void_p), ("iov_count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = [("header", _Header), ("length", ctypes.c_uint)]


class _Messages:
    """Messages for sendmmsg or recvmmsg over one buffer that is cut into equal pieces."""

    def __init__(self, buffer, piece):
        count = len(buffer) // piece
        self._buffer = buffer
        start = ctypes.addressof(buffer)
        self._iovecs = (_Iovec * count)(*((start + i * piece, piece) for i in range(count)))
        first, size = ctypes.addressof(self._iovecs), ctypes.sizeof(_Iovec)
        self.all = (_Message * count)(*(
            ((None, 0, first + i * size, 1, None, 0, 0), 0) for i in range(count)))


@dataclasses.dataclass(frozen=True)
class Asked:
    left: int        # addresses without an answer
    sent: int        # requests
    whole_ms: float
    busy_ms: float   # of it the client itself took; in the rest it waited for answers


def requests(mac, own, addresses):
    """The frames that ask for them, from that MAC and address: (vhid, address in bytes, frame)."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    request = (hardware + bytes.fromhex("0806" "0001" "0800" "0604" "0001") + hardware
               + socket.inet_aton(own) + bytes(6))
    for vhid, each in addresses.items():
        for address in map(socket.inet_aton, each):
            yield vhid, address, b"\0\0\x5e\0\1" + bytes([vhid]) + request + address


class Asker:
    """On a box's switch port, which saves the way through the switch: 4,080 requests take the kernel
    half the time. REQUIRES: addresses, vhid to the group's IPv4 addresses."""

    def __init__(self, namespace, iface, mac, own, addresses):
        self._members, self._index, frames = collections.defaultdict(list), {}, []
        for vhid, address, frame in requests(mac, own, addresses):
            self._members[vhid].append(len(frames))
            self._index[address] = len(frames)
            frames.append(frame)
        self.count = len(frames)
        raw = b"".join(frames)
        self._requests = _Messages(ctypes.create_string_buffer(raw, len(raw)), len(frames[0]))
        self._received = ctypes.create_string_buffer(_RECEIVED * _SNAP)
        self._replies = _Messages(self._received, _SNAP)
        self._words = self._open(namespace, iface, (12, b"\x08\0"), (23, b"\x70"))
        self._answers = self._open(namespace, iface, (12, b"\x08\x06"), (20, b"\0\2"))

    @staticmethod
    def _open(namespace, iface, *fields):
        """Receives frames from virtual MACs in which those fields are so, and none but them."""
        with netns.inside(namespace):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            attach(made, filtered((6, b"\0\0\x5e\0"), (10, b"\1"), *fields, length=_SNAP))
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
            made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            made.bind((iface, ETH_P_ALL))
        made.setblocking(False)
        return made

    def close(self):
        self._words.close()
        self._answers.close()

    def forget(self):
        """What has arrived so far."""
        while self._take(self._words) or self._take(self._answers):
            pass

    def ask(self, within, at_once=False):
        """Until every address is answered. at_once: asks for all without waiting for a word."""
        answered, heard, on_its_way = bytearray(self.count), set(), set()
        fresh = collections.deque(range(self.count) if at_once else ())
        again = collections.deque()  # (when, address), by time
        cold, cold_due, idle_ns = 0, 0, 0  # the next to ask for without a word, and when
        left, sent, began = self.count, 0, time.monotonic_ns()
        while left and (now := time.monotonic_ns()) - began < within * 1e9:
            for vhid, _ in self._take(self._words):
                if vhid not in heard and not at_once:
                    heard.add(vhid)
                    fresh.extend(self._members.get(vhid, ()))
            for _, sender in self._take(self._answers):
                which = self._index.get(sender)
                if which is not None and not answered[which]:
                    answered[which] = 1
                    on_its_way.discard(which)
                    left -= 1
            batch = []
            while again and again[0][0] <= now and len(batch) < BATCH:
                batch.append(again.popleft()[1])
            while fresh and len(batch) < BATCH and len(on_its_way) + len(batch) < OPEN:
                batch.append(fresh.popleft())
            batch = [i for i in batch if not answered[i]]
            if batch:
                self._send(batch)
                sent += len(batch)
                on_its_way.update(batch)
                again.extend((now + AGAIN_NS, i) for i in batch)
                continue
            if not fresh and now >= cold_due:
                self._send([cold])
                cold, cold_due = (cold + 1) % self.count, now + COLD_NS
            idle = time.monotonic_ns()
            time.sleep(PAUSE_S)
            idle_ns += time.monotonic_ns() - idle
        whole = time.monotonic_ns() - began
        return Asked(left, sent, whole / 1e6, (whole - idle_ns) / 1e6)

    def _send(self, which):
        chosen = (_Message * len(which))(*[self._requests.all[i] for i in which])
        done = _LIBC.sendmmsg(self._answers.fileno(), chosen, len(which), 0)
        if done < 0 and ctypes.get_errno() not in (errno.ENOBUFS, errno.EAGAIN):
            raise OSError(ctypes.get_errno(), f"sendmmsg: {os.strerror(ctypes.get_errno())}")

    def _take(self, sock):
        """What has arrived: (vhid, ARP's sender)."""
        got = _LIBC.recvmmsg(sock.fileno(), self._replies.all, _RECEIVED, 0, None)
        if got <= 0:
            return []
        return list(_FRAME.iter_unpack(memoryview(self._received)[:got * _SNAP]))
