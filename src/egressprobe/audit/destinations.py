"""What is to be reached, and at which addresses: of targets, of name servers, of remote networks."""

from collections.abc import Iterable

from egressprobe.audit.result import Wanted
from egressprobe.audit.vpc.cidr import Address, address, block
from egressprobe.audit.vpc.private_dns import held_privately
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from egressprobe.model.target import Target

# RFC 5737 and RFC 3849: of no network, so a route that takes them is the way to everything.
_INTERNET = {4: "192.0.2.1", 6: "2001:db8::1"}
KUBELET = 10250
AMAZON_DNS = "AmazonProvidedDNS"


def of_targets(targets: Iterable[Target], snapshot: VpcSnapshot) -> list[Wanted]:
    """A name that did not resolve is taken for one of the internet, and said so; one that the VPC answers for itself
    has no addresses: only a lookup inside tells.
    """
    names, families = snapshot.names, families_of(snapshot)
    found = []
    for target in targets:
        if target.refusal is not None:
            continue
        if target.endpoints:
            by_port: dict[int, list[str]] = {}
            for one in target.endpoints:
                addresses = (one.address,) if _literal(one.address) else names.get(one.address, ())
                by_port.setdefault(one.port, []).extend(addresses)
            found += [_wanted(target.name, "", port, held, families) for port, held in by_port.items()]
            continue
        literal = _literal(target.host)
        known = (literal,) if literal else names.get(target.host, ())
        if known or held_privately(snapshot, target.host):
            found.append(_wanted(target.name, target.host, target.port, known, families))
        else:
            found.append(internet(target.name, target.host, target.port, families))
    return found


def _wanted(name: str, host: str, port: int, addresses: Iterable[str], families: frozenset[int]) -> Wanted:
    """Only addresses that the API server can dial: an IPv4 cluster's interfaces have no IPv6."""
    return Wanted(name, host, port, tuple(one for one in dict.fromkeys(addresses) if address(one).version in families))


def internet(name: str, host: str, port: int, families: frozenset[int]) -> Wanted:
    return Wanted(name, host, port, tuple(_INTERNET[one] for one in sorted(families)), assumed=True)


def plain(said: str) -> str:
    """A sentence in which the stand-in for the internet is called what it is."""
    for text in _INTERNET.values():
        said = said.replace(text, "the internet")
    return said


def _literal(host: str) -> str | None:
    try:
        return str(address(host.strip("[]")))
    except ValueError:
        return None


def families_of(snapshot: VpcSnapshot) -> frozenset[int]:
    return frozenset({4, 6} if snapshot.cluster.ip_family == "ipv6" else {4})


def is_amazons(server: str, snapshot: VpcSnapshot) -> bool:
    """AmazonProvidedDNS by any of its names: base+2 of the VPC's first block, and the link-local ones."""
    if server in (AMAZON_DNS, "169.254.169.253", "fd00:ec2::253"):
        return True
    first = next((block(text) for text in snapshot.vpc.blocks if ":" not in text), None)
    return first is not None and server == str(Address(4, first.first + 2))


def custom_servers(dhcp: Dhcp | None, snapshot: VpcSnapshot) -> list[str]:
    """Name servers of the DHCP options that are hosts like any other."""
    return [one for one in (dhcp.servers if dhcp else ()) if not is_amazons(one, snapshot) and _literal(one)]


def remote_networks(snapshot: VpcSnapshot) -> list[Wanted]:
    """The first host of each block of hybrid nodes: their kubelets are called by the API server."""
    found = []
    for text in snapshot.cluster.remote:
        held = block(text)
        host = str(Address(held.version, min(held.first + 1, held.last)))
        found.append(Wanted(f"remote network {text}", host, KUBELET, (host,)))
    return found
