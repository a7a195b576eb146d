"""Two koi boxes that speak as another system's CARP does: they elect and take over as it does."""

import concurrent.futures

import pytest

from boxes import SHARED, SHARED6, Pair
from lab import Lab, carp, until
from lab.koibox import KEY

DIALECTS = {"freebsd": (SHARED, SHARED6), "openbsd": (SHARED, SHARED6), "ucarp": (SHARED,)}


def _play(dialect):
    """Elect, take over after SIGKILL and after SIGTERM, return as BACKUP. No probe: the timers are
    read off the wire, so that the labs may run beside each other."""
    with Lab() as lab:
        pair = Pair(lab, "seconds", dialect=dialect, addresses=DIALECTS[dialect])
        pair.a.start()
        pair.b.start()
        pair.a.wait_role("MASTER", within=6)
        pair.settled(pair.a)

        pair.a.kill()
        pair.b.wait_role("MASTER", within=5)
        _adverts_are_the_dialects(pair, dialect)
        heard = pair.observer.adverts("a")[-1][0]
        first = pair.observer.adverts("b", heard)[0][0]
        waited, down = (first - heard) / 1e6, pair.b.groups[0].master_down_ms()
        assert down - 2 <= waited <= down + 200, f"{waited} ms"
        until("an echo", lambda: lab.client.ping(SHARED), within=3)

        pair.a.start()
        pair.settled(pair.b)  # without preempt the better one waits

        resigned = pair.b.terminate()
        # FreeBSD's and UCarp's own boxes send no bow-out, but obey ours.
        pair.a.wait_role("MASTER", within=2)
        assert pair.b.process.wait(5) == 0
        last = pair.observer.adverts("b")[-1]
        assert last[0] >= resigned and (last[1][5], last[1][2]) == (255, 255)
        until("an echo", lambda: lab.client.ping(SHARED), within=3)


def _adverts_are_the_dialects(pair, dialect):
    """Signed as this Python has it, from this box, in each family."""
    for _, header in pair.observer.adverts("a"):
        counter = int.from_bytes(header[8:16], "big")
        assert header == carp.header(KEY, 1, DIALECTS[dialect], counter, advbase=1, advskew=0)
    families = {bool(f.ipv6()) for f in pair.observer.frames("a", 0, lambda f: f.carp())}
    assert families == {bool(":" in a) for a in DIALECTS[dialect]}


@pytest.fixture(scope="module")
def plays():
    """All under way, each in a lab of its own: nearly all of it is waiting."""
    with concurrent.futures.ThreadPoolExecutor(len(DIALECTS)) as pool:
        yield {dialect: pool.submit(_play, dialect) for dialect in DIALECTS}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_pair_elects_and_takes_over(plays, dialect):
    plays[dialect].result()
