"""Starting, refusing to start, being shouted at, being flooded, and stopping."""

import os
import re
import socket
import subprocess
import time

import pytest

from boxes import SHARED
from frames import Asker, arp_request, expected_arp_reply
from lab import netns, until
from lab.wire import mac_bytes, virtual_mac

FLOOD_SECONDS = float(os.environ.get("KOI_FLOOD_SECONDS", "5"))


@pytest.fixture
def box(lab):
    return lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20, lowest_advskew=20)


def _run(box, *arguments, within=10):
    """koid with those arguments, to its end: (exit code, standard output, standard error)."""
    process = box.spawn([box.program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        text=True)
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def _sentence(text):
    """The last line: the one that says why."""
    return text.strip().splitlines()[-1] if text.strip() else ""


def _nothing_started(box):
    return not os.path.exists(box.socket) and not os.path.exists(box.path("state"))


def _changed(box, **dataplane):
    settings = box.settings()
    settings["dataplane"] |= dataplane
    return box.write_config(settings)


def _free_hugepages():
    with open("/proc/meminfo", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("HugePages_Free:"))


# Refusing to start.

@pytest.mark.parametrize("arguments", [["--nonsense"], ["-c"], ["surplus", "words"],
                                       ["--check", "--nonsense"]])
def test_bad_command_line(box, arguments):
    code, _, err = _run(box, *arguments)
    assert code == 2 and err.strip() and _nothing_started(box)


def test_preflight_starts_nothing_and_knows_what_a_start_would_meet(box):
    """It and a start agree: of a lab nothing keeps koid from starting, of these two something."""
    code, out, _ = _run(box, "--preflight", "-c", box.config)
    assert code == 0 and _nothing_started(box)
    assert out.splitlines()[-1].endswith("would keep koid from starting, "
                                         f"{out.count('WARN  ')} cost it something")
    assert "OK    port lan: lan, by the kernel\n" in out
    _changed(box, **{"control-core": 1000})
    for arguments in (["--preflight"], []):
        code, out, err = _run(box, *arguments, "-c", box.config)
        assert code == 1 and "1000" in out + err
    if _free_hugepages() != 0:
        return  # a start would succeed
    _changed(box, hugepages=True)
    code, out, _ = _run(box, "--preflight", "-c", box.config)
    assert code == 1 and "FAIL  memory: 0 MiB of hugepages are free" in out
    assert _run(box, "-c", box.config)[0] == 1


def _left(box):
    """What a preflight could leave behind; the log is the lab's own, and other labs come and go."""
    with netns.inside(box.namespace):
        names = {name for _, name in socket.if_nameindex()}
    return (names, set(os.listdir(box.path(""))) - {"log"}, _free_hugepages(),
            {f for folder in ("/dev/hugepages", "/dev/shm", "/run/dpdk", "/run/koi")
             if os.path.isdir(folder) for f in os.listdir(folder)
             if box.lab.tag in f or not re.match(r"koi(-lab-|\d)", f)})


@pytest.mark.parametrize("hugepages", [False, True], ids=["memory", "hugepages"])
@pytest.mark.parametrize("device, driver, says", [
    ("net_af_packet0,iface=lan", "net_af_packet",
     ["OK    port lan, addresses: promiscuous: 1 virtual MAC(s)",
      "OK    port lan, link: the kernel tells of lan's"]),
    ("net_null0", "net_null", ["OK    port lan, addresses: net_null filters nothing",
                               "WARN  port lan, link: net_null calls it up"]),
    ("net_tap0,iface=probe", "net_tap", ["OK    port lan, addresses: promiscuous",
                                         "OK    port lan, link: the kernel tells of probe's"])],
    ids=["af_packet", "null", "tap"])
def test_preflight_asks_the_drivers_and_changes_nothing(box, device, driver, says, hugepages):
    """Not even for a moment: the kernel, which tells of every change of an interface, tells none
    of the box's. A started port would be promiscuous."""
    box.device = device
    box.write_config()
    _changed(box, hugepages=hugepages)
    before = _left(box)
    if hugepages and before[2] < 64:
        pytest.skip("fewer than 64 free hugepages: koid would not start with them")
    with netns.inside(box.namespace):
        kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with kernel:
        kernel.bind((0, 1))  # RTMGRP_LINK
        code, out, err = _run(box, "--preflight", "-c", box.config)
        kernel.setblocking(False)
        told = []
        try:
            while True:
                told.append(kernel.recv(65536))
        except BlockingIOError:
            pass
    assert code == 0, out + err
    assert f"OK    port lan, queues: {driver} has " in out
    for line in says:
        assert f"\n{line}" in out, out
    assert _left(box) == before
    assert not any(b"lan\0" in message for message in told)
    assert (driver == "net_tap") == any(b"probe\0" in message for message in told)


def test_preflight_of_a_box_that_runs(box):
    """Its devices are not asked for, and it goes on."""
    box.start()
    code, out, _ = _run(box, "--preflight", "-c", box.config)
    assert code == 0 and "WARN  drivers: not asked: koid runs" in out
    assert box.running() and box.status()["ok"]


def test_preflight_of_a_device_that_dpdk_refuses(box):
    box.device = "net_absent0"
    box.write_config()
    for arguments, why in ((["--preflight"], "FAIL  "), ([], "net_absent0")):
        code, out, err = _run(box, *arguments, "-c", box.config)
        assert code == 1 and why in out + err, out + err


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_missing_config(box, check):
    code, out, err = _run(box, *check, "-c", box.path("absent.yaml"))
    assert code == 2 and "absent.yaml" in err + out and _nothing_started(box)


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_invalid_config(box, check):
    """All errors at once, as file:line:column: key.path: what is wrong; nothing started."""
    settings = box.settings()
    settings["groups"]["lan-gateway"] |= {"vhid": 256, "advskew": 255, "colour": "green"}
    box.write_config(settings)
    code, out, err = _run(box, *check, "-c", box.config)
    text = out + err
    assert code == 2 and _nothing_started(box)
    for key in ("vhid", "advskew", "colour"):
        line = next(s for s in text.splitlines() if f"groups.lan-gateway.{key}: " in s)
        name, number, column, _ = line[line.index(box.config):].split(":", 3)
        assert name == box.config and int(number) > 0 and int(column) > 0


@pytest.mark.parametrize("content", ["", "[]", "node: {", "a: b: c", "\x00\xff", "- 1\n- 2",
                                     "x" * (1 << 20) + "xx"],
                         ids=["empty", "list", "open", "colons", "binary", "sequence", "too big"])
def test_rubbish_config(box, content):
    with open(box.config, "w", encoding="latin-1") as f:
        f.write(content)
    code, out, err = _run(box, "-c", box.config)
    assert code == 2 and box.config in out + err and _nothing_started(box)


def test_key_readable_by_others(box):
    os.chmod(box.path("lan-gateway.key"), 0o644)
    code, out, err = _run(box, "-c", box.config)
    assert code == 2 and "lan-gateway.key" in out + err and _nothing_started(box)


def test_check_and_print(box):
    assert _run(box, "--check", "-c", box.config)[0] == 0
    code, printed, _ = _run(box, "--print", "-c", box.config)
    assert code == 0 and "sesame" not in printed
    with open(box.config, "w", encoding="utf-8") as f:
        f.write(printed)
    assert _run(box, "--print", "-c", box.config)[:2] == (0, printed)
    assert _nothing_started(box)


def _one_sentence(box, *words):
    code, out, err = _run(box, "-c", box.config)
    assert code == 1, out + err
    last = _sentence(err)
    for word in words:
        assert word in last, err
    assert not os.path.exists(box.socket)
    return last


def test_device_that_does_not_exist(box):
    box.device = "net_af_packet0,iface=absent0"
    box.write_config()
    _one_sentence(box, "absent0")


def test_pci_device_that_does_not_exist(box):
    box.device = "0000:ff:1f.7"
    box.write_config()
    _one_sentence(box, "0000:ff:1f.7")


def test_bond_that_dpdk_does_not_make(box):
    settings = box.settings()
    settings["ports"]["lan"] |= {"device": "net_bonding0,mode=4,xmit_policy=l9",
                                 "members": ["net_af_packet0,iface=lan"]}
    box.write_config(settings)
    _one_sentence(box, "port lan: the bond net_bonding0,mode=4,xmit_policy=l9 cannot be made")


def test_core_that_does_not_exist(box):
    _changed(box, **{"worker-cores": [1000]})
    _one_sentence(box, "1000")
    _changed(box, **{"control-core": 999})
    _one_sentence(box, "999")


def test_second_one_on_the_same_socket(box):
    """Refused, and the first is unharmed."""
    box.start()
    first = box.process
    code, out, err = _run(box, "-c", box.config)
    assert code == 1 and _sentence(err), out + err
    assert first.poll() is None and box.status()["ok"]
    box.wait_role("MASTER", within=5)


def test_stale_socket_is_replaced(box):
    """The socket a killed koid left behind does not stop the next."""
    box.start()
    box.kill()
    assert os.path.exists(box.socket)
    box.start()


# Running.

def test_start_and_stop(box):
    """Start under 2 s; SIGTERM ends it under 2 s with exit 0 and nothing of it is left."""
    seconds = box.start()
    print(f"started in {seconds:.2f} s")
    assert seconds < 2
    box.wait_role("MASTER", within=5)
    code, seconds = box.stop()
    print(f"stopped in {seconds:.2f} s")
    assert code == 0 and seconds < 2
    assert not os.path.exists(box.socket)


def test_sigint(box):
    box.start()
    box.process.send_signal(2)
    assert box.process.wait(2) == 0


def test_terminated_while_starting(box):
    """At whatever moment SIGTERM comes, koid ends soon, and never by another signal than that."""
    for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
        box.launch()
        time.sleep(delay)
        box.terminate()
        assert box.process.wait(3) in (0, 1, -15)


def _ask_socket(box, data, within=3.0):
    """The reply to raw bytes on the control socket, up to its newline or end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(within)
        s.connect(box.socket)
        reply = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while not reply.endswith(b"\n") and (more := s.recv(65536)):
                reply += more
        except (BrokenPipeError, ConnectionResetError):
            pass
        return reply


RUBBISH = {
    "not JSON": b"hello\n", "empty line": b"\n", "binary": bytes(range(256)) + b"\n",
    "array": b"[]\n", "number": b"7\n", "null": b"null\n", "no command": b"{}\n",
    "unknown command": b'{"command":"explode"}\n', "wrong type": b'{"command":7}\n',
    "deep": b"[" * 20000 + b"\n", "bad UTF-8": b'{"command":"\xff\xfe"}\n',
}


def test_rubbish_on_the_control_socket(box):
    """An error line each time, and koid goes on."""
    box.start()
    for name, data in RUBBISH.items():
        reply = _ask_socket(box, data)
        assert b'"ok":false' in reply.replace(b" ", b"") and reply.endswith(b"\n"), (name, reply)
    _ask_socket(box, b"x" * 70000 + b"\n")  # over 64 KiB: refused in whatever way
    _ask_socket(box, b'{"command":"sta')    # cut off
    _ask_socket(box, b"")
    held = []
    for _ in range(20):  # silent callers do not shut others out
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(box.socket)
        held.append(s)
    assert box.status()["ok"]
    for s in held:
        s.close()
    assert box.running()
    assert box.wait_role("MASTER", within=5)


def test_koictl_without_daemon(box):
    """Exit 3; a wrong command line is 2."""
    assert box.ctl("status")[0] == 3
    assert box.ctl("explode")[0] == 2
    assert box.ctl("status", "--nonsense")[0] == 2


def test_flood(box):
    """Memory stays flat under ARP requests as fast as one core of ours can send them."""
    box.start()
    box.wait_role("MASTER", within=5)
    asker = Asker(box)
    answered = asker.ask(arp_request(SHARED))
    good = arp_request(SHARED)
    flood = [good[:28] + bytes([192, 0, 2, i]) + good[32:] for i in range(1, 255)]
    flood += [good[:38] + bytes([192, 0, 2, i]) for i in range(100, 200)]  # to others
    flood += [good[:30], good[:18] + b"\x08" + good[19:]]                  # and bad ones

    def rain(seconds):
        sent, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            for frame in flood:
                try:
                    asker.tap.send(frame)
                    sent += 1
                except BlockingIOError:
                    pass
            asker.tap.frames()
        return sent
    rain(1)
    before = box.resident_kib()
    sent = rain(FLOOD_SECONDS)
    after = box.resident_kib()
    print(f"{sent / FLOOD_SECONDS:.0f} frames/s, resident {before} -> {after} KiB")
    assert after - before < 512
    slot = until("to be MASTER after the flood", lambda: (s := box.slot()) and s["role"] == "MASTER"
                 and s, within=5)
    assert slot["vhid"] == 1
    vmac = virtual_mac(1)
    assert answered.data[6:12] == mac_bytes(vmac)
    assert asker.ask(arp_request(SHARED)).data == expected_arp_reply(vmac, SHARED)
