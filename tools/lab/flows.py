"""Flows through the firewalls: what a user has open while the boxes change places.

A process of its own at either end (flow_sender.py, flow_echo.py), scheduled FIFO, so that the test
program's work does not delay them. To each address of the server go, every 2 ms, a datagram (`udp`:
the path's own outage, for nobody repeats it) and 500 bytes of a TCP connection (`tcp`), whose echo
is compared with what was sent. A second connection is idle until speak().
"""

import json
import os
import select
import subprocess
import sys


class Flows:
    """Runs from start() to stop()."""

    def __init__(self, client, server, addresses):
        """Stations, and the server's addresses."""
        self._stations, self._addresses = {"echo": server, "sender": client}, addresses
        self._processes = {}

    def start(self, within=5):
        """Returns once echoes of all kinds come in."""
        for role, station in self._stations.items():
            process = station.spawn(
                [sys.executable, "-m", f"lab.flow_{role}", *self._addresses], log="flows.log",
                env=dict(os.environ, PYTHONPATH=os.path.join(os.path.dirname(__file__), "..")),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._processes[role] = process
            assert self._line(role, within) == "ready\n", (
                f"no flows within {within} s: {station.log_text('flows.log')[-1000:]}")
        return self

    def _line(self, role, within):
        out = self._processes[role].stdout
        return out.readline() if select.select([out], [], [], within)[0] else None

    def _ask(self, *words):
        self._processes["sender"].stdin.write(" ".join(map(str, words)) + "\n")
        self._processes["sender"].stdin.flush()
        answer = self._line("sender", 20)
        assert answer, f"the flows' client ended: {self._stations['sender'].log_text('flows.log')}"
        return json.loads(answer)

    def speak(self):
        """Says something on the idle connections, and on new ones. Address to {"idle", "new"}: the
        answer's delay in ms, None: there was no answer within a second, or a second after a new
        connection was accepted."""
        return self._ask("speak")

    def stalls(self, since_ns):
        """Since then (CLOCK_REALTIME). Address to {"tcp", "udp"} to {"stall": the largest gap
        between echoes, "quiet": since the last one}, ms less the period; and "late": the client's
        own largest delay in sending, the figures' noise."""
        return self._ask("stalls", since_ns)

    def finish(self, within=5):
        """Ends it. Address to {"whole": all that was sent came back as it was, within that many
        seconds, "bytes", "errors"}."""
        seen = self._ask("finish", within)
        self.close()
        return seen

    def close(self):
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
