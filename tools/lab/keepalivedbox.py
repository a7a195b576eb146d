"""A box that runs keepalived with the kernel's stack: the other protocol on the segment."""

import time

from .station import IFACE, Station

_INSTANCE = """
vrrp_instance {name} {{
  state BACKUP
  interface {iface}
  version {version}
  virtual_router_id {number}
  priority {priority}
  advert_int 1
  virtual_ipaddress {{ {address} }}
}}
"""


class KeepalivedBox(Station):
    """Made by Lab.keepalived(). One instance for each (VRRP version, number, virtual address)."""

    def __init__(self, lab, name, number, own, *, instances, priority=100):
        super().__init__(lab, name, number, own)
        self.own = own
        self.config = self.path("keepalived.conf")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("global_defs {\n  router_id lab\n}\n")
            for version, vrid, address in instances:
                f.write(_INSTANCE.format(name=f"number{vrid}", iface=IFACE, version=version,
                                         number=vrid, priority=priority, address=address))
        self.process = None

    def start(self):
        """Returns when, in ns of CLOCK_REALTIME. All its files are in the box's folder."""
        when = time.time_ns()
        self.process = self.spawn([
            "keepalived", "--dont-fork", "--log-console", "--vrrp", f"--use-file={self.config}",
            f"--pid={self.path('keepalived.pid')}", f"--vrrp_pid={self.path('vrrp.pid')}"])
        return when

    def stop(self, within=5):
        self.process.terminate()
        self.process.wait(within)
