"""What the services are to do, asked inside the machine that tools/boot has started.

Each check is a function that takes the Box; they run in this order, and each leaves the three
services up.
"""

import json
import os
import pwd
import re
import signal
import stat
import subprocess
import time
import traceback
import urllib.request

from lab import Tap, carp, netns, until

KEY, SHARED = "sesame-opens", "192.0.2.1"
DROP_IN = "/etc/systemd/system/{}.service.d/boot.conf"
SERVICES = {"koid": "koi", "koi-agent": "koi-agent", "koi-exporter": None}  # and their users
CONFIG, SOCKET = "/etc/koi/koi.yaml", "/run/koi/koid.sock"
HOOK, HOOK_SAYS = "/etc/koi/on-role-change", "/run/koi-agent/hook"
WATCHDOG_S, RESTART_S = 1.5, 0.5

SETTINGS = f"""
node: box
node-id: 1
dataplane: {{control-core: 0, worker-cores: [1], idle: adaptive, hugepages: false, stall-after: 1s}}
ports:
  lan: {{device: "net_af_packet0,iface=lan", addresses: [192.0.2.2/24], host: tap}}
groups:
  lan-gateway:
    port: lan
    vhid: 1
    advbase: 0
    advskew: 20
    lowest-advskew: 20
    key-file: /run/credentials/koid.service/key_lan.key
    addresses: [{SHARED}]
    assign: master
    hooks: [{{program: {HOOK}, timeout: 5s}}]
"""

# (path, mode, text), before it starts.
FILES = [
    (CONFIG, 0o644, SETTINGS),
    ("/etc/koi/keys/lan.key", 0o400, KEY + "\n"),
    (HOOK, 0o755,
     f'#!/bin/sh\necho "$(id -un):$(id -gn) $KOI_GROUP $KOI_NEW_ROLE" >>{HOOK_SAYS}\n'),
    # Nothing of the machine's disks.
    ("/etc/fstab", 0o644, ""), ("/etc/crypttab", 0o644, ""),
]

# The number of the unit's own filters of system calls, before the program lays one: to the journal.
COUNT_FILTERS = "ExecStartPre=/bin/grep Seccomp_filters: /proc/self/status\n"
# What would take minutes.
SHORTER = f"WatchdogSec={WATCHDOG_S}\nRestartSec={RESTART_S}\n"


class Skip(Exception):
    """This machine cannot show it."""


def run(*command):
    """(exit code, what it said)."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout + done.stderr


def ok(*command):
    code, said = run(*command)
    assert code == 0, f"{' '.join(command)}: exit {code}: {said}"
    return said


def shown(unit, *names):
    """Properties, as systemd has them."""
    text = ok("systemctl", "show", unit, "-p", ",".join(names))
    found = dict(line.split("=", 1) for line in text.splitlines())
    return found[names[0]] if len(names) == 1 else [found[name] for name in names]


def active(unit):
    return shown(unit, "ActiveState") == "active"


def pid(unit):
    """Of its main process, 0 if there is none."""
    return int(shown(unit, "MainPID"))


def send(unit, number):
    """The signal to its main process. Returns (its pid, the moment before)."""
    before, main = time.monotonic(), pid(unit)
    assert main, f"{unit} does not run"
    os.kill(main, number)
    return main, before


def journal(*matches):
    """Entries, oldest first."""
    return [json.loads(line) for line in ok("journalctl", "-o", "json", *matches).splitlines()]


def slot():
    """Of koid's only group, or None."""
    code, said = run("koictl", "--socket", SOCKET, "status", "--json")
    return json.loads(said)["groups"][0]["slots"][0] if code == 0 else None


def master():
    found = slot()
    return found and found["role"] == "MASTER"


def settle():
    """Up again, and MASTER."""
    until("koid to be up", lambda: active("koid"), within=10, every=0.02)
    until("koid to be MASTER", master, within=5, every=0.02)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def adverts(tap):
    """The CARP headers sent meanwhile."""
    return [header for frame in tap.frames() if (header := frame.carp())]


class Wire:
    """The other end of the port's cable."""

    def __init__(self):
        netns.run("ip", "netns", "add", "wire")
        netns.run("ip", "link", "add", "lan", "type", "veth",
                  "peer", "name", "lan", "netns", "wire")
        netns.run("ip", "link", "set", "lan", "up")
        netns.run("ip", "-n", "wire", "link", "set", "lan", "up")

    def tap(self):
        return Tap("wire", "lan")


def starts(box):
    """By the README's commands; systemd knows every line of the units."""
    for name in SERVICES:
        write(DROP_IN.format(name),
              "[Service]\n" + COUNT_FILTERS + (SHORTER if name == "koid" else ""))
    documents = os.path.dirname(shown("koid", "Documentation").removeprefix("file://"))
    ok("cp", f"{documents}/kernel-interfaces.conf", os.path.dirname(DROP_IN.format("koid")))
    box.wire = Wire()
    ok("sh", "-ec", "systemd-sysusers && systemd-tmpfiles --create && journalctl --update-catalog"
                    " && systemctl daemon-reload")
    ok("systemctl", "enable", "--now", *SERVICES)
    for name in SERVICES:
        assert active(name), ok("systemctl", "status", name)
    settle()
    said = [e["MESSAGE"] for e in journal("_PID=1", "-p", "warning") if "koi" in e["MESSAGE"]]
    assert not said, said


