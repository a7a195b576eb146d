"""Stands in for koi-agent's hooks: follows one group's role on the control socket."""

import json
import os
import socket
import threading
import time


class Follower:
    """Runs `hook` for each change of the role of the box's first group, changes in their order."""

    def __init__(self, box, hook):
        self._box, self._hook, self._stop = box, hook, threading.Event()
        self.ran = []  # (ns of CLOCK_REALTIME, new role, process)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def close(self):
        self._stop.set()
        self._thread.join()

    def _follow(self):
        role, sock = "INIT", None
        while not self._stop.wait(0.002):
            try:
                if sock is None:
                    sock = socket.socket(socket.AF_UNIX)
                    sock.settimeout(1)
                    sock.connect(self._box.socket)
                    lines = sock.makefile("rw")
                lines.write('{"command":"status"}\n')
                lines.flush()
                now = json.loads(lines.readline())["groups"][0]["slots"][0]["role"]
            except (OSError, ValueError):
                sock, role = None, "INIT"
                continue
            if now != role:
                environment = dict(os.environ, KOI_OLD_ROLE=role, KOI_NEW_ROLE=now,
                                   KOI_SOCKET=self._box.socket, KOI_GROUP="lan")
                self.ran.append((time.time_ns(), now, self._box.spawn(
                    [self._hook], log="hook.log", env=environment)))
                role = now
