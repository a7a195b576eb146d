"""tools/bench: its arithmetic and goals from given samples, its frames as Scapy reads them, its picture."""

import json
import os
import pathlib
import runpy
import struct
import xml.etree.ElementTree

import pytest
from scapy.all import ARP, Dot1Q, Ether, ICMPv6ND_NS, IP, UDP, rdpcap, raw

from bench_lib import callgrind, cases, frames, plot, report
from bench_lib.contestants import Counts, best, wait_for

HZ = 2.5e9
TOOLS = pathlib.Path(__file__).resolve().parent.parent.parent / "tools"


def _duel(case, beside, *pairs):
    return report.Duel(case, "", beside, [(a * 1e6, b * 1e6) for a, b in pairs], 1.0)


class Options:
    build = pathlib.Path(os.environ.get("KOI_BUILD") or TOOLS.parent / "build")
    core, hugepages = 1, False


def _sweep(**rates):
    return [report.Point("addresses", int(count[1:]), [m * 1e6 for m in runs])
            for count, runs in rates.items()]


def test_ratio_is_of_the_medians_and_pairs_are_kept():
    duel = _duel("arp", "icmpecho", (40, 50), (60, 40), (50, 100))
    assert duel.medians == (50e6, 50e6)
    assert duel.ratio == 1.0
    assert duel.ratios == [0.8, 1.5, 0.5]
    assert duel.of_best == 0.6


def test_best_sample():
    """A time without all answers does not count, though it handled the most."""
    counts = [Counts(0, 0, 1.0), Counts(100, 100, 2.0), Counts(250, 248, 3.0), Counts(1250, 700, 4.0)]
    assert best(counts, False, 1.0) == (148.0, 148 / 150)
    assert best(counts, True, 1.0) == (150.0, 148 / 150)
    assert best(counts, True, 0) == (1000.0, 452 / 1000)
    with pytest.raises(RuntimeError):
        best([counts[0], counts[3]], False, 1.0)


def test_goals():
    """Each as the goals' table has it; one on its limit is reached, one just beyond is not."""
    duels = [_duel("arp", "icmpecho", (110, 100)), _duel("arp", "io", (79.9, 100)),
             _duel("ns", "arp", (60, 100)), _duel("mix", "io", (90, 100))]
    said = {goal.text: goal for goal in report.goals(duels, _sweep(n1=[30, 31, 29], n65536=[20.1]))}
    assert len(said) == 8
    reached = {text: goal.reached for text, goal in said.items() if goal.value is not None}
    assert reached == {"ARP, one address / testpmd icmpecho": True,
                       "ARP, one address / testpmd io, the limit": False,
                       "NS / our ARP": True,
                       "mix, 90 % between others / testpmd io": True,
                       "cycles of an ARP, 65,536 addresses at random / 1 address": True}
    assert str(said["ARP, one address / testpmd io, the limit"]).endswith(
        ">= 0.80: 0.80, NOT REACHED")
    assert str(said["ARP, balanced over 8 by openbsd / testpmd icmpecho"]).endswith(
        ">= 0.95: not measured")
    heavy = report.goals([], _sweep(n1=[30], n65536=[19.9]))[-1]
    assert heavy.at_most and not heavy.reached


def test_every_goal_is_of_a_case_that_is_measured():
    named = cases.all_cases()
    assert all(beside in named[case].beside for _, case, beside, _ in report.GOALS)


def test_tables_in_cycles():
    lines = report.duel_table([_duel("arp", "io", (50, 25))], HZ).splitlines()
    assert lines[1].split()[:8] == ["arp", "50.00", "50.0", "io", "25.00", "100.0", "2.00", "2.00"]
    lines = report.sweep_table(_sweep(n1=[50], n65536=[25]), HZ).splitlines()
    assert lines[2].split() == ["addresses", "65,536", "25.00", "100.0", "2.00"]


def test_figures_and_picture():
    duels = [_duel("arp", "io", (50, 25))]
    points = _sweep(n1=[50], n65536=[25])
    figures = json.loads(json.dumps(report.figures(duels, points, {"clock_hz": HZ})))
    assert figures["cases"][0]["koid"] == {"pps": 50e6, "cycles": 50.0}
    assert [point["count"] for point in figures["sweeps"]] == [1, 65536]
    assert figures["goals"][1]["reached"]
    picture = plot.svg(duels, points, HZ)
    assert xml.etree.ElementTree.fromstring(picture).tag.endswith("svg")
    assert "arp beside io" in picture and "65,536" in picture


