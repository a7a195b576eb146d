"""A box that runs keepalived with the kernel's stack: the other protocol on the segment."""

import contextlib
import os
import re
import time

from .station import IFACE, Station

_INSTANCE = """
vrrp_instance {name} {{
  state BACKUP
  interface {iface}
  version {version}
  virtual_router_id {number}
  priority {priority}
  advert_int {advert_s}
{extra}  virtual_ipaddress {{ {address} }}
}}
"""


class KeepalivedBox(Station):
    """Made by Lab.keepalived(). One instance for each (VRRP version, number, virtual address)."""

    def __init__(self, lab, name, number, own, *, instances, priority=100, advert_s=1,
                 preempt=True, realtime=None):
        """realtime: the priority of its thread under SCHED_RR; default: as it is itself, none."""
        super().__init__(lab, name, number, own)
        self.own = own
        self.config = self.path("keepalived.conf")
        self._pid_files = [self.path("keepalived.pid"), self.path("vrrp.pid")]
        with open(self.config, "w", encoding="utf-8") as f:
            scheduled = f"  vrrp_rt_priority {realtime}\n" if realtime else ""
            f.write("global_defs {\n  router_id lab\n" + scheduled + "}\n")
            extra = "" if preempt else "  nopreempt\n"
            for version, vrid, address in instances:
                f.write(_INSTANCE.format(name=f"number{vrid}", iface=IFACE, version=version,
                                         number=vrid, priority=priority, advert_s=advert_s,
                                         extra=extra, address=address))
        self.process = None

    def start(self):
        """Returns when, in ns of CLOCK_REALTIME. All its files are in the box's folder."""
        for left in self._pid_files:  # of one that was killed: it would not start
            with contextlib.suppress(FileNotFoundError):
                os.remove(left)
        when = time.time_ns()
        self.process = self.spawn([
            "keepalived", "--dont-fork", "--log-console", "--vrrp", f"--use-file={self.config}",
            f"--pid={self._pid_files[0]}", f"--vrrp_pid={self._pid_files[1]}"])
        return when

    def stop(self, within=5):
        self.process.terminate()
        self.process.wait(within)

    def state(self):
        """What its log says that it entered last: "MASTER", "BACKUP", "FAULT" or None."""
        found = re.findall(r"Entering (\w+) STATE", self.log_text())
        return found[-1] if found else None
