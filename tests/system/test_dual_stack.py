"""Two families in one group: advertisements of both, takeover of both, one that falls silent."""

import time

import pytest
from scapy.all import Ether, IPv6
from scapy.contrib.carp import CARP

from boxes import OWN6, SHARED, SHARED6, VMAC, Pair, need_in_this_version
from frames6 import CS6, SHARED_FLAGS, expected_advertisement
from lab import carp, last_answer, netns, overlap_ms, until, wire6
from lab.koibox import KEY

pytestmark = pytest.mark.alone

MARGIN_MS = 5  # promise 2 of design.md
OVERLAP_ALLOWED_MS = 1.5  # as in boxes.py
BOTH = (SHARED, SHARED6)

# On the way to one port; the other way stays open.
_BLOCK = """
table bridge lab {
  chain deliver {
    type filter hook forward priority 0;
    oifname "%s" %s daddr %s counter drop
  }
}
"""


@pytest.fixture
def pair(lab):
    made = Pair(lab, "brisk", addresses=BOTH)
    need_in_this_version(made.a)
    return made


def _adverts(observer, name, family, since_ns=0):
    return [f for f in observer.frames(name, since_ns)
            if f.carp() is not None and (f.ipv6() is not None) == (family == 6)]


def test_advertisements_on_the_wire(pair):
    """protocol.md §2: ff02::12 from the link-local address, hop limit 255; one HMAC over the
    addresses of both families in the advertisements of both."""
    pair.up()
    frame = until("an advertisement over IPv6", lambda: _adverts(pair.observer, "a", 6), 2)[-1]
    assert len(frame.data) == 14 + 40 + 36
    packet = Ether(frame.data)
    assert (packet.dst, packet.src, packet.type) == ("33:33:00:00:00:12", VMAC, 0x86DD)
    ip = packet[IPv6]
    assert (ip.src, ip.dst) == (wire6.link_local(pair.a.mac), "ff02::12")
    assert (ip.version, ip.hlim, ip.nh, ip.plen, ip.fl) == (6, 255, 112, 36, 0)
    fields = CARP(frame.carp())
    assert (fields.version, fields.type, fields.vhid, fields.advskew) == (2, 1, 1, 20)
    last4 = _adverts(pair.observer, "a", 4)[-1]
    for header in (frame.carp(), last4.carp()):
        counter = int.from_bytes(header[8:16], "big")
        assert header == carp.header(KEY, 1, BOTH, counter, advbase=0, advskew=20)
    # One of each family for each turn, and the counter of one sender never repeats for a family.
    for family in (4, 6):
        counters = [f.carp()[8:16] for f in _adverts(pair.observer, "a", family)]
        assert counters == sorted(set(counters))


def test_takeover_announces_both_families(pair):
    """C10.3, C10.4: after the first advertisement, and again after two more."""
    pair.up()
    killed = pair.a.kill()
    pair.b.wait_role("MASTER", within=2)
    expected = expected_advertisement(VMAC, SHARED6, SHARED_FLAGS, to=wire6.ALL_NODES,
                                      to_mac=wire6.ALL_NODES_MAC, traffic_class=CS6)
    announced = until("two rounds of announcements", lambda: _two(pair.observer.announcements(
        "b", SHARED6, killed)), within=3)
    assert all(f.data == expected for f in announced)
    first = min(f.time_ns for f in _adverts(pair.observer, "b", 6, killed))
    assert announced[0].time_ns >= first
    assert pair.observer.announcements("b", SHARED, killed)


def _two(frames):
    return frames if len(frames) >= 2 else None