def runs_as(_box):
    """Each its user; their threads' rights, and a filter of system calls beside the unit's."""
    net_admin, net_raw = 1 << 12, 1 << 13
    rights = {"koid": (0, net_admin | net_raw), "koi-agent": (net_admin, net_admin),
              "koi-exporter": (0, 0)}  # effective, bounding
    for name, user in SERVICES.items():
        before = int(journal("-u", name, "-g", "^Seccomp_filters:")[-1]["MESSAGE"].split()[1])
        main = pid(name)
        threads = os.listdir(f"/proc/{main}/task")
        assert len(threads) >= {"koid": 5, "koi-agent": 1, "koi-exporter": 3}[name], threads
        for thread in threads:
            with open(f"/proc/{main}/task/{thread}/status", encoding="ascii") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            where = f"{name}, thread {status['Name']}"
            uids = set(status["Uid"].split())
            assert uids == {str(pwd.getpwnam(user).pw_uid)} if user else "0" not in uids, where
            sets = {s: int(status[s], 16) for s in ("CapEff", "CapPrm", "CapBnd")}
            effective, bounding = rights[name]
            assert sets == {"CapEff": effective, "CapPrm": effective, "CapBnd": bounding}, (
                where, sets)
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), where
            filters = int(status["Seccomp_filters"])
            assert filters > before > 0, (where, filters, before)
    said = [e["MESSAGE"] for name in SERVICES for e in journal("-u", name)]
    assert not [m for m in said if "keeps capabilities" in m or "no filter" in m]


def real_time(_box):
    """All memory locked, control and workers SCHED_FIFO, by the unit's limits."""
    with open("/proc/1/status", encoding="ascii") as f:
        permitted = int(re.search(r"CapPrm:\t(\w+)", f.read())[1], 16)
    if not permitted >> 24 & 1:
        raise Skip("no CAP_SYS_RESOURCE here, so systemd cannot raise a service's limits")
    main = pid("koid")
    policies = [os.sched_getscheduler(int(t)) for t in os.listdir(f"/proc/{main}/task")]
    assert policies.count(os.SCHED_FIFO) == 2, policies
    with open(f"/proc/{main}/status", encoding="ascii") as f:
        assert int(re.search(r"VmLck:\s+(\d+)", f.read())[1]) > 10_000


def key(box):
    """koid signs with the key that is root's alone and systemd hands over."""
    found = os.stat("/etc/koi/keys"), os.stat("/etc/koi/keys/lan.key")
    assert [(stat.S_IMODE(s.st_mode), s.st_uid) for s in found] == [(0o700, 0), (0o400, 0)]
    tap = box.wire.tap()
    header = until("an advertisement", lambda: adverts(tap), within=2)[0]
    tap.close()
    assert header[16:] == carp.digest(KEY, 1, [SHARED], int.from_bytes(header[8:16], "big"))


def control_socket(_box):
    """For root and the group koi."""
    found = os.stat(SOCKET)
    koi = pwd.getpwnam("koi")
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660
    assert (found.st_uid, found.st_gid) == (koi.pw_uid, koi.pw_gid)
    folder = os.stat(os.path.dirname(SOCKET))
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid) == (0o750, koi.pw_uid)


def metrics(_box):
    """The exporter serves what koid says."""
    def shows_master():
        with urllib.request.urlopen("http://127.0.0.1:9477/metrics", timeout=5) as reply:
            assert reply.status == 200
            text = reply.read().decode()
        assert re.search(r"^koi_up 1$", text, re.M), text
        return re.search(r"^koi_slot_master\{.*\} 1$", text, re.M)
    until("koid to be MASTER by its figures", shows_master, within=5)


def host(_box):
    """koid's TAP, for which the unit lets it have the device, and the agent's address on it."""
    until("the shared address on the host's interface", lambda: [
        a for a in json.loads(ok("ip", "-j", "addr", "show", "dev", "koi-lan"))[0]["addr_info"]
        if a["local"] == SHARED], within=5)


def hook(_box):
    """Run by the agent, as its user."""
    def said():
        if not os.path.exists(HOOK_SAYS):
            return None
        with open(HOOK_SAYS, encoding="ascii") as f:
            return f.read().splitlines()
    until(lambda: f"the hook for MASTER; {said()}",
          lambda: said() and said()[-1] == "koi-agent:koi lan-gateway MASTER", within=5)


