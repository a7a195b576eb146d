"""A switch that snoops: it asks (IGMP, MLD), and delivers a group only to ports that reported it.

MLD is the Linux bridge's own. IPv4 is stricter than it: the bridge floods 224.0.0.0/24, as RFC 4541
§2.1.2 wants it, but switches exist that do not, and on them an advertisement to 224.0.0.18 reaches
only those who asked. nftables plays them: a report (of the version set) opens its port.
"""

import dataclasses

from . import netns

# An IGMPv3 report's first record: type at byte 8, group at byte 12 (RFC 3376 §4.2). Types 2 and 4
# say that the group is wanted from all sources. An IGMPv2 report (0x16) has the group at byte 4.
_STRICT = """
table bridge snooping {
  set members { type ifname; flags dynamic,timeout; }
  chain reports {
    type filter hook prerouting priority 0;
    ip ttl 1 ip protocol igmp %s update @members { iifname timeout %ds }
  }
  chain deliver {
    type filter hook forward priority 0;
    ip daddr 224.0.0.18 oifname != @members counter drop
  }
}
"""
_REPORT = {2: "@th,0,8 0x16 @th,32,32 0xe0000012",
           3: "@th,0,8 0x22 @th,64,8 { 2, 4 } @th,96,32 0xe0000012"}


@dataclasses.dataclass(frozen=True)
class Snooping:
    """Queries come every second, are to be answered within 0.5 s, and are forgotten after 3 s."""

    igmp: int = 3
    mld: int = 2

    QUERY_S, RESPONSE_S, MEMBERSHIP_S = 1.0, 0.5, 3

    def set_up(self, namespace, bridge):
        netns.allow_ipv6(namespace, bridge)  # a query needs a link-local source
        set_bridge = ("ip", "-n", namespace, "link", "set", bridge, "type", "bridge")
        centiseconds = {"query": self.QUERY_S, "startup_query": self.QUERY_S,
                        "membership": self.MEMBERSHIP_S}
        intervals = [text for name, seconds in centiseconds.items()
                     for text in (f"mcast_{name}_interval", str(round(100 * seconds)))]
        netns.run(*set_bridge, "mcast_snooping", "1", "mcast_igmp_version", str(self.igmp),
                  "mcast_mld_version", str(self.mld), "mcast_query_response_interval",
                  str(round(100 * self.RESPONSE_S)), *intervals)
        netns.run(*set_bridge, "mcast_querier", "1")
        netns.run("ip", "netns", "exec", namespace, "nft", "-f", "-",
                  stdin=_STRICT % (_REPORT[self.igmp], self.MEMBERSHIP_S))
