"""The probe's own process; see probe.py. Started as `-m lab.prober NAMESPACE INTERFACE ADDRESS`.

Prints "ready" when both kinds of reply come in, runs until its standard input ends, then prints the
times as JSON.
"""

import contextlib
import fcntl
import gc
import json
import os
import select
import socket
import struct
import sys
import time

from . import netns, wire6
from .probe import PERIOD_NS

_ETH_P_ARP, _ETH_P_IPV6 = 0x0806, 0x86DD
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 33, 35, 255, 1, 1
_SIOCGIFADDR = 0x8915
_PRIORITY = 45  # above koid's workers, below its control thread: neither may starve the probe
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size)


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _stamped(sock):
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 16 << 20)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setblocking(False)
    return sock


def _drain(sock, wanted, times):
    while True:
        try:
            data, ancillary, _, _ = sock.recvmsg(256, _ANCILLARY)
        except BlockingIOError:
            return
        if wanted(data) and ancillary:
            seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
            times.append(seconds * 1_000_000_000 + nanoseconds)


class _Ipv4:
    """ARP requests, echo requests, and how their replies are told."""

    def __init__(self, namespace, iface, target, identifier):
        with netns.inside(namespace):
            self.ask = _packet_socket(iface, _ETH_P_ARP)
            self.echo = _stamped(socket.socket(socket.AF_INET, socket.SOCK_RAW,
                                               socket.IPPROTO_ICMP))
            own_ip = _own_address(iface)
        self.echo.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", ~1 & 0xFFFFFFFF))  # replies
        own_mac = self.ask.getsockname()[4]
        self._target, self._identifier = socket.inet_aton(target), struct.pack("!H", identifier)
        self.request = (b"\xff" * 6 + own_mac + struct.pack("!HHHBBH", _ETH_P_ARP, 1, 0x0800, 6, 4,
                                                            1)
                        + own_mac + own_ip + bytes(6) + self._target)

    def message(self, sequence):
        message = b"\x08\0\0\0" + self._identifier + struct.pack("!H", sequence) + b"koi probe "
        return message[:2] + struct.pack("!H", _checksum(message)) + message[4:]

    def is_reply(self, data):
        return data[20:22] == b"\0\2" and data[28:32] == self._target

    def is_echo_reply(self, data):
        return (data[20:21] == b"\0" and data[24:26] == self._identifier
                and data[12:16] == self._target)


class _Ipv6:
    """Neighbor Solicitations and echo requests. The kernel puts in the echo's checksum."""

    def __init__(self, namespace, iface, target, identifier):
        with netns.inside(namespace):
            self.ask = _packet_socket(iface, _ETH_P_IPV6)
            self.echo = _stamped(socket.socket(socket.AF_INET6, socket.SOCK_RAW,
                                               socket.IPPROTO_ICMPV6))
            own_ip = _own_address6(iface)
        allowed = [0xFFFFFFFF] * 8
        allowed[wire6.ECHO_REPLY >> 5] &= ~(1 << (wire6.ECHO_REPLY & 31))
        self.echo.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("@8I", *allowed))
        own_mac = self.ask.getsockname()[4]
        self._target, self._identifier = wire6.packed(target), struct.pack("!H", identifier)
        group, group_mac = wire6.solicited_node(target)
        self.request = (bytes.fromhex(group_mac.replace(":", "")) + own_mac + b"\x86\xdd"
                        + wire6.packet(own_ip, group, wire6.solicitation(target, own_mac)))

    def message(self, sequence):
        return b"\x80\0\0\0" + self._identifier + struct.pack("!H", sequence) + b"koi probe "

    def is_reply(self, data):
        return (data[54:55] == b"\x88" and data[62:78] == self._target
                and not data[0] & 1)  # to all nodes it announces, and answers nobody

    def is_echo_reply(self, data):
        return data[4:6] == self._identifier


def _packet_socket(iface, protocol):
    made = _stamped(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol)))
    made.bind((iface, protocol))
    return made


def _run(namespace, iface, target):
    family = (_Ipv6 if ":" in target else _Ipv4)(namespace, iface, target, os.getpid() & 0xFFFF)
    ask, echo = family.ask, family.echo
    gc.disable()
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    sent, ask_times, echo_times, ready = [], [], [], False
    sequence, step = 0, 0
    clock, wall = time.monotonic_ns, time.time_ns
    due = clock()
    while True:
        due += PERIOD_NS
        left = due - clock()
        if left > 0:
            time.sleep(left / 1e9)
        elif left < -PERIOD_NS:
            due = clock()  # late: no burst to make up for it
        sequence = (sequence + 1) & 0xFFFF
        message = family.message(sequence)
        sent.append(wall())
        with contextlib.suppress(OSError):
            ask.send(family.request)
        with contextlib.suppress(OSError):  # unreachable while nobody answers that
            echo.sendto(message, (target, 0))
        step += 1
        if step % 8 == 0 or not ready:
            _drain(ask, family.is_reply, ask_times)
            _drain(echo, family.is_echo_reply, echo_times)
            if not ready and ask_times and echo_times:
                ready = True
                print("ready", flush=True)
            if select.select([sys.stdin], [], [], 0)[0]:
                break
    time.sleep(0.01)
    _drain(ask, family.is_reply, ask_times)
    _drain(echo, family.is_echo_reply, echo_times)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    json.dump({"sent": sent, "nd" if ":" in target else "arp": ask_times, "echo": echo_times},
              sys.stdout)


def _own_address(iface):
    """The interface's IPv4 address, of the namespace this thread is in (SIOCGIFADDR)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        raw = fcntl.ioctl(s.fileno(), _SIOCGIFADDR, struct.pack("16s24x", iface.encode()))
    return raw[20:24]


def _own_address6(iface):
    """The interface's first address that is not link-local, of this thread's namespace."""
    with open("/proc/thread-self/net/if_inet6", encoding="ascii") as f:
        for raw, _, _, scope, _, name in (line.split() for line in f):
            if name == iface and scope == "00":
                return wire6.text(bytes.fromhex(raw))
    raise OSError(f"{iface} has no IPv6 address")


if __name__ == "__main__":
    _run(*sys.argv[1:])
