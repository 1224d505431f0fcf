"""The cables: long-lived namespaces, re-programmed for each VPC. Nothing here knows the audit.

a0..a9 (one an interface or NAT gateway) --- vpc (implicit router; a subnet is a bridge in it)
vpc --- edge (internet gateway) --- net (the internet) --- out6 (egress-only gateway) --- vpc
vpc --- transit, vpn, peer (what is behind those gates; each answers for every address of the pool)
"""

import ctypes
import os
import socket
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

ACTORS = 10
SUBNETS = 6
# far end -> the router's device, and the link's number
GATES = {"edge": ("igw", 0), "out6": ("eigw", 1), "transit": ("tgw", 2), "vpn": ("vgw", 3), "peer": ("pcx", 4)}
NAMES = ("vpc", "edge", "out6", "net", "transit", "vpn", "peer", *(f"a{i}" for i in range(ACTORS)))
# Public addresses of the internet's servers, and of NAT gateways; private ones behind the other gates.
INTERNET = ("93.184.216.34", "52.94.1.10", "3.5.0.9", "198.41.0.4", "2606:2800:220:1::10", "2a00:1450:4001::5")
ELSEWHERE = ("172.16.5.5", "10.99.0.5", "192.168.7.7", "fd55::5", "fd99::5")
ELASTIC = "203.0.113."
_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/default/accept_redirects": "0",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/accept_redirects": "0",
    "net/ipv4/tcp_synack_retries": "0",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/ip_nonlocal_bind": "1",
    "net/ipv6/ip_nonlocal_bind": "1",
    # A source that talks first to a neighbour must not wait a second for a lost ARP.
    "net/ipv4/neigh/default/retrans_time_ms": "10",
    "net/ipv6/neigh/default/retrans_time_ms": "10",
}


def near(number: int) -> tuple[str, str]:
    """Addresses of the router's end of a gate's link."""
    return f"198.18.{number}.1", f"fd00:18:{number}::1"


def far(number: int) -> tuple[str, str]:
    return f"198.18.{number}.2", f"fd00:18:{number}::2"


class Namespace:
    """One network namespace: `ip` batches, nftables, sockets; a socket stays where it was made."""

    def __init__(self, name: str) -> None:
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        with self.inside():
            for key, value in _SYSCTLS.items():
                path = Path("/proc/sys") / key
                if path.exists():
                    path.write_text(value)
            self._nft = _Nft()
            self._conntrack = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
        self.ip(["link set lo up"])

    @contextmanager
    def inside(self):
        """The calling thread stands in this namespace (os.setns costs microseconds)."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            os.setns(self._fd, os.CLONE_NEWNET)
            yield
        finally:
            os.setns(home, os.CLONE_NEWNET)
            os.close(home)

    def enter(self) -> None:
        """Move the calling thread here for good."""
        os.setns(self._fd, os.CLONE_NEWNET)

    def ip(self, lines: list[str], *, force: bool = False) -> None:
        """force: go on behind a line that fails (what is flushed may not be there)."""
        command = ["ip", "-n", self.name, *(["-force"] if force else []), "-batch", "-"]
        done = subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=False, capture_output=True)
        assert force or done.returncode == 0, (self.name, done.stderr, lines)

    def rules(self, text: str) -> None:
        """These nftables rules and no others; no connection is remembered."""
        self._nft.run("flush ruleset\n" + text)
        # nfnetlink: IPCTNL_MSG_CT_DELETE of everything, for both families
        message = struct.pack("=IHHII", 20, (1 << 8) | 2, 0x5, 1, 0) + struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
        self._conntrack.send(message)
        self._conntrack.recv(4096)

    def socket(self, family: int, kind: int) -> socket.socket:
        with self.inside():
            return socket.socket(family, kind)

    def close(self) -> None:
        self._conntrack.close()
        os.close(self._fd)
        subprocess.run(["ip", "netns", "delete", self.name], check=False)


class _Nft:
    """libnftables, whose context speaks to the namespace that it was made in. 0.6 ms a call; nft -f takes 18."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL("libnftables.so.1")
        self._lib.nft_ctx_new.restype = ctypes.c_void_p
        self._lib.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        for name in ("nft_ctx_buffer_error", "nft_ctx_buffer_output", "nft_ctx_get_error_buffer", "nft_ctx_free"):
            getattr(self._lib, name).argtypes = [ctypes.c_void_p]
        self._lib.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._ctx = self._lib.nft_ctx_new(0)
        self._lib.nft_ctx_buffer_error(self._ctx)
        self._lib.nft_ctx_buffer_output(self._ctx)

    def run(self, text: str) -> None:
        if self._lib.nft_run_cmd_from_buffer(self._ctx, text.encode()):
            raise AssertionError(self._lib.nft_ctx_get_error_buffer(self._ctx).decode() + text)


