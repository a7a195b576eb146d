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

from . import netns
from .probe import PERIOD_NS

_ETH_P_ARP = 0x0806
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SOL_RAW, _ICMP_FILTER = 33, 35, 255, 1
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


def _run(namespace, iface, target):
    with netns.inside(namespace):
        arp = _stamped(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP)))
        arp.bind((iface, _ETH_P_ARP))
        echo = _stamped(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        own_ip = _own_address(iface)
    echo.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", ~1 & 0xFFFFFFFF))  # replies only
    own_mac = arp.getsockname()[4]
    target_raw = socket.inet_aton(target)
    request = (b"\xff" * 6 + own_mac + struct.pack("!HHHBBH", _ETH_P_ARP, 1, 0x0800, 6, 4, 1)
               + own_mac + own_ip + bytes(6) + target_raw)
    identifier = os.getpid() & 0xFFFF
    identifier_raw = struct.pack("!H", identifier)

    def is_arp_reply(data):
        return data[20:22] == b"\0\2" and data[28:32] == target_raw

    def is_echo_reply(data):
        return data[20:21] == b"\0" and data[24:26] == identifier_raw and data[12:16] == target_raw

    gc.disable()
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    sent, arp_times, echo_times, ready = [], [], [], False
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
        message = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence) + b"koi probe "
        message = message[:2] + struct.pack("!H", _checksum(message)) + message[4:]
        sent.append(wall())
        with contextlib.suppress(OSError):
            arp.send(request)
        with contextlib.suppress(OSError):  # unreachable while nobody answers ARP
            echo.sendto(message, (target, 0))
        step += 1
        if step % 8 == 0 or not ready:
            _drain(arp, is_arp_reply, arp_times)
            _drain(echo, is_echo_reply, echo_times)
            if not ready and arp_times and echo_times:
                ready = True
                print("ready", flush=True)
            if select.select([sys.stdin], [], [], 0)[0]:
                break
    time.sleep(0.01)
    _drain(arp, is_arp_reply, arp_times)
    _drain(echo, is_echo_reply, echo_times)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    json.dump({"sent": sent, "arp": arp_times, "echo": echo_times}, sys.stdout)


def _own_address(iface):
    """The interface's IPv4 address, of the namespace this thread is in (SIOCGIFADDR)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        raw = fcntl.ioctl(s.fileno(), _SIOCGIFADDR, struct.pack("16s24x", iface.encode()))
    return raw[20:24]


if __name__ == "__main__":
    _run(*sys.argv[1:])
