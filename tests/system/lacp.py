"""The switch at the other end of a bond, in Python: LACP (802.1AX) decoded and built by Scapy.

Each cable of the bond ends in a tap; there is no bridge behind them. A frame goes into one cable,
as a switch would choose one, and what the box sends is known by the cable that it came out of.
"""

import collections
import contextlib
import time

from scapy.all import Ether
from scapy.contrib.lacp import LACP, SlowProtocol

from lab import TimedOut
from lab.wire import mac_text

SLOW, SLOW_MAC = 0x8809, "01:80:c2:00:00:02"
SYSTEM = "02:00:00:00:5a:01"
ACTIVE, SHORT, AGGREGATION, SYNC, COLLECTING, DISTRIBUTING = 1, 2, 4, 8, 16, 32
CARRIES = SYNC | COLLECTING | DISTRIBUTING


class Partner:
    """Answers each LACPDU with one of its own: that is all LACP asks of a partner that agrees.

    It wants fast LACPDUs (one a second). state: CARRIES once the aggregate may come up.
    """

    def __init__(self, taps):
        self.taps = taps  # name to Tap
        self.state = 0
        self.heard = collections.defaultdict(list)   # name to (time in ns, LACP)
        self.frames = collections.defaultdict(list)  # name to other frames, oldest first

    def pump(self):
        """Reads what the box sent, and answers its LACPDUs. Call it every few milliseconds."""
        for number, (name, tap) in enumerate(self.taps.items(), 1):
            for frame in tap.frames():
                if frame.ethertype != SLOW:
                    self.frames[name].append(frame)
                    continue
                said = Ether(frame.data)[LACP]
                self.heard[name].append((frame.time_ns, said))
                with contextlib.suppress(OSError):  # the cable was pulled meanwhile
                    tap.send(bytes(self._answer(number, said)))

    def _answer(self, number, said):
        return Ether(dst=SLOW_MAC, src=SYSTEM, type=SLOW) / SlowProtocol(subtype=1) / LACP(
            actor_system_priority=1, actor_system=SYSTEM, actor_key=7, actor_port_priority=1,
            actor_port_number=number, actor_state=ACTIVE | SHORT | AGGREGATION | self.state,
            partner_system_priority=said.actor_system_priority, partner_system=said.actor_system,
            partner_key=said.actor_key, partner_port_priority=said.actor_port_priority,
            partner_port_number=said.actor_port_number, partner_state=said.actor_state)

    def until(self, what, condition, within):
        """lab.until() with LACP going on."""
        deadline = time.monotonic() + within
        while True:
            self.pump()
            if value := condition():
                return value
            if time.monotonic() >= deadline:
                raise TimedOut(f"not within {within} s: {what}; the box said last: "
                               f"{[(n, h[-1][1].actor_state) for n, h in self.heard.items() if h]}")
            time.sleep(0.005)

    def answers(self, address):
        """Pairs of a client's MAC and the cable by which it was answered, of the frames so far."""
        return {(mac_text(frame.data[:6]), name) for name, frames in self.frames.items()
                for frame in frames if frame.answer_for() == (address, "arp")}
