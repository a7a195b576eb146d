"""A koi box whose NIC is a TAP (net_tap): the one driver of the lab's that has receive interrupts."""

from . import netns
from .koibox import KoiBox
from .station import IFACE

_WIRE, _INNER = "wire", "inner"  # koid's interface, and the bridge from it to the cable


class TapBox(KoiBox):
    """Made by Lab.station(name, kind=TapBox, own=ADDRESS, ...)."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.device = f"net_tap0,iface={_WIRE}"
        self.write_config()
        netns.run("ip", "netns", "exec", self.namespace, "nft", "delete", "table", "netdev",
                  f"koi_{IFACE}")  # the bridge comes after it
        netns.add_bridge(self.namespace, _INNER)
        netns.run("ip", "-n", self.namespace, "link", "set", "dev", IFACE, "master", _INNER)

    def start(self, within=10):
        seconds = super().start(within)  # the interface is koid's, and goes when it ends
        netns.run("ip", "-n", self.namespace, "link", "set", "dev", _WIRE, "master", _INNER)
        return seconds