@contextmanager
def wires():
    """All namespaces and cables; they are taken down at the end."""
    made: dict[str, Namespace] = {}
    try:
        for name in NAMES:
            made[name] = Namespace(name)
        _connect(made)
        yield made
    finally:
        for one in made.values():
            one.close()


def _connect(made: dict[str, Namespace]) -> None:
    router = [f"link add s{k} type bridge mcast_snooping 0" for k in range(SUBNETS)]
    for k in range(SUBNETS):
        router += [f"link set s{k} up", f"rule add iif s{k} lookup {100 + k}", f"-6 rule add iif s{k} lookup {100 + k}"]
    for i in range(ACTORS):
        router += [f"link add v{i} type veth peer name eth0 netns a{i}", f"link set v{i} up"]
    for place, (device, number) in GATES.items():
        four, six = near(number)
        router += [
            f"link add {device} type veth peer name vpc0 netns {place}",
            f"link set {device} up",
            f"address add {four}/24 dev {device}",
            f"address add {six}/64 dev {device} nodad",
            f"rule add iif {device} lookup {200 + number}",
            f"-6 rule add iif {device} lookup {200 + number}",
        ]
    made["vpc"].ip([line.removeprefix("-6 ") for line in router if not line.startswith("-6 ")])
    _six(made["vpc"], [line.removeprefix("-6 ") for line in router if line.startswith("-6 ")])
    with made["vpc"].inside():
        for name in ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables"):
            path = Path("/proc/sys/net/bridge") / name
            if path.exists():
                path.write_text("0")
    for i in range(ACTORS):
        made[f"a{i}"].ip(["link set eth0 up"])
    for place, (_, number) in GATES.items():
        four, six = far(number)
        lines = ["link set vpc0 up", f"address add {four}/24 dev vpc0", f"address add {six}/64 dev vpc0 nodad"]
        if place in ("edge", "out6"):
            lines += [f"link add net0 type veth peer name {place} netns net", "link set net0 up"]
            lines += [
                f"address add 198.18.{number + 9}.2/24 dev net0",
                f"address add fd00:18:{number + 9}::2/64 dev net0 nodad",
            ]
            lines += [f"route add default via 198.18.{number + 9}.1", f"route add ::/0 via fd00:18:{number + 9}::1"]
        else:
            lines += [f"address add {one} dev lo" for one in (*INTERNET, *ELSEWHERE)]
            lines += ["route add blackhole default"]
        made[place].ip(lines)
    lines = [f"address add {one} dev lo" for one in INTERNET]
    for place in ("edge", "out6"):
        number = GATES[place][1] + 9
        lines += [f"link set {place} up", f"address add 198.18.{number}.1/24 dev {place}"]
        lines += [f"address add fd00:18:{number}::1/64 dev {place} nodad"]
    lines += [f"route add {ELASTIC}0/24 via 198.18.9.2"]
    made["net"].ip(lines)


def _six(namespace: Namespace, lines: list[str]) -> None:
    command = ["ip", "-6", "-n", namespace.name, "-batch", "-"]
    subprocess.run(command, input="\n".join(lines) + "\n", text=True, check=True, capture_output=True)
