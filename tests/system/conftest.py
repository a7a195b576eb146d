"""Fixtures of the system tests. Run as root: /usr/bin/python3 -m pytest tests/system

KOI_BUILD names another build folder than build/; KOI_TWICE a file for the tests in which two boxes
answered. Everything else is in tools/lab.
"""

import os
import shutil
import sys
import time

import pytest
from _pytest.runner import runtestprotocol

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools"))

from lab import Lab  # noqa: E402
from lab.pulse import Pulse  # noqa: E402

PAUSED_MS = 5    # a worker is silent after 1 (L8), and those who wait for it for longer
_pulses = []     # of the machine, from the first test on


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time, so nothing else may run beside it")


def pytest_unconfigure():
    for pulse in _pulses:
        pulse.close()


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="not root: network namespaces need it"))


def _longest_pause_ms(since_ns):
    """Since then, on either core, and all that was before is forgotten."""
    longest_ns = 0
    for pulse in _pulses:
        while some := pulse.read():
            longest_ns = max([longest_ns] + [late for at, late in some if at >= since_ns])
    return longest_ns / 1e6


def _says_twice(line):
    """Whether a line of a failure says that two boxes answered: that counts at once, for promise 1
    holds whatever hangs. What was asserted or its message says so; "+  where" shows all values, the
    good ones too."""
    return (line.startswith((">", "E ")) and not line[1:].lstrip().startswith("+")
            and any(word in line for word in ("overlap", "two boxes", "finding")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """A test that failed while the machine itself was paused, as two real-time threads beside it
    saw, is run once more, with everything made anew; what it then says counts."""
    if os.geteuid() != 0:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    if not _pulses:
        _pulses.extend(Pulse(core) for core in sorted(os.sched_getaffinity(0))[:2])
    began_ns = time.time_ns()
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    paused_ms = _longest_pause_ms(began_ns)
    failed = [r for r in reports if r.failed]
    text = failed[0].longreprtext.splitlines() if failed else []
    twice = any(_says_twice(line) for line in text)
    if failed and not twice and paused_ms >= PAUSED_MS:
        item.session._setupstate.teardown_exact(None)
        item._initrequest()
        item.warn(pytest.PytestWarning(
            f"{item.name}: failed while the machine was paused for {paused_ms:.0f} ms, run again:"
            f" {next((line for line in text if line.startswith('E ')), text[-1])}"))
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [r for r in reports if r.failed]
        twice = any(_says_twice(line) for r in failed[:1] for line in r.longreprtext.splitlines())
    if failed and twice and (told := os.environ.get("KOI_TWICE")):
        with open(told, "a", encoding="utf-8") as f:
            f.write(item.nodeid + "\n")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _need_programs(lab):
    for program in ("koid", "koictl", "koi-agent", "koi-exporter"):
        if not os.path.exists(os.path.join(lab.build, program)):
            pytest.fail(f"{lab.build}/{program} is missing: run tools/build first", pytrace=False)


@pytest.fixture
def lab():
    """A lab for one test."""
    with Lab() as made:
        _need_programs(made)
        yield made


@pytest.fixture(scope="module")
def module_lab():
    """A lab that the tests of one file share."""
    with Lab() as made:
        _need_programs(made)
        yield made


@pytest.fixture
def bare_lab():
    """A lab without koid, for the tests of the lab itself."""
    with Lab() as made:
        yield made


@pytest.fixture
def need_ucarp():
    if not shutil.which("ucarp"):
        pytest.skip("ucarp is not installed: apt-get install ucarp")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of each box's log."""
    report = (yield).get_result()
    if report.when != "call" or not report.failed:
        return
    for made in (a for a in item.funcargs.values() if isinstance(a, Lab)):
        for station in made.stations:
            if text := station.log_text():
                report.sections.append((f"log of {station.name}", text[-4000:]))
