"""The probe: one ARP request and one echo request each millisecond, replies stamped by the kernel.

For an IPv6 address it is a Neighbor Solicitation and an ICMPv6 echo request. The echo goes through
the client's own stack (a raw ICMP socket), so its kernel resolves the address by itself; the other
is a frame of ours. The probe is a process of its own (prober.py) and scheduled FIFO, so that the
test program's work does not delay it. Only reply times count for an outage; how late the probe
itself was in sending is kept as well, to judge the figure by.
"""

import dataclasses
import json
import os
import select
import subprocess
import sys

PERIOD_NS = 1_000_000


@dataclasses.dataclass
class ProbeResult:
    """Times in ns of CLOCK_REALTIME, ascending."""

    sent: list
    echo: list  # replies
    arp: list = dataclasses.field(default_factory=list)  # replies; of an IPv4 address
    nd: list = dataclasses.field(default_factory=list)   # advertisements; of an IPv6 address

    def outage_ms(self, kind, since_ns, until_ns):
        """The largest gap between replies that touches [since, until], less the probe's period.

        Raises when the replies did not come back before `until`: then there is no figure.
        """
        start, end = largest_gap(getattr(self, kind), since_ns, until_ns)
        return max(0.0, (end - start - PERIOD_NS) / 1e6)

    def late_ms(self, since_ns, until_ns):
        """The probe's own largest delay in sending within [since, until]: the figure's noise."""
        start, end = largest_gap(self.sent, since_ns, until_ns)
        return max(0.0, (end - start - PERIOD_NS) / 1e6)


def unanswered(sent, replies):
    """When requests were sent that got no reply, as near as replies that are all alike can say: each
    counts for the latest request before it that has none yet."""
    waiting, events = [], sorted([(t, False) for t in sent] + [(t, True) for t in replies])
    for moment, reply in events:
        if not reply:
            waiting.append(moment)
        elif waiting:
            waiting.pop()
    return waiting


def largest_gap(times, since_ns, until_ns):
    """(start, end) of the largest gap between ascending times that touches [since, until].

    Raises when they do not span it.
    """
    best = None
    for before, after in zip(times, times[1:]):
        if after >= since_ns and before <= until_ns and (
                best is None or after - before > best[1] - best[0]):
            best = (before, after)
    if best is None or times[0] > since_ns or times[-1] < until_ns:
        raise AssertionError("the replies do not span the event: no answer before it or after it")
    return best


class Probe:
    """Runs from start() to stop(). Made by Lab.probe()."""

    def __init__(self, namespace, iface, target):
        self._arguments = [namespace, iface, target]
        self._process = None

    def start(self, within=5):
        """Returns once both kinds of reply come in."""
        environment = dict(os.environ, PYTHONPATH=os.path.join(os.path.dirname(__file__), ".."))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.prober", *self._arguments], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        ready, _, _ = select.select([self._process.stdout], [], [], within)
        if not ready or self._process.stdout.readline() != "ready\n":
            self.close()
            raise AssertionError(f"the probe got no answers within {within} s")
        return self

    def stop(self):
        """Ends it and returns its ProbeResult."""
        out, _ = self._process.communicate()
        return ProbeResult(**json.loads(out))

    def close(self):
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
