"""What may be behind the gate besides the kernel: a program on another DPDK device.

testpmd plays it: it forwards between the other end of that device and a cable, on whose far end the
test is the firewall.
"""

import contextlib
import os
import subprocess

import pytest
from scapy.all import IP, TCP, UDP, Ether, IPv6, Raw

from boxes import OWN, SHARED, SHARED6, VMAC
from frames import CLIENT, CLIENT_MAC
from lab import Group, Tap, netns, until

PORTS = (4000).to_bytes(2, "big") + (9).to_bytes(2, "big")
FAST = {"advbase": 0, "advskew": 20, "lowest_advskew": 20}


def _udp(source, to, sender):
    return bytes(Ether(src=sender, dst=to) / IP(src=source, dst=CLIENT) / UDP() / Raw(bytes(26)))


def _passes(source, target, frame, expected):
    """Sent again while it does not arrive: testpmd may not be there yet, and the lease may refuse
    it for a millisecond."""
    def arrived():
        source.send(frame)
        with contextlib.suppress(AssertionError):
            return target.wait(lambda f: f.data == expected, within=0.1)
    until("the frame to pass", arrived, within=10)


def _box(lab, host):
    return lab.koi("a", own=OWN["a"], node_id=1, host=host, **FAST)


def _testpmd(box, vdev, socket, commands=()):
    """A firewall's program that has that device, and its cable's far end, a Tap. Returns once the
    socket is there to connect to. commands: what it is told before it forwards."""
    # net_af_packet's fanout id is pid ^ ifindex, and the two programs have pids side by side: with
    # an index beside "lan"'s the ids can meet, and the second program gets "Invalid argument".
    netns.run("ip", "-n", box.namespace, "link", "add", "fw", "index", "16384", "type", "veth",
              "peer", "name", "far")
    for end in ("fw", "far"):
        netns.run("ip", "-n", box.namespace, "link", "set", "dev", end, "up")
    told = ["-i"] if commands else ["--auto-start"]
    testpmd = box.spawn(["dpdk-testpmd", "--no-huge", "-m", "64", "--no-pci", "--no-shconf",
               "--no-telemetry", f"--file-prefix={box.namespace}-fw", "--lcores=0@0,1@0",
               f"--vdev={vdev}", "--vdev=net_af_packet9,iface=fw", "--", *told,
               "--disable-link-check", "--total-num-mbufs=4096"],
              log="testpmd", stdin=subprocess.PIPE)
    if commands:
        testpmd.stdin.write("\n".join([*commands, "start", ""]).encode())
        testpmd.stdin.flush()
    until(lambda: f"testpmd to listen; it said:\n{box.log_text('testpmd')[-2000:]}",
          lambda: os.path.exists(socket), within=10)
    return box.lab.keep_open(Tap(box.namespace, "far"))


@pytest.mark.parametrize("ours,theirs", [
    ("net_virtio_user0,path={}", "net_vhost0,iface={}"),
    ("net_memif0,role=client,socket-abstract=no,socket={}",
     "net_memif0,role=server,socket-abstract=no,socket={}")], ids=["vhost-user", "memif"])
def test_a_program_behind_the_gate(lab, ours, theirs):
    box = _box(lab, "vdev:")
    socket = box.path("fw.sock")
    box.host = "vdev:" + ours.format(socket)
    box.write_config()
    firewall = _testpmd(box, theirs.format(socket), socket)
    box.start()
    box.wait_role("MASTER", within=5)
    wire = box.tap()
    there = _udp("203.0.113.8", VMAC, CLIENT_MAC)
    _passes(wire, firewall, there, _udp("203.0.113.8", box.mac, CLIENT_MAC))
    back = _udp(SHARED, CLIENT_MAC, box.mac)
    _passes(firewall, wire, back, _udp(SHARED, CLIENT_MAC, VMAC))
    passed = box.counters()["ports"][0]["packets"]
    assert passed["to_host"] >= 1 and passed["from_host"] >= 1


