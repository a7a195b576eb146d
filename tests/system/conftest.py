"""Fixtures of the system tests. Run as root: /usr/bin/python3 -m pytest tests/system

KOI_BUILD names another build folder than build/. Everything else is in tools/lab.
"""

import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tools"))

from lab import Lab  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time, so nothing else may run beside it")


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="not root: network namespaces need it"))


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