def log(_box):
    """A change of role with its fields in the journal, and `journalctl -x` explains it."""
    matches = ("-u", "koid", "KOI_GROUP=lan-gateway", "KOI_TO=MASTER")
    entry = until("the change of role in the journal", lambda: journal(*matches), within=5)[-1]
    assert entry["KOI_FROM"] == "BACKUP" and entry["KOI_CAUSE"] in entry["MESSAGE"], entry
    assert entry["_SYSTEMD_UNIT"] == "koid.service" and len(entry["MESSAGE_ID"]) == 32
    assert "Subject: This box is MASTER of lan-gateway (vhid 1)" in ok("journalctl", "-x", *matches)


def reload(_box):
    """Takes the new configuration in, in the same process."""
    main = pid("koid")
    write(CONFIG, SETTINGS.replace("advskew: 20\n    low", "advskew: 30\n    low"))
    ok("systemctl", "reload", "koid")
    assert slot()["advskew"] == 30 and pid("koid") == main and active("koid")
    write(CONFIG, SETTINGS)
    ok("systemctl", "reload", "koid")
    assert slot()["advskew"] == 20


def reload_refused(_box):
    """Fails for a configuration that is wrong, says why, and changes nothing."""
    main = pid("koid")
    write(CONFIG, SETTINGS.replace("vhid: 1", "vhid: 256"))
    code, _ = run("systemctl", "reload", "koid")
    write(CONFIG, SETTINGS)
    assert code != 0 and pid("koid") == main and active("koid") and slot()["vhid"] == 1
    assert [e for e in journal("-u", "koid") if "vhid" in e["MESSAGE"] and "256" in e["MESSAGE"]]


def _restarted(what, main, after):
    """Since `after`, in s of CLOCK_MONOTONIC."""
    until(lambda: f"a new koid after {what}", lambda: pid("koid") not in (0, main), within=10,
          every=0.02)
    settle()
    began = int(shown("koid", "ExecMainStartTimestampMonotonic")) / 1e6
    assert began - after >= RESTART_S, began - after


def watchdog(_box):
    """A koid that hangs is ended and started again, once WatchdogSec is over."""
    main, before = send("koid", signal.SIGSTOP)
    _restarted("the watchdog", main, before + WATCHDOG_S / 2)
    assert [e for e in journal("-u", "koid", "_PID=1") if "Watchdog timeout" in e["MESSAGE"]]


def crash(_box):
    """Started again after a pause; after five starts in ten minutes it stays down."""
    def outcome(main):
        state, now = shown("koid", "ActiveState", "MainPID")
        return state if state in ("active", "failed") and now != str(main) else None
    for _ in range(4):
        main, before = send("koid", signal.SIGKILL)
        state = until("koid to come or to stay away", lambda main=main: outcome(main), within=10,
                      every=0.02)
        if state == "active":
            _restarted("a crash", main, before)
    seen = shown("koid", "ActiveState", "Result", "NRestarts")
    # The watchdog's was the first, and the fifth was refused.
    assert seen == ["failed", "signal", "5"], seen
    ok("systemctl", "reset-failed", "koid")
    ok("systemctl", "start", "koid")
    settle()


def wrong_configuration(_box):
    """The start fails, and is not tried again."""
    ok("systemctl", "stop", "koid")
    write(CONFIG, SETTINGS.replace("vhid: 1", "vhid: 256"))
    code, _ = run("systemctl", "start", "koid")
    write(CONFIG, SETTINGS)
    seen = shown("koid", "ActiveState", "ExecMainStatus", "NRestarts")
    assert code != 0 and seen == ["failed", "2", "0"], (code, seen)
    ok("systemctl", "start", "koid")
    settle()


def stop(box):
    """Bows out on the wire, and leaves no socket; the other two go on."""
    tap = box.wire.tap()
    until("an advertisement", lambda: adverts(tap), within=2)
    ok("systemctl", "stop", "koid")
    assert adverts(tap)[-1][2] == 255  # advskew
    tap.close()
    assert shown("koid", "ActiveState", "Result") == ["inactive", "success"]
    assert not os.path.exists(SOCKET)
    assert active("koi-agent") and active("koi-exporter")


CHECKS = [starts, runs_as, real_time, key, control_socket, metrics, host, hook, log, reload,
          reload_refused, watchdog, crash, wrong_configuration, stop]
NAMES = [check.__name__.replace("_", "-") for check in CHECKS]


class Box:
    """What the checks hand on."""

    wire = None


def main():
    failed, box = 0, Box()
    for name, check in zip(NAMES, CHECKS):
        try:
            check(box)
            verdict, why = "OK", ""
        except Skip as reason:
            verdict, why = "SKIP", f": {reason}"
        except Exception as error:  # pylint: disable=broad-except
            what = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
            verdict, why = "FAIL", f": {type(error).__name__}: {what}".replace("\n", "\n      ")
            failed += 1
        print(f"{verdict:4} {name}{why}", flush=True)
        if failed and check is starts:
            break  # the others would only wait
    if failed:
        print(run("journalctl", "--no-pager", "-n", "60")[1])
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