def _finished(frame):
    """With the checksums that Scapy gives it."""
    packet = Ether(frame)
    for layer in (IP, TCP, UDP):
        if layer in packet:
            packet[layer].chksum = None
    return bytes(packet)


@pytest.mark.parametrize("nic,offloads", [
    ("net_tap0,iface=wire,mac={}", "TCP and UDP checksums, TCP segmentation"),
    ("net_af_packet0,iface=lan", "none")], ids=["nic-finishes", "nic-does-not"])
def test_what_the_program_leaves_undone_leaves_finished(lab, nic, offloads):
    """testpmd's csum engine leaves checksums, and the cutting of what carries more than 500 bytes,
    to whom it sends: koi, which leaves them to its NIC (net_tap does them in software), or, where
    the NIC does neither, has the program's driver finish the checksums. Scapy is the judge."""
    box = lab.koi("a", own=OWN["a"], own6="2001:db8::2", node_id=1,
                  groups=[Group(addresses=(SHARED, SHARED6), **FAST)])
    socket = box.path("fw.sock")
    box.host, box.device = f"vdev:net_virtio_user0,path={socket}", nic.format(box.mac)
    box.write_config()
    cutting = ["tso set 500 0"] if offloads != "none" else []
    firewall = _testpmd(box, f"net_vhost0,iface={socket}", socket, [
        "set fwd csum", "port stop 0", "csum set tcp hw 0", "csum set udp hw 0",
        "csum mac-swap off 0", "csum mac-swap off 1", *cutting, "port start 0"])
    box.start()
    box.wait_role("MASTER", within=5)
    assert f"offloads of its host to the NIC: {offloads}" in box.log_text()
    wire = lab.keep_open(Tap(box.namespace, "wire")) if cutting else box.tap()
    payload = bytes(range(250)) * 5

    def sent_on(packet):
        """What leaves on the wire of a packet of the firewall's, without its filling."""
        frame = bytes(Ether(src=box.mac, dst=CLIENT_MAC) / packet)
        frames = []

        def more():
            frames.extend(Ether(f.data) for f in wire.frames()
                          if f.source == VMAC and PORTS in f.data[:60])
            return sum(len(f[Raw]) for f in frames) >= len(packet[Raw])

        def all_came():
            frames.clear()
            firewall.send(frame)
            with contextlib.suppress(AssertionError):
                return until("all of it", more, within=0.3) or True
        until("the packet to pass", all_came, within=10)
        for f in frames:
            assert bytes(f) == _finished(bytes(f))
        return b"".join(bytes(f[Raw]) for f in frames), len(frames)

    short = payload[:400]
    for ip in (IP(src=SHARED, dst=CLIENT), IPv6(src=SHARED6, dst="2001:db8::77")):
        for l4 in (UDP(sport=4000, dport=9), TCP(sport=4000, dport=9, flags="A")):
            assert sent_on(ip / l4 / Raw(short)) == (short, 1)
    long = IP(src=SHARED, dst=CLIENT) / TCP(sport=4000, dport=9, flags="A") / Raw(payload)
    assert sent_on(long) == (payload, 3 if cutting else 1)


def test_a_ring_gives_back_what_it_is_given(lab):
    """net_ring0 is a host that sends everything back: not from the port's MAC, so it goes no
    further."""
    box = _box(lab, "vdev:net_ring0")
    box.start()
    box.wait_role("MASTER", within=5)
    wire = box.tap()
    wire.send(_udp("203.0.113.8", box.mac, CLIENT_MAC))
    until("the frame to be refused", lambda: box.drops().get("host_source_mac") == 1, within=2)


def test_virtio_user_where_the_kernel_has_no_vhost(lab):
    if os.path.exists("/dev/vhost-net"):
        pytest.skip("the kernel has /dev/vhost-net")
    box = _box(lab, "virtio-user")
    box.launch()
    assert box.process.wait(10) == 1
    assert box.log_text().strip().splitlines()[-1] == (
        "koid: port lan: host: virtio-user needs /dev/vhost-net, which is not there: load the "
        "module with `modprobe vhost-net`, or set host: tap")
