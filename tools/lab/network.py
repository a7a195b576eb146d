"""The lab: a switch, a client and boxes, each in a namespace of its own."""

import os
import secrets
import tempfile

from . import netns
from .keepalivedbox import KeepalivedBox
from .keeper import Keeper
from .koibox import KoiBox
from .observer import Observer
from .probe import Probe
from .station import BRIDGE, IFACE, Client, Station
from .ucarpbox import UcarpBox

CLIENT_ADDRESS, CLIENT_ADDRESS6 = "192.0.2.100", "2001:db8::100"

_MEMORY, _ROOM = "/dev/shm", 1 << 30  # bytes


def _place():
    """Where labs have their folders: in memory, for while a virtual machine's disk is served its
    processors may stand still, for a millisecond and more. None: the usual place; there is not
    enough of it, or what lies there cannot be run, or somebody said where."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return None
    there = os.statvfs(_MEMORY)
    room = there.f_bavail * there.f_frsize >= _ROOM
    return _MEMORY if room and not there.f_flag & os.ST_NOEXEC else None


class Lab:
    """Boxes are added by koi(), ucarp(), keepalived() or station(); closing removes everything.

    A second segment (segment()) is another bridge of the same switch: no frame goes across.
    """

    def __init__(self, build=None, snooping=None):
        """snooping: a switch that keeps multicast from ports that asked for none; see Snooping."""
        self.build = build or os.environ.get("KOI_BUILD") or _repository("build")
        self.folder = tempfile.mkdtemp(prefix="koi-lab-", dir=_place())
        self.tag = f"koi{os.getpid()}{secrets.token_hex(2)}"
        self.switch = f"{self.tag}-switch"
        self.keeper = Keeper(self.folder)
        self.stations = []  # in the order made
        self._open, self._closed = [], False
        try:
            self.keeper.note("netns", self.switch)
            netns.add_namespace(self.switch)
            netns.add_bridge(self.switch, BRIDGE)
            if snooping:
                snooping.set_up(self.switch, BRIDGE)
            self.client = self.station("client", CLIENT_ADDRESS, Client,
                                       address6=CLIENT_ADDRESS6)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self, keep=False):
        """Removes namespaces, processes and files; with keep leaves them (see remove_lab)."""
        if self._closed:
            return
        self._closed = True
        for thing in reversed(self._open):
            thing.close()
        self.keeper.close(keep)

    def keep_open(self, thing):
        """thing.close() is called when the lab closes."""
        self._open.append(thing)
        return thing

    def station(self, name, address=None, kind=Station, **options):
        """Adds a station; the kernel's stack has the address."""
        made = kind(self, name, len(self.stations) + 1, address, **options)
        self.stations.append(made)
        return made

    def koi(self, name, **options):
        """Adds a box that runs koid; see KoiBox."""
        return self.station(name, kind=KoiBox, **options)

    def ucarp(self, name, own, **options):
        """Adds a box that runs UCarp; see UcarpBox."""
        return self.station(name, own, UcarpBox, **options)

    def keepalived(self, name, own, **options):
        """Adds a box that runs keepalived; see KeepalivedBox."""
        return self.station(name, own, KeepalivedBox, **options)

    def segment(self, name):
        """Adds a bridge, to which a station or a koi box's further port may be connected."""
        netns.add_bridge(self.switch, name)
        return name

    def observer(self, *stations, port=IFACE, snap=None):
        """Of what stations send from that port; snap: the first so many bytes of each frame."""
        return self.keep_open(Observer(self.switch, {s.name: s.switch_port(port)
                                                     for s in stations}, snap))

    def probe(self, target, client=None):
        """One ARP request (or Neighbor Solicitation) and one echo a millisecond from the client;
        see Probe."""
        return self.keep_open(Probe((client or self.client).namespace, IFACE, target))


def _repository(*parts):
    return os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", *parts))