def test_picture_of_one_point_and_of_none():
    for points in ([], [report.Point("workers", 1, [5e6])]):
        xml.etree.ElementTree.fromstring(plot.svg([], points, HZ))


def _checksums_right(frame):
    """Scapy computes them anew."""
    anew = Ether(frame)
    for layer in (IP, UDP, ICMPv6ND_NS):
        for field in ("chksum", "cksum"):
            if layer in anew and field in anew[layer].fields and anew[layer].fields[field] != 0:
                delattr(anew[layer], field)
    return raw(anew) == frame


def test_frames():
    request = Ether(frames.arp_request(3, frames.ip4(260), vlan=7))
    assert request[Dot1Q].vlan == 7
    assert (request[ARP].op, request[ARP].pdst, request[ARP].hwsrc) == (1, "10.1.1.4", request.src)
    asks = frames.solicitation(300, frames.ip6(5))
    assert Ether(asks)[ICMPv6ND_NS].tgt == "2001:db8:1::5" and _checksums_right(asks)
    other = frames.datagram(9, frames.OTHER_MAC)
    assert Ether(other)[UDP].dport == 9 and _checksums_right(other)
    forged = Ether(frames.forged_carp(1))
    assert (forged[IP].dst, forged[IP].ttl, forged[IP].proto) == ("224.0.0.18", 255, 112)
    message = raw(forged[IP].payload)
    words = struct.unpack("!18H", message)
    assert len(message) == 36 and sum(words) % 0xFFFF == 0


def test_mix(tmp_path):
    """What is in the file: 90 % IPv4, 8 % ARP for others, 2 % for us."""
    mix = cases.all_cases()["mix"]
    frames.write(tmp_path / "mix.pcap", mix.frames)
    read = rdpcap(str(tmp_path / "mix.pcap"))
    ours = sum(ARP in f and f[ARP].pdst == "10.1.0.0" for f in read)
    others = sum(ARP in f for f in read) - ours
    assert (len(read), ours, others) == (512, 10, 41)
    assert sum(UDP in f for f in read) == 461
    assert mix.answered == pytest.approx(10 / 512)


def test_groups_over_vlans():
    case = cases.in_vlans("full", 4080)
    assert len(case.groups) == 4080 and case.vlans == 16
    assert all(Ether(frame)[Dot1Q].vlan in range(1, 17) for frame in case.frames)


@pytest.fixture(scope="module")
def instructions():
    return runpy.run_path(str(TOOLS / "instructions"))


def test_instructions_gate(instructions):
    """3 % off either way is refused; so is an operation that only one side knows."""
    committed = {"same": 100.0, "more": 100.0, "less": 100.0, "gone": 1.0, "much": 100.0, "few": 100.0}
    counted = {"same": 100.0, "more": 102.9, "less": 97.1, "new": 5.0, "much": 103.1, "few": 96.9}
    lines, wrong = instructions["judge"](counted, committed)
    assert wrong == ["new", "much", "few", "gone"]
    assert lines[2].split() == ["more", "102.9", "100.0", "1.029"]


def test_instructions_file(instructions, tmp_path):
    instructions["write"](tmp_path / "file", {"arp/1": 274.44, "view/plan": 4087898.0})
    assert instructions["read"](tmp_path / "file") == {"arp/1": 274.4, "view/plan": 4087898.0}
    assert instructions["read"](instructions["COMMITTED"])["arp/1"] > 50


@pytest.mark.alone
@pytest.mark.parametrize("case, who, make", callgrind.loops(Options, cases.all_cases()),
                         ids=lambda value: value if isinstance(value, str) else "")
def test_loops_answer_or_send_back_what_they_are_to(tmp_path, case, who, make):
    """What tools/bench --instructions counts answers its share of what it is given, and no more."""
    contestant = make(tmp_path)
    try:
        contestant.settle()
        handled, answered = contestant.counted()
        # So many that 1 % is more than a burst's share of the mix.
        wait_for("more frames", lambda: contestant.counted()[0] > handled + 200_000)
        assert contestant.process.poll() is None
        now = contestant.counted()
        share = make.keywords["case"].answered
        assert now[1] - answered == pytest.approx(share * (now[0] - handled), rel=0.01)
    finally:
        contestant.stop()
