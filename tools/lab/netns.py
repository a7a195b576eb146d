"""Namespaces, veth pairs and the bridge, by iproute2, ethtool and nftables."""

import contextlib
import ctypes
import os
import subprocess

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000

# The kernel of a box must not answer for koid: everything is dropped at the netdev ingress hook,
# which comes after the AF_PACKET taps that net_af_packet reads.
_DROP_ALL = """
table netdev koi_%s {
  chain drop_all { type filter hook ingress device "%s" priority -500; policy drop; }
}
"""


# A kernel reports the groups it is in (MLD) at moments of its own: noise to those who count drops.
_NO_MLD = """
table ip6 lab {
  chain output {
    type filter hook output priority 0;
    icmpv6 type { mld-listener-report, mld-listener-done, mld2-listener-report } drop;
  }
}
"""


class CommandFailed(RuntimeError):
    """A set-up command failed; the message has its line and its standard error."""


def run(*command, stdin=None):
    """Runs one command and returns its standard output. Raises CommandFailed."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def inside(namespace):
    """This thread is in the namespace within the block. Sockets opened there stay there."""
    with open("/proc/thread-self/ns/net", "rb") as home, \
            open(f"/run/netns/{namespace}", "rb") as there:
        _set_namespace(there)
        try:
            yield
        finally:
            _set_namespace(home)


def _set_namespace(handle):
    if _LIBC.setns(handle.fileno(), _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def add_namespace(name):
    run("ip", "netns", "add", name)
    with inside(name):
        for which in ("all", "default"):
            path = f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6"
            if os.path.exists(path):
                with open(path, "w", encoding="ascii") as f:
                    f.write("1")
    run("ip", "-n", name, "link", "set", "lo", "up")


def add_bridge(namespace, name):
    run("ip", "-n", namespace, "link", "add", "name", name, "type", "bridge", "forward_delay", "0",
        "stp_state", "0", "mcast_snooping", "0")
    run("ip", "-n", namespace, "link", "set", "dev", name, "up")


def add_cable(switch, bridge, port, namespace, iface, mac):
    """A veth pair: `port` on the bridge, `iface` with that MAC in the namespace; no offloads."""
    run("ip", "-n", switch, "link", "add", "name", port, "type", "veth",
        "peer", "name", iface, "address", mac, "netns", namespace)
    for where, what in ((switch, port), (namespace, iface)):
        run("ip", "netns", "exec", where, "ethtool", "-K", what,
            "tx", "off", "tso", "off", "gso", "off", "gro", "off")
    run("ip", "-n", switch, "link", "set", "dev", port, "master", bridge, "up")
    run("ip", "-n", namespace, "link", "set", "dev", iface, "up")


def silence_kernel(namespace, iface):
    """The kernel of the namespace never sees what arrives on the interface."""
    run("ip", "netns", "exec", namespace, "nft", "-f", "-", stdin=_DROP_ALL % (iface, iface))


def allow_ipv6(namespace, iface):
    """IPv6 on one interface: a link-local address at once; no detection of duplicates, no search
    for routers, no MLD reports. Everywhere else in the lab IPv6 is off."""
    run("ip", "netns", "exec", namespace, "nft", "-f", "-", stdin=_NO_MLD)
    with inside(namespace):
        for name, value in (("accept_dad", "0"), ("accept_ra", "0"), ("router_solicitations", "0"),
                            ("disable_ipv6", "0")):
            with open(f"/proc/sys/net/ipv6/conf/{iface}/{name}", "w", encoding="ascii") as f:
                f.write(value)


def add_address(namespace, iface, address):
    extra = ["nodad"] if ":" in address else []
    run("ip", "-n", namespace, "addr", "add", address, "dev", iface, *extra)


def set_link(namespace, iface, up):
    run("ip", "-n", namespace, "link", "set", "dev", iface, "up" if up else "down")
