"""What is to be reached, and at which addresses: targets, name servers, remote networks."""

from collections.abc import Iterable

from msgspec.structs import replace

from egressprobe.audit.paths.destination import Destination, NotAudited
from egressprobe.audit.paths.private_dns import answered_privately
from egressprobe.audit.vpc.cidr import Address, address, block
from egressprobe.audit.vpc.firewall.connection import NOT_TLS, WITHOUT_NAME
from egressprobe.audit.vpc.flow import Protocol
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from egressprobe.model.target import Expect, Kind, Target

_DNS = 53
# RFC 5737 and RFC 3849: of no network, so a route that matches them matches all of the internet.
_INTERNET = {4: "192.0.2.1", 6: "2001:db8::1"}
KUBELET = 10250
AMAZON_DNS = "AmazonProvidedDNS"


def calls_of(
    targets: Iterable[Target], snapshot: VpcSnapshot
) -> tuple[list[tuple[Destination, Protocol]], list[NotAudited]]:
    """Everything that the control plane calls: targets (without any, the internet), kubelets of remote networks, and
    the VPC's own name servers by both protocols.
    """
    destinations, not_audited = of_targets(targets, snapshot)
    if not destinations and not not_audited:
        destinations = [internet("internet", "", 443, families_of(snapshot))]
    calls: list[tuple[Destination, Protocol]] = [
        (destination, "tcp") for destination in (*destinations, *remote_networks(snapshot))
    ]
    protocols: tuple[Protocol, ...] = ("udp", "tcp")
    for text in custom_servers(snapshot.dhcp, snapshot):
        calls += [
            (Destination(f"name server {text} ({protocol})", "", _DNS, (text,), server_name=NOT_TLS), protocol)
            for protocol in protocols
        ]
    return calls, not_audited


def of_targets(targets: Iterable[Target], snapshot: VpcSnapshot) -> tuple[list[Destination], list[NotAudited]]:
    """The destinations of each target; and the targets that have none, with the reason.

    A name that did not resolve is assumed to be public, and marked so; one that the VPC answers for itself has no
    addresses: only a lookup inside the VPC shows them.
    """
    destinations: list[Destination] = []
    not_audited: list[NotAudited] = []
    for target in targets:
        if target.refusal is not None:
            not_audited.append(NotAudited(target.name, target.refusal.error))
        elif target.endpoints:
            destinations += [replace(made, impact=target.impact) for made in _by_endpoint(target, snapshot)]
        elif not target.host:
            not_audited.append(NotAudited(target.name, "it has neither a host nor an address"))
        else:
            made = _by_host(target, target.host, target.port, snapshot)
            destinations.append(replace(made, impact=target.impact))
    return destinations, not_audited


def _by_endpoint(target: Target, snapshot: VpcSnapshot) -> list[Destination]:
    """One for each port of addresses, and one for each host name (EndpointSlices of addressType FQDN)."""
    by_port: dict[int, list[str]] = {}
    named = []
    for endpoint in target.endpoints:
        literal = _literal(endpoint.address)
        if literal is None:
            named.append(_by_host(target, endpoint.address, endpoint.port, snapshot))
        else:
            by_port.setdefault(endpoint.port, []).append(literal)
    in_cluster = target.service is not None or target.kind is Kind.KUBELET
    return named + [
        Destination(
            target.name,
            "",
            port,
            _dialable(texts, snapshot),
            expect=target.expect,
            in_cluster=in_cluster,
            server_name=server_name_of(target),
        )
        for port, texts in by_port.items()
    ]


def server_name_of(target: Target) -> str:
    """What the call's ClientHello has; vpc/firewall/connection.py has what stands for none."""
    if target.scheme in ("tcp", "http"):
        return NOT_TLS
    return WITHOUT_NAME if target.kind is Kind.KUBELET else server_name_of_host(target.host)


def server_name_of_host(host: str) -> str:
    """Go sends no server name for an address and strips a trailing dot (crypto/tls hostnameInSNI)."""
    return host.removesuffix(".") if host and _literal(host) is None else WITHOUT_NAME


def _by_host(target: Target, host: str, port: int, snapshot: VpcSnapshot) -> Destination:
    literal = _literal(host)
    known = (literal,) if literal else snapshot.names.get(host, ())
    if known or answered_privately(snapshot, host):
        addresses = _dialable(known, snapshot)
        return Destination(target.name, host, port, addresses, expect=target.expect, server_name=server_name_of(target))
    anywhere = internet(target.name, host, port, families_of(snapshot), target.expect)
    return replace(anywhere, server_name=server_name_of(target))


def _dialable(addresses: Iterable[str], snapshot: VpcSnapshot) -> tuple[str, ...]:
    """The addresses that the API server can dial: an IPv4 cluster has no IPv6. All, if it can dial none."""
    unique, families = tuple(dict.fromkeys(addresses)), families_of(snapshot)
    return tuple(text for text in unique if address(text).version in families) or unique


def internet(
    name: str, host: str, port: int, families: frozenset[int], expect: Expect = Expect.REACHABLE
) -> Destination:
    """Any address of the internet, one of each family."""
    addresses = tuple(_INTERNET[family] for family in sorted(families))
    return Destination(name, host, port, addresses, assumed=True, expect=expect)


def plain(message: str) -> str:
    """A sentence in which the address that represents the internet is called what it is."""
    for text in _INTERNET.values():
        message = message.replace(text, "the internet")
    return message


def hosts_of(targets: Iterable[Target]) -> list[str]:
    """Every host name that the targets are reached by."""
    return [
        host
        for target in targets
        for host in ([endpoint.address for endpoint in target.endpoints] or [target.host])
        if host and _literal(host) is None
    ]


def _literal(host: str) -> str | None:
    try:
        return str(address(host.strip("[]")))
    except ValueError:
        return None


def families_of(snapshot: VpcSnapshot) -> frozenset[int]:
    """The IP versions that the control plane's interfaces have."""
    return frozenset({4, 6} if snapshot.cluster.ip_family == "ipv6" else {4})


def is_amazon_dns(server: str, snapshot: VpcSnapshot) -> bool:
    """AmazonProvidedDNS by any of its names: base + 2 of the VPC's first CIDR, and the link-local ones."""
    if server in (AMAZON_DNS, "169.254.169.253", "fd00:ec2::253"):
        return True
    first = next((block(text) for text in snapshot.vpc.blocks if ":" not in text), None)
    return first is not None and server == str(Address(4, first.first + 2))


def custom_servers(dhcp: Dhcp | None, snapshot: VpcSnapshot) -> list[str]:
    """Name servers of the DHCP options that are hosts like any other."""
    servers = dhcp.servers if dhcp else ()
    return [server for server in servers if not is_amazon_dns(server, snapshot) and _literal(server)]


def remote_networks(snapshot: VpcSnapshot) -> list[Destination]:
    """The first host of each CIDR of hybrid nodes: the API server calls their kubelets."""
    destinations = []
    for text in snapshot.cluster.remote:
        cidr = block(text)
        host = str(Address(cidr.version, min(cidr.first + 1, cidr.last)))
        destinations.append(Destination(f"remote network {text}", host, KUBELET, (host,)))
    return destinations
