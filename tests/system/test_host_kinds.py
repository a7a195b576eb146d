"""What may be behind the gate besides the kernel: a program on another DPDK device.

testpmd plays it: it forwards between the other end of that device and a cable, on whose far end the
test is the firewall.
"""

import contextlib
import os
import subprocess

import pytest
from scapy.all import IP, UDP, Ether, Raw

from boxes import OWN, SHARED, VMAC
from frames import CLIENT, CLIENT_MAC
from lab import Tap, netns, until

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


def _testpmd(box, vdev, socket):
    """A firewall's program that has that device, and its cable's far end, a Tap. Returns once the
    socket is there to connect to."""
    netns.run("ip", "-n", box.namespace, "link", "add", "fw", "type", "veth", "peer", "name", "far")
    for end in ("fw", "far"):
        netns.run("ip", "-n", box.namespace, "link", "set", "dev", end, "up")
    box.spawn(["dpdk-testpmd", "--no-huge", "-m", "64", "--no-pci", "--no-shconf",
               "--no-telemetry", f"--file-prefix={box.namespace}-fw", "--lcores=0@0,1@0",
               f"--vdev={vdev}", "--vdev=net_af_packet9,iface=fw", "--", "--forward-mode=io",
               "--auto-start", "--disable-link-check", "--total-num-mbufs=4096"],
              log="testpmd", stdin=subprocess.PIPE)
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
