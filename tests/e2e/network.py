"""The VPC as network namespaces: one for each subnet; this process's own is the rest: router, cluster, internet, AWS.

subnet N: 10.77.N.0/24, a function in it has 10.77.N.20, the VPC's router 10.77.N.1, the NAT gateway 10.77.N.254, by which
everything outside of 10.77.0.0/16 goes. Addresses of servers lie on this namespace's lo.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VPC, ROUTER_MAC, NO_MAC = "10.77.0.0/16", "02:00:00:00:77:01", "02:00:00:00:77:99"
RESOLVER, LINK_LOCAL_RESOLVER = "10.77.0.2", "169.254.169.253"
API = "10.77.0.5"
INTERNET = "93.184.216.0/24"
NODES, PODS = "10.77.50.0/24", tuple(f"10.77.50.{i}" for i in range(30, 40))
ISSUER, POLICY, SECOND, AUDIT, PROVIDER = (f"93.184.216.{i}" for i in range(10, 15))
HOOKS = tuple(f"93.184.216.{i}" for i in range(20, 24))
_SERVERS = (RESOLVER, LINK_LOCAL_RESOLVER, API, *PODS, ISSUER, POLICY, SECOND, AUDIT, PROVIDER, *HOOKS)
SLOTS = (1, 2, 3)


def namespace(slot: int) -> str:
    return f"subnet-{slot}"


def _ip(lines: list[str], inside: str | None = None) -> None:
    command = ["ip", *(["-n", inside] if inside else []), "-batch", "-"]
    subprocess.run(command, input="\n".join(lines), text=True, check=True, capture_output=True)


@contextmanager
def vpc() -> Iterator[None]:
    """Make it, in the private network of scripts/isolated; it is taken down at the end."""
    _ip([f"address add {address}/32 dev lo" for address in _SERVERS])
    try:
        for slot in SLOTS:
            _subnet(slot)
        with _resolver():
            yield
    finally:
        for slot in SLOTS:
            subprocess.run(["ip", "netns", "delete", namespace(slot)], check=False, capture_output=True)
        for address in _SERVERS:
            subprocess.run(["ip", "address", "del", f"{address}/32", "dev", "lo"], check=False, capture_output=True)


def _subnet(slot: int) -> None:
    name, router = namespace(slot), f"10.77.{slot}.1"
    subprocess.run(["ip", "netns", "add", name], check=True)
    _ip(
        [
            f"link add v{slot} address {ROUTER_MAC} type veth peer name eth0 netns {name}",
            f"address add {router}/24 dev v{slot}",
            f"link set v{slot} up",
        ]
    )
    _ip(
        [
            "link set lo up",
            f"address add 10.77.{slot}.20/24 dev eth0",
            "link set eth0 up",
            f"route add {VPC} via {router}",
            f"route add {LINK_LOCAL_RESOLVER} via {router}",
            f"route add default via 10.77.{slot}.254",
        ],
        name,
    )
    nat(slot, works=True)


def nat(slot: int, *, works: bool) -> None:
    """A subnet's NAT gateway: one that does not exist takes every packet and answers none."""
    mac = ROUTER_MAC if works else NO_MAC
    _ip([f"neigh replace 10.77.{slot}.254 lladdr {mac} dev eth0 nud permanent"], namespace(slot))


def rules(slot: int, table: str) -> None:
    """The rules of nft for what leaves and enters a subnet's function, in the one table `inet vpc`."""
    command = ["ip", "netns", "exec", namespace(slot), "nft", "-f", "-"]
    subprocess.run(command, input=f"table inet vpc\ndelete table inet vpc\n{table}\n", text=True, check=True)


@contextmanager
def _resolver() -> Iterator[None]:
    """The VPC's resolver is everyone's, in this private mount namespace."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"nameserver {RESOLVER}\n")
        file.flush()
        target = str(Path("/etc/resolv.conf").resolve())
        subprocess.run(["mount", "--bind", file.name, target], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", target], check=False)
