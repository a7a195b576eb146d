"""What is measured: frames, how koid is configured for them, what counts, and beside whom."""

import dataclasses
import random
import socket

from bench_lib import frames

FEW, MANY = 512, 2048  # frames, each of another sender; many where the targets are random
PER_GROUP = 1024       # addresses: more koid does not take
MEMBERS = 8
KEY_FILE = "{folder}/key"  # the program's: see contestants.Koid


@dataclasses.dataclass
class Case:
    name: str
    what: str
    frames: list
    groups: list                  # lines of the configuration
    counts: str = "arp"           # which answers are counted; "rx": frames handled, whatever becomes of them
    answered: float = 1.0         # share of the frames that are to be answered
    beside: tuple = ()            # testpmd's forwarding modes, or other cases of koid
    own: str = "10.0.0.1/8"
    vlans: int = 0                # 1, 2, ... so many, each with a network of its own
    workers: int = 1
    least: int | None = None      # for so many addresses the least loop answers, in koid's place


def _text(address):
    return (socket.inet_ntoa(address) if len(address) == 4
            else f'"{socket.inet_ntop(socket.AF_INET6, address)}"')


def _timers(groups, n=0):
    """Of group n of so many: (advskew, lowest-advskew). koid takes an endless queue for a loss of frames
    whenever the machine has had its core for more than 1 ms, some times a second here, and steps down
    (L8): short timers bring it back soon. But what many groups advertise is no part of the figure: 256
    times a second and group, or 8 to 16; and many do not rise in one moment, for each must have
    advertised within 1 ms (L4)."""
    return (0, 0) if groups <= 4 else (16 + n % 16, 16)


def _group(vhid, addresses, timers, vlan=None, balance=None):
    advskew, lowest = timers
    head = f"vhid: {vhid}, advskew: {advskew}" if balance is None else f"balance: {balance}"
    place = f"vlan: {vlan}, " if vlan else ""
    listed = ", ".join(_text(address) for address in addresses)
    return (f"  g{vlan or 0}-{vhid}: {{port: lan, {place}{head}, advbase: 0, "
            f"lowest-advskew: {lowest}, key-file: {KEY_FILE}, addresses: [{listed}]}}")


def _groups_of(addresses):
    parts = [addresses[at:at + PER_GROUP] for at in range(0, len(addresses), PER_GROUP)]
    return [_group(1 + at, part, _timers(len(parts))) for at, part in enumerate(parts)]


def _random(things, count=MANY):
    chosen = random.Random(1)
    return [chosen.choice(things) for _ in range(count)]


def arp(name, addresses, beside=(), count=MANY, **more):
    """Requests for so many addresses at random."""
    shared = [frames.ip4(n) for n in range(addresses)]
    asked = [frames.arp_request(n, target) for n, target in enumerate(_random(shared, count))]
    plural = "es at random" if addresses > 1 else ""
    return Case(name, f"ARP, {addresses:,} address{plural}", asked, _groups_of(shared),
                beside=beside, **more)


def _least(name, addresses, beside, count):
    """What answering costs at least on this machine, so that a goal can be judged by it."""
    case = arp(name, addresses, beside, count, least=addresses)
    return dataclasses.replace(case, what=f"{case.what}, by the least loop")


def _solicitations(name, addresses, beside, count):
    shared = [frames.ip6(n + 1) for n in range(addresses)]
    asked = [frames.solicitation(n, target) for n, target in enumerate(_random(shared, count))]
    plural = "es at random" if addresses > 1 else ""
    return Case(name, f"NS, {addresses:,} address{plural}", asked, _groups_of(shared),
                counts="nd", beside=beside, own='10.0.0.1/8, "2001:db8::1/32"')


def _balanced(name, settings):
    members = ", ".join(f"{{vhid: {n + 1}, advskew: 0}}" for n in range(MEMBERS))
    balance = f"{{mode: arp, {settings}, members: [{members}]}}"
    return Case(f"balanced-{name}", f"ARP, balanced over {MEMBERS}, {name}",
                [frames.arp_request(n, frames.ip4(0)) for n in range(FEW)],
                [_group(1, [frames.ip4(0)], (0, 0), balance=balance)], beside=("icmpecho",))


def _mix(name, what, to):
    """Of 512 frames 461 unrelated datagrams, 41 ARP requests for others, 10 for us."""
    ours, others = 10, 41
    made = [frames.arp_request(n, frames.ip4(0) if n < ours else frames.ip4(60000))
            if n < ours + others else frames.datagram(n, to) for n in range(FEW)]
    random.Random(1).shuffle(made)
    return Case(name, what, made, _groups_of([frames.ip4(0)]), counts="rx",
                answered=ours / FEW, beside=("io",))


def _junk(name, what, make):
    return Case(name, what, [make(n) for n in range(FEW)], _groups_of([frames.ip4(0)]),
                counts="rx", answered=0, beside=("io",))


def in_vlans(name, groups, beside=(), count=MANY):
    """One address in each of so many groups, 255 of them on a VLAN."""
    places = [(1 + g // 255, 1 + g % 255) for g in range(groups)]
    asked = [frames.arp_request(n, frames.in_vlan(vlan, vhid), vlan)
             for n, (vlan, vhid) in enumerate(_random(places, count))]
    return Case(name, f"ARP, {groups:,} group{'s' if groups > 1 else ''} on {places[-1][0]} VLAN",
                asked, [_group(vhid, [frames.in_vlan(vlan, vhid)], _timers(groups, g), vlan)
                        for g, (vlan, vhid) in enumerate(places)],
                beside=beside, vlans=places[-1][0])


def all_cases():
    """Those measured in pairs, by name."""
    listed = [
        arp("arp", 1, ("icmpecho", "io"), FEW),
        arp("arp-4096", 4096, ("icmpecho",)),
        _least("least", 1, ("icmpecho", "io", "arp"), FEW),
        _least("least-4096", 4096, ("icmpecho", "arp-4096"), MANY),
        _balanced("openbsd", "hash: openbsd"),
        _balanced("freebsd", "hash: freebsd"),
        _balanced("siphash-mac", "hash: siphash, by: mac"),
        _balanced("siphash-ip", "hash: siphash, by: ip"),
        in_vlans("vlan", 1, ("icmpecho",), FEW),
        _solicitations("ns", 1, ("arp",), FEW),
        _solicitations("ns-4096", 4096, ("arp-4096",), MANY),
        _mix("mix", "90 % IPv4 between others, 8 % ARP for others, 2 % for us", frames.OTHER_MAC),
        _mix("mix-to-port", "the same, the IPv4 sent to our MAC", frames.PORT_MAC),
        _junk("junk-arp", "malformed ARP", frames.malformed_arp),
        _junk("junk-carp", "forged advertisements", frames.forged_carp),
    ]
    return {case.name: case for case in listed}


def sweeps(cores):
    """(of what, how many, case), and (of what, why it is not measured)."""
    points, skipped = [], []
    for addresses in (1, 16, 256, 1024, 4096, 16384, 65536):
        points.append(("addresses", addresses, arp(f"addresses-{addresses}", addresses)))
    for groups in (1, 16, 255, 1020, 4080):
        points.append(("groups", groups, in_vlans(f"groups-{groups}", groups)))
    for workers in (1, 2, 4, 8):
        if workers < cores:
            points.append(("workers", workers, arp(f"workers-{workers}", 1, count=FEW,
                                                   workers=workers)))
        else:
            skipped.append(("workers", f"{workers} of them need {workers + 1} cores with control's; "
                            f"there are {cores}"))
    return points, skipped