def test_kill_the_owner(pair, lab):
    """Both families come back within the heir's master-down time."""
    pair.up()
    for address in BOTH:  # the client's kernel knows the owner
        until("an echo", lambda a=address: lab.client.ping(a), within=3)
    began = time.time_ns()
    with lab.probe(SHARED) as probe4, lab.probe(SHARED6) as probe6:
        time.sleep(0.2)
        pair.a.kill()
        pair.b.wait_role("MASTER", within=2)
        time.sleep(0.2)
        seen = time.time_ns() - 100_000_000
        results = {"arp": (SHARED, probe4.stop()), "nd": (SHARED6, probe6.stop())}
    down = pair.b.groups[0].master_down_ms()
    for kind, (address, result) in results.items():
        answers = pair.observer.answers(address, began)
        assert overlap_ms(answers) <= OVERLAP_ALLOWED_MS and answers[-1].box == "b"
        window = (last_answer(answers, "a") - 2_000_000, seen)
        asked, echo = (result.outage_ms(k, *window) for k in (kind, "echo"))
        late = result.late_ms(*window)
        print(f"{kind} {asked:.1f} ms, echo {echo:.1f} ms, the probe itself {late:.1f} ms late")
        assert max(asked, echo) <= down + MARGIN_MS + late + 20
        assert lab.client.neighbor(address) == VMAC


@pytest.mark.parametrize("family", [4, 6])
def test_one_family_is_blocked(pair, lab, family):
    """design.md: while one family is heard, the other's timer raises family-quiet, no role."""
    pair.up()
    began = time.time_ns()
    group = carp.GROUP if family == 4 else carp.GROUP6
    netns.run("ip", "netns", "exec", lab.switch, "nft", "-f", "-",
              stdin=_BLOCK % ("b", "ip" if family == 4 else "ip6", group))
    until(lambda: f"b to say family-quiet; it says {pair.b.log_text()[-500:]}",
          lambda: "family-quiet" in pair.b.log_text(), within=3)
    end = time.monotonic() + 3 * pair.b.groups[0].master_down_ms() / 1000
    while time.monotonic() < end:
        assert (pair.a.role(), pair.b.role()) == ("MASTER", "BACKUP")
        time.sleep(0.05)
    assert not pair.observer.adverts("b", began)
    # And when the other family falls silent as well, it is a takeover after all.
    pair.a.kill()
    pair.b.wait_role("MASTER", within=2)


@pytest.mark.parametrize("which", ["IPv6 alone", "the peer's signature"])
def test_one_family_alone(lab, which):
    """A group of IPv6 alone: adverts over IPv6 only, obeyed and refused as over IPv4."""
    box = lab.koi("a", own="192.0.2.2", own6=OWN6["a"], node_id=1, addresses=(SHARED6,),
                  advbase=0, advskew=20, lowest_advskew=10)
    need_in_this_version(box)
    tap, observer = box.tap(), lab.observer(box)
    box.start()
    box.wait_role("MASTER", within=5)
    until("an advertisement", lambda: _adverts(observer, "a", 6), within=2)
    if which == "IPv6 alone":
        assert not _adverts(observer, "a", 4)
        return
    source = "fe80::9"
    peer = carp.Speaker(tap, source, key=KEY, addresses=[SHARED6], node_id=9,
                        first_counter=time.time_ns() // 1000)
    refused = {"carp_ttl": {"ttl": 254}, "carp_destination": {"destination": "ff02::13"},
               "carp_length": {"short": True}}
    for reason, change in refused.items():
        header = peer.header(advbase=0, advskew=10)[:35 if change.pop("short", False) else 36]
        before = box.drops().get(reason, 0)
        tap.send(carp.frame(source, header, **change))
        until(reason, lambda r=reason, b=before: box.drops().get(r, 0) == b + 1, within=1)
    tap.send(carp.frame(source, peer.header(advbase=0, advskew=10, good_digest=False)))
    until("carp_digest", lambda: box.drops().get("carp_digest") == 1, within=1)
    assert box.role() == "MASTER"
    peer.say(advbase=0, advskew=10)
    slot = box.wait_role("BACKUP", within=0.5)
    assert slot["master"]["address"] == source
