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
