"""The three services under a real systemd: what tools/boot says, check by check."""

import os
import re
import signal
import subprocess

import pytest

from boot_lib import checks
from lab import netns, until
from lab.keeper import start_time

pytestmark = pytest.mark.alone  # a watchdog of 1.5 s is in it

BOOT = os.path.join(os.path.dirname(os.path.dirname(netns.__file__)), "boot")


@pytest.fixture(scope="module")
def verdicts():
    """Name to (verdict, why)."""
    done = subprocess.run([BOOT], capture_output=True, text=True, timeout=180, check=False)
    if done.returncode == 77:
        pytest.skip(done.stdout)
    folder, group = re.match(r"boot: (\S+) (\S+)\n", done.stdout).groups()
    assert not os.path.exists(folder) and not os.path.exists(group)
    found = re.findall(r"^(OK|FAIL|SKIP) +([\w-]+)((?:.|\n(?!OK|FAIL|SKIP))*)", done.stdout, re.M)
    assert found, done.stdout + done.stderr
    return {name: (verdict, why.strip(": \n")) for verdict, name, why in found}


@pytest.mark.parametrize("name", checks.NAMES)
def test_service(verdicts, name):
    verdict, why = verdicts.get(name, ("FAIL", "not come to it"))
    if verdict == "SKIP":
        pytest.skip(why)
    assert verdict == "OK", why


def _running(group):
    for folder, *_ in os.walk(group):
        with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as f:
            yield from map(int, f.read().split())


def test_nothing_is_left_when_it_is_killed():
    """SIGKILL: its keeper ends systemd and the services, and removes the rest."""
    with subprocess.Popen([BOOT], stdout=subprocess.PIPE, text=True) as boot:
        first = boot.stdout.readline()
        folder, group = re.match(r"boot: (\S+) (\S+)\n", first).groups()
        second = boot.stdout.readline()
        if "SKIP" in second:
            pytest.skip(second)
        running = {pid: start_time(pid) for pid in _running(group)}
        assert "OK   starts" in second
        assert len(running) >= 6  # systemd, its journal, koi's three, the checks
        boot.send_signal(signal.SIGKILL)
    until("the keeper to remove it all", lambda: not os.path.exists(folder), within=10)
    assert not os.path.exists(group)
    until("its processes to be gone", within=5, condition=lambda: not [
        pid for pid, began in running.items() if start_time(pid) == began])
