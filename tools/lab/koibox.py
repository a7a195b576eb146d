"""A box that runs koid: its configuration, its life and death, and what koictl says of it."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import time

from . import netns
from .station import IFACE, Station
from .until import TimedOut, until

SHARED, SHARED6 = "192.0.2.1", "2001:db8::1"
KEY = "sesame-opens"


@dataclasses.dataclass
class Group:
    """One group of the configuration; `extra` is added to it verbatim."""

    name: str = "lan-gateway"
    vhid: int = 1
    advbase: int = 1
    advskew: int = 0
    lowest_advskew: int | None = None
    preempt: bool = False
    dialect: str = "koi"
    vlan: int | None = None
    addresses: tuple = (SHARED,)
    key: str = KEY
    extra: dict = dataclasses.field(default_factory=dict)
    port: str = IFACE

    def master_down_ms(self):
        """protocol.md §6."""
        if self.advbase == 0:
            return 3000 * max(self.advskew, 1) / 256
        return 1000 * self.extra.get("dead-ratio", 3) * self.advbase + 1000 * self.advskew / 256


def prefixed(*addresses):
    """The lab's networks are all of one size."""
    return [f"{a}/64" if ":" in a else f"{a}/24" for a in addresses]


def yaml_text(value, indent=""):
    """Block YAML of dicts, flow YAML of lists; strings quoted, numbers and truth values."""
    lines = []
    for key, item in value.items():
        name = json.dumps(key) if isinstance(key, str) and not key[:1].isalpha() else key
        if isinstance(item, dict) and item:
            lines += [f"{indent}{name}:", yaml_text(item, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {json.dumps(item)}")
    return "\n".join(lines)


class KoiBox(Station):
    """Made by Lab.koi(). Not started until start(); the kernel of the namespace stays silent."""

    def __init__(self, lab, name, number, _address, *, own, own6=None, node_id=None, groups=None,
                 vlans=None, ports=None, host=None, **group):
        """ports: further ones, name to (segment, the addresses of the box's own there). host: of
        every port."""
        super().__init__(lab, name, number)
        netns.silence_kernel(self.namespace, IFACE)
        self.ports = ports or {}
        for i, (port, (segment, *_)) in enumerate(self.ports.items(), 1):
            netns.add_cable(lab.switch, segment, self.switch_port(port), self.namespace, port,
                            f"02:6b:6f:69:{i:02x}:{number:02x}")
            netns.silence_kernel(self.namespace, port)
        self.own, self.own6, self.host = own, own6, host
        self.node_id, self.vlans = node_id or number, vlans or {}  # VLAN to one address or several
        self.groups = groups or [Group(**group)]
        self.device = f"net_af_packet0,iface={IFACE}"
        self.socket, self.config = self.path("koid.sock"), self.path("koi.yaml")
        self.process = None
        self.started_at = None
        self.write_config()

    # The configuration.

    def settings(self):
        """The configuration as nested dicts; a test may change the copy and write_config() it."""
        groups = {}
        for g in self.groups:
            text = {"port": g.port, "vhid": g.vhid, "advbase": g.advbase, "advskew": g.advskew,
                    "dialect": g.dialect, "preempt": g.preempt,
                    "key-file": self._write_key(g), "addresses": list(g.addresses)}
            if g.vlan is not None:
                text["vlan"] = g.vlan
            if "balance" in g.extra:  # there each member has its own
                del text["vhid"], text["advskew"]
            if g.lowest_advskew is not None:
                text["lowest-advskew"] = g.lowest_advskew
            groups[g.name] = text | g.extra
        port = {"device": self.device,
                "addresses": prefixed(self.own, *([self.own6] if self.own6 else []))}
        if self.vlans:
            port["vlans"] = {vlan: {"addresses": [a] if isinstance(a, str) else list(a)}
                             for vlan, a in self.vlans.items()}
        ports = {IFACE: port} | {
            name: {"device": f"net_af_packet{i},iface={name}", "addresses": prefixed(*own)}
            for i, (name, (_, *own)) in enumerate(self.ports.items(), 1)}
        if self.host:
            for each in ports.values():
                each["host"] = self.host
        return {
            "node": self.name, "node-id": self.node_id, "state-file": self.path("state"),
            "dataplane": {"control-core": 0, "worker-cores": [1], "idle": "adaptive",
                          "hugepages": False,
                          "stall-after": "1s"},  # these machines pause a thread for 100 ms and more
            "ports": ports, "groups": groups, "control": {"socket": self.socket}}

    def write_config(self, settings=None):
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(yaml_text(settings or self.settings()) + "\n")
        return self.config

    def _write_key(self, group):
        path = self.path(f"{group.name}.key")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="utf-8") as f:
            f.write(group.key + "\n")
        return path

    # Life and death.

    @property
    def program(self):
        return os.path.join(self.lab.build, "koid")

    def launch(self):
        """Starts koid and returns at once."""
        self.started_at = time.monotonic()
        self.process = self.spawn([self.program, "-c", self.config])

    def start(self, within=10):
        """Starts koid and waits until it answers on its control socket. Returns the seconds."""
        self.launch()
        until(lambda: f"{self.name} to answer koictl; its log:\n{self.log_text()[-3000:]}",
              lambda: self._ended() or self.status(), within, every=0.02)
        return time.monotonic() - self.started_at

    def _ended(self):
        if self.process.poll() is None:
            return False
        raise TimedOut(f"{self.name}: koid ended with {self.process.returncode}; its log:\n"
                       f"{self.log_text()[-3000:]}")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL. Returns when, in ns of CLOCK_REALTIME."""
        when = time.time_ns()
        self.process.kill()
        self.process.wait()
        return when

    def stop(self, within=5):
        """SIGTERM and its wait. Returns (exit code, seconds)."""
        began = time.monotonic()
        self.process.terminate()
        code = self.process.wait(within)
        return code, time.monotonic() - began

    def terminate(self):
        """SIGTERM without a wait. Returns when, in ns of CLOCK_REALTIME."""
        when = time.time_ns()
        self.process.terminate()
        return when

    def freeze(self):
        """SIGSTOP: the whole process."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    # What koictl says.

    def ctl(self, *arguments, within=5):
        """(exit code, standard output, standard error) of koictl."""
        done = subprocess.run(
            [os.path.join(self.lab.build, "koictl"), "--socket", self.socket, *arguments],
            capture_output=True, text=True, timeout=within, check=False)
        return done.returncode, done.stdout, done.stderr

    def ctl_ok(self, *arguments):
        code, out, err = self.ctl(*arguments)
        assert code == 0, f"koictl {' '.join(arguments)}: exit {code}: {err}{out}"
        return out

    def _reply(self, command, within=5):
        """What koid says, as koictl --json prints it, or None when there is no daemon. Without
        koictl, which takes some milliseconds: tests ask a hundred times a second."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(within)
            try:
                s.connect(self.socket)
                s.sendall(json.dumps({"command": command}).encode() + b"\n")
                line = b""
                while not line.endswith(b"\n"):
                    part = s.recv(1 << 20)
                    if not part:
                        return None
                    line += part
            except OSError:
                return None
        reply = json.loads(line)
        return reply if reply["ok"] else None

    def status(self):
        return self._reply("status")

    def slot(self, group=None):
        """The first slot of the group (default: the first group), or None."""
        status = self.status()
        if status is None:
            return None
        return next(g for g in status["groups"] if group in (None, g["name"]))["slots"][0]

    def role(self, group=None):
        slot = self.slot(group)
        return slot["role"] if slot else None

    def wait_role(self, role, within, group=None):
        """The slot once it has that role."""
        last = {}

        def there():
            self._ended()
            last["slot"] = self.slot(group)
            return last["slot"] if last["slot"] and last["slot"]["role"] == role else None
        return until(lambda: f"{self.name} {role}; last seen {last.get('slot')}", there, within,
                     every=0.01)

    def counters(self):
        counters = self._reply("counters")
        assert counters, f"{self.name}: no counters"
        return counters

    def notices(self, group=None):
        """Name to count, of the group's first slot (default: the first group's), zeros left out."""
        slot = next(s for s in self.counters()["slots"] if group in (None, s["group"]))
        return {name: n for name, n in slot["notices"].items() if n}

    def drops(self):
        """Reason to count, of the first port, zeros left out."""
        return {r: n for r, n in self.counters()["ports"][0]["drops"].items() if n}

    def demote(self):
        """Returns when, in ns of CLOCK_REALTIME."""
        when = time.time_ns()
        self.ctl_ok("demote")
        return when

    def undemote(self):
        self.ctl_ok("undemote")
