"""koid, testpmd and the least loop as they run, and what they count."""

import contextlib
import dataclasses
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from bench_lib import frames, testpmd

SETTLE_SECONDS = 30
ENOUGH = 0.98  # of the answers that are expected


@dataclasses.dataclass
class Counts:
    handled: int    # frames received
    answered: int   # of the kind that counts
    cpu: float      # seconds of processor time of all workers


def worker_cpu_seconds(pid):
    """Of all rte-worker threads: other work on the machine does not count."""
    times = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a helper thread that has ended meanwhile
            if (task / "comm").read_text().startswith("rte-worker"):
                times.append(int((task / "schedstat").read_text().split()[0]) * 1e-9)
    if not times:
        raise RuntimeError("no worker thread")
    return sum(times)


def wait_for(what, condition, seconds=SETTLE_SECONDS):
    """Leaves control's core, on which both work, to control most of the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        value = condition()
        if value:
            return value
        time.sleep(max(0.02, 5 * (time.monotonic() - began)))
    raise RuntimeError(f"{what}: not in {seconds} s")


class Contestant:
    """In a folder of its own; counted() is the subclass's: (handled, answered)."""

    process = None

    def sample(self):
        """The time is that of the middle of counting."""
        before = worker_cpu_seconds(self.process.pid)
        handled, answered = self.counted()
        return Counts(handled, answered, (before + worker_cpu_seconds(self.process.pid)) / 2)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


class Koid(Contestant):
    def __init__(self, folder, options, build, case):
        self.case, self.socket = case, str(folder / "koid.sock")
        self.last = Counts(0, 0, 0.0)
        key = folder / "key"
        key.write_text("bench-key-1")
        key.chmod(0o600)
        pcap = folder / "frames.pcap"
        frames.write(pcap, case.frames)
        vlans = ", ".join(f"{v}: {{addresses: [10.{100 + v}.0.1/16]}}"
                          for v in range(1, case.vlans + 1))
        queues = ",".join([f"rx_pcap={pcap}"] * case.workers)
        cores = ", ".join(str(options.core + w) for w in range(case.workers))
        config = folder / "koid.yaml"
        config.write_text(f"""
node: bench
node-id: 1
state-file: {folder}/state
dataplane: {{control-core: 0, worker-cores: [{cores}], idle: poll,
            hugepages: {str(options.hugepages).lower()}}}
ports:
  lan: {{device: "net_pcap0,{queues},infinite_rx=1", addresses: [{case.own}], vlans: {{{vlans}}}}}
groups:
""" + "\n".join(case.groups).replace("{folder}", str(folder))
                          + f"\ncontrol: {{socket: {self.socket}}}\n")
        self.log = folder / "koid.log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([build / "koid", "-c", config], stderr=log)

    def settle(self):
        """Until it answers what it is to answer."""
        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"koid ended: {self.log.read_text()[-600:]}")
            if not pathlib.Path(self.socket).exists():
                return False
            before, self.last = self.last, self.sample()
            handled = self.last.handled - before.handled
            return handled > 0 and (self.last.answered - before.answered
                                    >= ENOUGH * self.case.answered * handled)
        began = time.monotonic()
        try:
            wait_for("koid answering", answers)
        except RuntimeError as problem:
            share = self.last.cpu / self.case.workers / (time.monotonic() - began)
            raise RuntimeError(f"{problem} (its worker had {share:.0%} of its core)") from None

    def counted(self):
        """By the control socket: one line asked, one answered."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as asked:
            asked.settimeout(5)
            try:
                asked.connect(self.socket)
            except OSError:
                return 0, 0
            asked.sendall(b'{"command": "counters", "of": "ports"}\n')
            port = json.loads(asked.makefile().readline())["ports"][0]
        kind = "arp" if self.case.counts == "rx" else self.case.counts
        return port["packets"]["rx"], port["answers"][kind]


class _Asked(Contestant):
    """Asked by a line on its standard input, answers by its figures on its standard output. under:
    a command that runs it."""

    question, figures, ready = "", "", ""

    def __init__(self, folder, under, command):
        self.out = folder / "out"
        self.seen = 0
        with open(self.out, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*under, *command], stdin=subprocess.PIPE, stdout=log,
                                            stderr=log, text=True)

    @staticmethod
    def device(folder, case):
        pcap = folder / "frames.pcap"
        frames.write(pcap, case.frames)
        return f"net_pcap0,rx_pcap={pcap},infinite_rx=1"

    def settle(self):
        wait_for(f"{self.process.args[0]} to begin", lambda: self.ready in self.out.read_text())
        wait_for(f"{self.process.args[0]} forwarding", lambda: self.counted()[0] > 0)

    def counted(self):
        self.process.stdin.write(f"{self.question}\n")
        self.process.stdin.flush()

        def printed():
            found = re.findall(self.figures, self.out.read_text(), re.S)
            return found if len(found) > self.seen else None
        end = time.monotonic() + SETTLE_SECONDS
        while not (found := printed()):
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"no figures: {self.out.read_text()[-600:]}")
            time.sleep(0.002)
        self.seen = len(found)
        return tuple(int(count) for count in found[-1])


class Testpmd(_Asked):
    question, ready = "show port stats 0", "testpmd>"
    figures = r"RX-packets: (\d+).*?TX-packets: (\d+).*?Tx-pps"

    def __init__(self, folder, options, mode, case, under=()):
        super().__init__(folder, under, testpmd.command(
            "koi-bench", options.core, [self.device(folder, case)], "-i", "-a",
            f"--forward-mode={mode}", "--port-topology=loop", "--total-num-mbufs=8192",
            memory=testpmd.memory(options.hugepages)))


class Least(_Asked):
    """tests/bench/least_loop.cpp."""

    figures = r"RX-packets: (\d+) TX-packets: (\d+)"

    def __init__(self, folder, options, build, case, under=()):
        super().__init__(folder, under, [
            build / "tests/bench/bench-least",
            *testpmd.eal("koi-bench", options.core, [self.device(folder, case)],
                         testpmd.memory(options.hugepages)), "--", str(case.least)])


class Alone(_Asked):
    """koi's worker without the rest of koid: tests/bench/worker_loop.cpp."""

    figures = Least.figures

    def __init__(self, folder, options, case, arguments, under=()):
        super().__init__(folder, under, [
            options.build / "tests/bench/bench-worker",
            *testpmd.eal("koi-bench", options.core, [self.device(folder, case)],
                         testpmd.memory(options.hugepages)), "--", *arguments])


def best(counts, counts_handled, expected):
    """Of Counts one after the other: frames per second of the workers' processor time and the share
    answered, in the best time between two. One in which fewer were answered than expected does not
    count: koid had stepped down meanwhile, for the machine took its core away for too long (L8)."""
    rates = []
    for before, after in zip(counts, counts[1:]):
        handled, answered = after.handled - before.handled, after.answered - before.answered
        share = answered / max(1, handled)
        if handled > 0 and after.cpu > before.cpu and share >= ENOUGH * expected:
            rates.append(((handled if counts_handled else answered) / (after.cpu - before.cpu), share))
    if not rates:
        raise RuntimeError("in no sample were the answers given that were expected")
    return max(rates)


def figure(make, counts_handled, expected, options):
    """best() of one run."""
    with tempfile.TemporaryDirectory(prefix="koi-bench-") as folder:
        contestant = make(pathlib.Path(folder))
        try:
            contestant.settle()
            counts = [contestant.sample()]
            for _ in range(options.samples):
                time.sleep(options.seconds / options.samples)
                counts.append(contestant.sample())
            return best(counts, counts_handled, expected)
        finally:
            contestant.stop()
