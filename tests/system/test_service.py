"""koid, koi-agent and koi-exporter as services: their units, what systemd is told, their rights."""

import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from lab import until
from lab.freeze import Frozen, worker_threads

EXPOSURE = {"koid": 20, "koi-agent": 20, "koi-exporter": 15}  # at most, in tenths


@pytest.fixture
def box(lab):
    return lab.koi("a", own="192.0.2.2", node_id=1, advbase=0, advskew=20, lowest_advskew=20)


@pytest.mark.parametrize("name", EXPOSURE)
def test_exposure(bare_lab, name):
    """What systemd itself counts of what a unit leaves open."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    unit = os.path.join(bare_lab.build, "service", f"{name}.service")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager",
         f"--threshold={EXPOSURE[name]}", unit], capture_output=True, text=True, check=False)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    found = re.search(rf"Overall exposure level for {name}.service: ([0-9.]+) ", last)
    assert found, done.stdout + done.stderr
    assert float(found[1]) * 10 <= EXPOSURE[name] and done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", EXPOSURE)
def test_systemd_knows_every_line(bare_lab, name):
    """What it does not know it ignores, a set of system calls too."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    unit = os.path.join(bare_lab.build, "service", f"{name}.service")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                          text=True, check=False)
    # It looks at the machine's units too, and need not find koi installed.
    assert [line for line in done.stderr.splitlines()
            if f"{name}.service" in line and "is not executable" not in line] == []


class Manager:
    """The service manager's end of sd_notify(3)."""

    def __init__(self, box, watchdog_s):
        self.path = box.path("notify")
        self.socket = box.lab.keep_open(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.socket.bind(self.path)
        self.environment = os.environ | {"NOTIFY_SOCKET": self.path,
                                         "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}
        self.environment.pop("WATCHDOG_PID", None)

    def told(self, within):
        """The next message, as a dict, or None."""
        self.socket.settimeout(within)
        try:
            text = self.socket.recv(65536).decode()
        except (TimeoutError, BlockingIOError):
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def wait_for(self, key, within=5):
        """The next one with that key; others are passed over."""
        end = time.monotonic() + within
        while (left := end - time.monotonic()) > 0:
            if (message := self.told(left)) and key in message:
                return message
        raise AssertionError(f"nothing told of {key} within {within} s")

    def silent(self, for_s):
        return self.told(for_s) is None


def test_what_the_service_manager_is_told(box):
    """Ready once it answers; alive while a worker turns; reloading with the time; stopping."""
    manager = Manager(box, watchdog_s=0.3)
    process = box.spawn([box.program, "-c", box.config], env=manager.environment)
    ready = manager.wait_for("READY", within=10)
    assert ready["READY"] == "1" and "1 worker(s)" in ready["STATUS"]
    assert box.status()["ok"]
    manager.wait_for("WATCHDOG")

    (worker,) = worker_threads(process.pid)  # the only one: all workers hang
    frozen = Frozen(worker).freeze()
    until("the watchdog to be withheld", lambda: manager.silent(0.5), within=4)
    frozen.thaw()
    manager.wait_for("WATCHDOG")
    assert box.log_text().count("all workers hang") == 1

    box.groups[0].advskew = 30
    box.write_config()
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    box.ctl_ok("reload")
    reloading = manager.wait_for("RELOADING")
    assert before_us <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(
        time.CLOCK_MONOTONIC) // 1000
    assert manager.wait_for("READY")["READY"] == "1"

    process.terminate()
    assert manager.wait_for("STOPPING")["STOPPING"] == "1"
    assert process.wait(5) == 0


# Rights, as the kernel has them.

ONLY_NET_ADMIN = 1 << 12
AMBIENT = "+net_admin,+net_raw,+ipc_lock,+sys_nice"  # the latter two where a unit sets limits


def _threads(pid):
    """Of each thread: (name, its sets of capabilities by name, NoNewPrivs, Seccomp)."""
    found = []
    for number in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{number}/status", encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        found.append((status["Name"], {s: int(status[s], 16) for s in
                                       ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")},
                      int(status["NoNewPrivs"]), int(status["Seccomp"])))
    return found


def _assert_confined(pid, at_least, bounding=0, kept=0):
    threads = _threads(pid)
    assert len(threads) >= at_least, threads
    for name, sets, no_new_privileges, seccomp in threads:
        assert sets["CapEff"] == sets["CapPrm"] == kept, (name, sets)
        assert sets["CapBnd"] == bounding, (name, sets)
        assert sets["CapInh"] | sets["CapAmb"] | kept == kept, (name, sets)
        assert (no_new_privileges, seccomp) == (1, 2), name


def _launch_as_nobody(box):
    """koid as a unit starts it: a user of its own, ambient capabilities."""
    os.chmod(box.lab.folder, 0o711)
    program = shutil.copy(box.program, box.folder)  # who knows who may look into the build
    for path in [box.folder] + [box.path(name) for name in os.listdir(box.folder)]:
        os.chown(path, 65534, 65534)
    box.started_at = time.monotonic()
    box.process = box.spawn(
        ["setpriv", "--reuid=65534",
         "--regid=65534", "--clear-groups", f"--bounding-set=-all,{AMBIENT}",
         f"--inh-caps={AMBIENT}", f"--ambient-caps={AMBIENT}",
         program, "-c", box.config])


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_koid_keeps_no_right(box, user):
    """Once it is up no thread of it has any: as root, and as a user with ambient capabilities. It
    does all the same what it is there for, a reload and its state file among it.
    """
    if user == "root":
        box.launch()
    else:
        _launch_as_nobody(box)
    until(lambda: f"koid to be up:\n{box.log_text()[-3000:]}",
          lambda: "is up" in box.log_text(), within=10)
    # control, a worker, EAL's interrupts, log, service
    _assert_confined(box.process.pid, at_least=5,
                     bounding=0 if user == "root" else 1 << 12 | 1 << 13 | 1 << 14 | 1 << 23)
    assert (" as root" in box.log_text()) == (user == "root")
    assert "keeps capabilities" not in box.log_text()
    box.wait_role("MASTER", within=5)
    box.ctl_ok("maintenance", "on")
    box.groups[0].advskew = 30
    settings = box.settings()
    settings["groups"]["wan"] = settings["groups"]["lan-gateway"] | {
        "vhid": 2, "addresses": ["192.0.2.9"]}
    box.write_config(settings)
    if user != "root":
        os.chown(box.path("lan-gateway.key"), 65534, 65534)
    assert "starts" in box.ctl_ok("reload")
    box.ctl_ok("maintenance", "off")
    assert box.stop()[0] == 0 and not os.path.exists(box.socket)


def test_agent_and_exporter_keep_what_they_need(box):
    """The agent CAP_NET_ADMIN, the exporter nothing."""
    agent = box.spawn([os.path.join(box.lab.build, "koi-agent"), "--socket", box.socket], log="agent")
    exporter = box.spawn([os.path.join(box.lab.build, "koi-exporter"), "--socket", box.socket,
                          "--listen", "127.0.0.1:9477"], log="exporter")
    until("both to be confined",
          lambda: all(seccomp == 2 for pid in (agent.pid, exporter.pid)
                      for *_, seccomp in _threads(pid)) and len(_threads(exporter.pid)) > 2, within=5)
    _assert_confined(agent.pid, at_least=1, bounding=ONLY_NET_ADMIN, kept=ONLY_NET_ADMIN)
    _assert_confined(exporter.pid, at_least=3)
    assert "warning" not in box.log_text("agent") + box.log_text("exporter")
