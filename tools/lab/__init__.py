"""A lab of network namespaces: boxes that run koid, UCarp or keepalived, a switch, and a client.

The client and all boxes but koid's have the kernel's own stack; in a koid box the kernel is silent.

Used by tests/system and by tools/demo. Needs root, iproute2, nftables and ethtool.

    with Lab() as lab:
        a = lab.koi("a", own="192.0.2.2", node_id=1)
        a.start()
        a.wait_role("MASTER", within=5)
        lab.client.ping("192.0.2.1")

Everything a lab makes (namespaces, processes, files) is written to its ledger first and removed by
its keeper, a small process of its own, when the lab is closed or its owner dies, by SIGKILL too.
"""

from .keepalivedbox import KeepalivedBox
from .keeper import Keeper, remove_lab
from .koibox import Group, KoiBox
from .network import Lab
from .observer import Answer, Observer, last_answer, overlap_ms
from .probe import Probe, ProbeResult
from .snooping import Snooping
from .station import Client, Station
from .ucarpbox import UcarpBox
from .until import TimedOut, until
from .wire import Frame, Tap, virtual_mac

__all__ = [
    "Answer", "Client", "Frame", "Group", "KeepalivedBox", "Keeper", "KoiBox", "Lab", "Observer",
    "Probe", "ProbeResult", "Snooping", "Station", "Tap", "TimedOut", "UcarpBox", "last_answer",
    "overlap_ms", "remove_lab", "until", "virtual_mac",
]
