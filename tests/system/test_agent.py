"""koi-agent and the host: hooks at role changes, addresses and carrier of the kernel's interface."""

import datetime
import json
import os
import re
import sys

import pytest

from boxes import OWN, SHARED, SHARED6, TIMERS
from lab import netns, until

pytestmark = pytest.mark.alone

HOST = "koi-lan"
LINK_LOCAL = "fe80::6b:6fff:fe69:2"  # RFC 4291 appendix A, of the MAC 02:6b:6f:69:00:02
FOLLOWS_WITHIN_MS = 100

# Holds a TAP of that name, for a koid that makes none by itself.
_HOLD_TAP = """
import fcntl, signal, struct
tun = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"%s", 0x1002))  # TUNSETIFF, IFF_TAP | NO_PI
signal.pause()
"""


def _ip(box, *arguments):
    return json.loads(netns.run("ip", "-n", box.namespace, "-j", *arguments) or "[]")


def _links(box):
    return {link["ifname"]: link for link in _ip(box, "link")}


def _addresses(box, interface=HOST):
    """Of the host's interface: "192.0.2.2/24", and so on, as the kernel says."""
    return {f"{a['local']}/{a['prefixlen']}" for a in _ip(box, "addr", "show", "dev", interface)[0]
            ["addr_info"]}


def _wait_addresses(box, wanted, within=3):
    until(lambda: f"{wanted} on {HOST}, there are {_addresses(box)}",
          lambda: _addresses(box) == wanted, within)


def _agent(box):
    return box.spawn([os.path.join(box.lab.build, "koi-agent"), "--socket", box.socket],
                     log="agent.log")


def _events(box, kind):
    return [e for e in map(json.loads, box.ctl_ok("events", "--json").splitlines())
            if e["kind"] == kind]


