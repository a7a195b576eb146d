"""The link of a mass failover by the kernel: veth cables and a bridge, a client on raw sockets."""

import time

from lab.asker import Asker

CLIENT = "10.0.0.100"
_SNAP = 64


class VethLink:
    """Each link has these methods. Times are in ns of now(), which the frames are stamped with."""

    now = staticmethod(time.time_ns)

    def __init__(self, lab, boxes, addresses):
        """Before the boxes are configured: it may give them another device."""
        self._observer = lab.observer(*boxes, snap=_SNAP)
        self._askers = {box.name: lab.keep_open(Asker(
            lab.switch, box.switch_port(), lab.client.mac, CLIENT, addresses)) for box in boxes}

    def forget(self):
        """All that was seen and has arrived so far."""
        for asker in self._askers.values():
            asker.forget()
        self._observer.clear()

    def ask(self, box, within, at_once=False):
        """See Asker."""
        return self._askers[box.name].ask(within, at_once)

    def announced(self, box, since):
        """How many addresses."""
        return len({f.data[28:32] for f in self._observer.frames(box.name, since, announces)})

    def frames(self, box, since):
        """What it has sent since then, of what figures are made of: advertisements, and each address's
        first announcement and answer, if there was none before."""
        return self._observer.frames(box.name, since)

    def lost(self, _box):
        """Frames to it that the link itself had no room for, by reason: the kernel does not say."""
        return {}


def announces(frame):
    d = frame.data
    return d[12:14] == b"\x08\x06" and d[20:22] == b"\0\1" and d[28:32] == d[38:42]
