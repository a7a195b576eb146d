"""Who answers: each a station of the lab whose cable leads straight to the client."""

import contextlib
import os
import signal
import subprocess
import time

from bench_lib import testpmd
from lab import Lab, netns, until
from lab.freeze import worker_threads
from lab.koibox import SHARED
from lab.station import IFACE
from latency_lib import load

CORE = 1  # the answerer's
ADVSKEW = 8  # MASTER after 94 ms; a lease of 89 ms
_CLIENT_MAC = "02:00:00:00:00:01"  # of the neighbour entry; each request has another one
_WORKER_PRIORITY = 40  # koid's, with idle: adaptive
_STARTED = "start packet forwarding"  # testpmd says
_REST = 0.1  # seconds for others on the cores, before each run
_FIRST_RATE, _FIRST_SECONDS, _WITHIN = 1000, 0.02, 20


class System:
    """up(), any number of runs, down(). Only one of those on the core is up at a time."""

    name, about = None, None

    def __init__(self, lab):
        self.lab = lab
        self.box = self._box()
        # Without the bridge: it would remember each request's MAC.
        netns.run("ip", "-n", lab.switch, "link", "set", "dev", self.interface, "nomaster", "netns",
                  lab.client.namespace)
        netns.set_link(lab.client.namespace, self.interface, True)

    @property
    def interface(self):
        """The client's end of the cable."""
        return self.box.switch_port()

    def run(self, rate, seconds):
        """Once it answers; after an overload koid has stepped down, and takes a moment. Raises
        AssertionError, RuntimeError."""
        until(lambda: f"{self.name} to answer; its log:\n{self.box.log_text()[-2000:]}",
              lambda: self._once(_FIRST_RATE, _FIRST_SECONDS).lost == 0, _WITHIN)
        time.sleep(_REST)
        return self._once(rate, seconds)

    def _once(self, rate, seconds):
        return load.run(self.lab.build, self.lab.client.namespace, self.interface, SHARED, rate,
                        seconds)

    def up(self):
        pass

    def down(self):
        pass


class Koi(System):
    name, about, dataplane = "koi", "koid, idle: adaptive", {"idle": "adaptive"}

    def _box(self):
        box = self.lab.koi(self.name, own="192.0.2.2", advbase=0, advskew=ADVSKEW,
                           lowest_advskew=ADVSKEW)
        settings = box.settings()
        settings["dataplane"] |= {"worker-cores": [CORE]} | self.dataplane
        box.write_config(settings)
        return box

    def up(self):
        self.box.start()
        self.box.wait_role("MASTER", within=_WITHIN)

    def down(self):
        if self.box.running():
            self.box.kill()


class PollingKoi(Koi):
    """Its control polls too, and so needs a core without the client."""

    name, about = "koi-poll", "koid, idle: poll; control on core 2"
    dataplane = {"idle": "poll", "control-core": 2}


class Kernel(System):
    name, about = "kernel", "Linux' own ARP, steered to the core by RPS"

    def _box(self):
        box = self.lab.station(self.name, SHARED)
        netns.run("ip", "netns", "exec", box.namespace, "tee",
                  f"/sys/class/net/{IFACE}/queues/rx-0/rps_cpus", stdin=f"{1 << CORE:x}")
        # A client that it knows: else it would note a new MAC with each request.
        netns.run("ip", "-n", box.namespace, "neigh", "add", load.SENDER, "lladdr", _CLIENT_MAC,
                  "dev", IFACE, "nud", "permanent")
        return box


class Testpmd(System):
    name, about = "testpmd", "DPDK's testpmd icmpecho"
    _process = None

    def _box(self):
        box = self.lab.station(self.name)
        netns.silence_kernel(box.namespace, IFACE)
        return box

    def up(self):
        before = self._starts()
        # It ends with its standard input.
        self._process = self.box.spawn(
            testpmd.command(self.box.namespace, CORE, [f"net_af_packet0,iface={IFACE}"],
                            "--forward-mode=icmpecho", "--port-topology=loop", "--auto-start",
                            "--stats-period=60", "--total-num-mbufs=8192"),
            stdin=subprocess.PIPE)
        until(lambda: f"testpmd to start; its log:\n{self.box.log_text()[-2000:]}",
              lambda: self._starts() > before, _WITHIN)
        thread, = worker_threads(self._process.pid)
        os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(_WORKER_PRIORITY))
        self._process.send_signal(signal.SIGSTOP)

    def _starts(self):
        return self.box.log_text().count(_STARTED)

    def _once(self, rate, seconds):
        """It stands still when it is not asked: it never sleeps, and would take the core from all
        others, for which the kernel would take it from it, for 50 ms."""
        self._process.send_signal(signal.SIGCONT)
        try:
            return super()._once(rate, seconds)
        finally:
            self._process.send_signal(signal.SIGSTOP)

    def down(self):
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process = None


SYSTEMS = {kind.name: kind for kind in (Koi, Kernel, Testpmd, PollingKoi)}
DEFAULT = ("koi", "kernel", "testpmd")


@contextlib.contextmanager
def made(names, build=None):
    """Those systems, in a lab of their own."""
    with Lab(build) as lab:
        systems = [SYSTEMS[name](lab) for name in dict.fromkeys(names)]
        try:
            yield systems
        finally:
            for system in systems:
                system.down()