def _hook(box, name, body):
    path = box.path(name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\n{body}\n")
    return path


@pytest.fixture
def box(lab):
    """A box of its own with `host: tap`, not started. A demotion costs it the role for 0.23 s."""
    timers, _ = TIMERS["brisk"]
    made = lab.koi("a", own=OWN["a"], own6="2001:db8::2", node_id=1, **timers,
                   addresses=(SHARED, SHARED6))
    with netns.inside(made.namespace), \
            open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as f:
        f.write("0")
    plain = made.settings
    made.port, made.holder = {}, None

    def settings():
        text = plain()
        text["ports"]["lan"] |= {"host": "tap"} | made.port
        return text
    made.settings = settings
    return made


def _start(box, port=None, **group):
    """Starts koid with these keys of port and group; returns once it owns and the TAP is there."""
    box.port = port or {}
    box.groups[0].extra = group
    box.write_config()
    box.start()
    if HOST not in _links(box):
        box.holder = box.spawn([sys.executable, "-c", _HOLD_TAP % HOST])
    until(HOST, lambda: HOST in _links(box), within=3)
    box.wait_role("MASTER", within=3)


def test_hooks_run_in_order_and_not_for_ever(box):
    """Each hook once for each change, in order although one is slow; one that hangs is killed."""
    out = box.path("out")
    slow = _hook(box, "slow", f'sleep 0.2; echo "$KOI_OLD_ROLE $KOI_NEW_ROLE $KOI_CAUSE" >>{out}')
    hangs = _hook(box, "hangs", f'echo "$KOI_SEQUENCE" >>{out}; trap "" TERM; sleep 1000')
    _start(box, hooks=[{"program": slow, "timeout": "5s"}, {"program": hangs, "timeout": "100ms"}])
    agent = _agent(box)
    until("the agent", lambda: _events(box, "agent"), within=3)
    first = until("the present role's hook", lambda: os.path.exists(out), within=3)
    box.demote()
    box.undemote()
    box.wait_role("BACKUP", within=1)
    box.wait_role("MASTER", within=3)
    roles = [e["sequence"] for e in _events(box, "role")][-2:]
    hooks = until(lambda: f"six hooks, there are {_events(box, 'hook')}",
                  lambda: (e if len(e := _events(box, "hook")) == 6 else None), within=10)
    assert first and agent.poll() is None
    assert [os.path.basename(h["detail"]) for h in hooks] == ["slow", "hangs"] * 3
    assert [h["of"] for h in hooks[2:]] == [roles[0], roles[0], roles[1], roles[1]]
    assert all(h["cause"].startswith("exit code 0") for h in hooks[::2])
    assert {h["cause"] for h in hooks[1::2]} == {"not done within 0.1 s, ended by signal 9"}
    with open(out, encoding="ascii") as f:
        lines = f.read().splitlines()
    assert lines[0] == "INIT MASTER agent-started"
    assert lines[2:] == ["MASTER BACKUP demoted", str(roles[0]),
                         "BACKUP MASTER deaf takeover", str(roles[1])]


def _monitored(lines):
    """(ns of the wall clock, True if it came and False if it went, address) of ip's monitor."""
    for line in lines:
        match = re.match(r"\[(\S+)\] (Deleted )?.*inet6? (\S+)/(32|128) ", line)
        if match:
            moment = datetime.datetime.fromisoformat(match[1])
            yield moment.timestamp(), not match[2], match[3]


def test_shared_addresses_come_and_go_with_the_role(box):
    """The kernel's own monitor sees them within 100 ms of the change of role."""
    _start(box, assign="master")
    _agent(box)
    both = {f"{SHARED}/32", f"{SHARED6}/128"}
    netns.run("ip", "-n", box.namespace, "addr", "add", "192.0.2.77/24", "dev", HOST)
    others = {"192.0.2.77/24", f"{LINK_LOCAL}/64"}  # somebody else's, and the kernel's, stay
    _wait_addresses(box, both | others)
    box.spawn(["ip", "-ts", "monitor", "address", "dev", HOST], log="monitor.log")
    until("ip monitor", lambda: any("ip" == p for p in _programs(box)), within=3)
    for _ in range(3):
        box.demote()
        _wait_addresses(box, others)
        box.undemote()
        box.wait_role("MASTER", within=3)
        _wait_addresses(box, both | others)
    seen = until("twelve changes", lambda: (
        s if len(s := list(_monitored(box.log_text("monitor.log").splitlines()))) >= 12 else None),
        within=3)
    roles = [(datetime.datetime.fromisoformat(e["time"].replace("Z", "+00:00")).timestamp(),
              e["to"] == "MASTER") for e in _events(box, "role")][-6:]
    late = []
    for i, (moment, came) in enumerate(roles):
        pair = seen[2 * i:2 * i + 2]
        assert {a for _, _, a in pair} == {SHARED, SHARED6} and {c for _, c, _ in pair} == {came}
        late += [1000 * (at - moment) for at, _, _ in pair]
    print(f"the addresses follow within {max(late):.1f} ms")
    assert max(late) < FOLLOWS_WITHIN_MS
    flags = {a["local"]: a for a in _ip(box, "addr", "show", "dev", HOST)[0]["addr_info"]}
    assert flags[SHARED]["noprefixroute"] and flags[SHARED6]["noprefixroute"]
    assert flags[SHARED6]["nodad"]


def _programs(box):
    """Of the processes in the box's namespace."""
    names = []
    for pid in netns.run("ip", "netns", "pids", box.namespace).split():
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                names.append(f.read().strip())
        except FileNotFoundError:
            pass
    return names


def test_own_addresses_and_the_link_are_kept_right(box):
    """What koid says is there, carrier included; an agent that died is missed, and mends all."""
    own = {f"{OWN['a']}/24", "2001:db8::2/64", f"{LINK_LOCAL}/64"}
    _start(box, port={"configure": True})
    agent = _agent(box)
    _wait_addresses(box, own)
    link = _links(box)[HOST]
    assert link["address"] == box.mac and "UP" in link["flags"]
    assert "NO-CARRIER" not in link["flags"]
    for name, value in (("ipv4/conf/{}/arp_ignore", "1"), ("ipv4/conf/{}/arp_announce", "2"),
                        ("ipv6/conf/{}/addr_gen_mode", "1")):
        with netns.inside(box.namespace), \
                open("/proc/sys/net/" + name.format(HOST), encoding="ascii") as f:
            assert f.read().strip() == value, name

    box.plug(False)
    until("no carrier", lambda: "NO-CARRIER" in _links(box)[HOST]["flags"], within=2)
    assert "UP" in _links(box)[HOST]["flags"]
    box.plug(True)
    until("carrier", lambda: "NO-CARRIER" not in _links(box)[HOST]["flags"], within=2)

    # While the agent lives it mends at once.
    netns.run("ip", "-n", box.namespace, "addr", "del", f"{OWN['a']}/24", "dev", HOST)
    _wait_addresses(box, own, within=1)

    agent.kill()
    agent.wait()
    until("koid to miss its agent",
          lambda: [e["to"] for e in _events(box, "agent")] == ["present", "absent"], within=4)
    assert box.status()["agent"]["present"] is False
    assert "koi-agent IS NOT THERE" in box.ctl_ok("status")
    assert _addresses(box) == own
    netns.run("ip", "-n", box.namespace, "addr", "del", "2001:db8::2/64", "dev", HOST)
    netns.run("ip", "-n", box.namespace, "addr", "add", "192.0.2.77/24", "dev", HOST)
    _agent(box)
    _wait_addresses(box, own | {"192.0.2.77/24"})
    until("the agent", lambda: box.status()["agent"]["present"], within=1)
    assert any("added 2001:db8::2/64" in e["cause"] for e in _events(box, "host"))


def test_the_addresses_of_a_vlan_go_with_it(box):
    """A reload without the VLAN takes from its interface what koi-agent has put there, no more; the
    interface (a veth pair: this kernel has no VLAN devices) stays its administrator's."""
    vlan, own, shared, somebodys = f"{HOST}.20", "198.51.100.2/24", "198.51.100.1", "203.0.113.7/24"
    netns.run("ip", "-n", box.namespace, "link", "add", vlan, "type", "veth", "peer", "name", "far")
    netns.run("ip", "-n", box.namespace, "link", "set", vlan, "addrgenmode", "none", "up")
    netns.run("ip", "-n", box.namespace, "addr", "add", somebodys, "dev", vlan)
    without = box.settings

    def settings():
        text = without()
        text["ports"]["lan"]["vlans"] = {20: {"addresses": [own]}}
        text["groups"]["tagged"] = text["groups"]["lan-gateway"] | {
            "vlan": 20, "vhid": 2, "addresses": [shared]}
        return text
    box.settings = settings
    _start(box, {"configure": True}, assign="always")
    _agent(box)
    there = {own, f"{shared}/32"}
    until("the VLAN's addresses", lambda: _addresses(box, vlan) == there | {somebodys}, within=5)
    wanted = _addresses(box)
    box.settings = without
    box.write_config()
    box.ctl_ok("reload")
    until("the VLAN's addresses to go", lambda: _addresses(box, vlan) == {somebodys}, within=3)
    assert _addresses(box) == wanted
    box.settings = settings
    box.write_config()
    box.ctl_ok("reload")
    until("the VLAN's addresses", lambda: _addresses(box, vlan) == there | {somebodys}, within=3)
    box.settings = without
    box.write_config()
    box.ctl_ok("reload")
    until("the VLAN's addresses to go", lambda: _addresses(box, vlan) == {somebodys}, within=3)
    # By hand they may come back: the agent, which sees to the rest meanwhile, lets them be.
    netns.run("ip", "-n", box.namespace, "addr", "add", f"{shared}/32", "dev", vlan)
    for _ in range(2):
        netns.run("ip", "-n", box.namespace, "addr", "del", min(wanted), "dev", HOST)
        until("the port's address again", lambda: _addresses(box) == wanted, within=3)
    assert _addresses(box, vlan) == {somebodys, f"{shared}/32"}
    netns.run("ip", "-n", box.namespace, "link", "del", vlan)
    box.ctl_ok("demote")  # an event: koi-agent looks again
    until("the demotion", lambda: box.role() == "MASTER" and box.slot()["demotion"] == 1, within=5)
    assert not [e for e in _events(box, "host") if "there is no interface" in e["cause"]]


def test_an_agent_waits_for_koid_and_its_interface(box):
    """koid is killed and with it the interface: the agent outlives both, and says little."""
    _start(box, port={"configure": True}, assign="always")
    agent = _agent(box)
    _wait_addresses(box, {f"{OWN['a']}/24", "2001:db8::2/64", f"{LINK_LOCAL}/64", f"{SHARED}/32",
                          f"{SHARED6}/128"})
    box.kill()
    if box.holder:
        box.holder.kill()
    until("no interface", lambda: HOST not in _links(box), within=3)
    _start(box, port={"configure": True}, assign="always")
    until("the addresses", lambda: f"{SHARED}/32" in _addresses(box), within=3)
    assert agent.poll() is None
    said = box.log_text("agent.log").splitlines()
    assert len(said) <= 6, said
