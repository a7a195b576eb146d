"""A box that runs UCarp with the kernel's stack: the foreign peer."""

import os
import time

from . import netns
from .koibox import KEY, SHARED
from .station import IFACE, Station
from .until import until


class UcarpBox(Station):
    """Made by Lab.ucarp(). Who is master is read from the address on its interface."""

    def __init__(self, lab, name, number, own, *, vhid=1, advbase=1, advskew=0, preempt=False,
                 key=KEY, shared=SHARED, dead_ratio=None, broadcast=False):
        super().__init__(lab, name, number, own)
        self.own, self._shared = own, shared
        scripts = {verb: self._script(verb) for verb in ("add", "del")}
        self._command = [
            "ucarp", f"--interface={IFACE}", f"--srcip={own}", f"--vhid={vhid}", f"--pass={key}",
            f"--addr={shared}", f"--advbase={advbase}", f"--advskew={advskew}", "--neutral",
            f"--upscript={scripts['add']}", f"--downscript={scripts['del']}", "--shutdown"]
        if preempt:
            self._command.append("--preempt")
        if dead_ratio is not None:
            self._command.append(f"--deadratio={dead_ratio}")
        if broadcast:
            self._command.append("--nomcast")
        self.process = None

    def _script(self, verb):
        path = self.path(f"address-{verb}")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="utf-8") as f:
            f.write(f'#!/bin/sh\nexec ip addr {verb} "$2/32" dev "$1"\n')
        return path

    def start(self):
        self.plug(True)
        self.process = self.spawn(self._command)

    def is_master(self):
        text = netns.run("ip", "-n", self.namespace, "-4", "-o", "addr", "show", "dev", IFACE)
        return f" {self._shared}/" in text

    def wait_master(self, is_master, within):
        until(lambda: f"{self.name} {'to own' if is_master else 'without'} {self._shared}; its log:"
              f"\n{self.log_text()[-2000:]}", lambda: self.is_master() == is_master, within)

    def die(self):
        """The whole box dies: its cable goes quiet, its program is killed, its address is gone.

        Returns when, in ns of CLOCK_REALTIME. (A killed UCarp alone leaves its address behind.)
        """
        when = time.time_ns()
        self.plug(False)
        self.process.kill()
        self.process.wait()
        if self.is_master():
            netns.run("ip", "-n", self.namespace, "addr", "del", f"{self._shared}/32",
                      "dev", IFACE)
        return when

    def stop(self, within=5):
        """SIGTERM: the down script runs. Returns when it was sent, in ns of CLOCK_REALTIME."""
        when = time.time_ns()
        self.process.terminate()
        self.process.wait(within)
        return when
