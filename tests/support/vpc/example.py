"""VPCs written by hand as YAML (tests/data/vpc-examples): the short notation of one, read into a snapshot.

What is left out has AWS's defaults: the network ACL and the groups allow everything, every table has the local routes,
a gateway that a route names is attached, a subnet without table uses the main one.

    subnets: {cp: 10.0.1.0/24 a}                      CIDRs and zone; `dns64`
    tables: {rtb-1: {for: cp, 0.0.0.0/0: nat-1}}      `main` in `for`; ` blackhole` or ` propagated` behind a target;
                                                      a list of targets has a route for each
    acls: {acl-1: {for: cp, in: [100 allow tcp 443 0.0.0.0/0], out: []}}
    groups: {sg-1: {in: [tcp 443 sg-2], out: [all 0.0.0.0/0]}}
    interfaces: {eni-1: {ip: 10.0.2.5, in: db, groups: sg-1}}
    paths: {cp to 10.0.2.5:3306: closed SG_INGRESS_DENIED}   `pod` before an address: of a Service
"""

import re
from ipaddress import ip_network
from typing import Any, NamedTuple

from egressprobe.audit.vpc.snapshot import (
    SNAPSHOT_SCHEMA,
    Acl,
    AclEntry,
    Attachment,
    ClusterFacts,
    Encryption,
    Exclusion,
    Gateway,
    Group,
    Interface,
    Nat,
    Peering,
    Permission,
    PrefixList,
    PublicAccess,
    Route,
    RouteTable,
    Subnet,
    Vpc,
    VpcEndpoint,
    VpcSnapshot,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp, DnsFirewallRule, ResolverRule, Zone
from egressprobe.targets.plan import read_plan
from tests.support.vpc.firewalls import network_firewalls

_PROTOCOLS = {"all": -1, "icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_GATES = {
    "nat": "nat",
    "igw": "internet",
    "eigw": "egress-only",
    "tgw": "transit",
    "pcx": "peering",
    "vgw": "vpn",
    "vpce": "endpoint",
    "eni": "interface",
    "lgw": "other",
    "cagw": "other",
    "local": "local",
}
_KEYS = {
    *("page", "says", "vpc", "subnets", "tables", "acls", "groups", "interfaces", "nats", "absent", "attachments"),
    *("peerings", "endpoints", "lists", "dhcp", "dns", "rules", "zones", "firewall", "bpa", "encryption", "cluster"),
    *("names", "paths", "findings", "owner", "nfw"),
}
_PATH = re.compile(r"(?P<subnet>\S+) to (?P<pod>pod )?(?P<address>\[?[0-9a-f:.]+?\]?|[a-z0-9.-]+):(?P<port>\d+)")


class WantedPath(NamedTuple):
    subnet: str
    pod: bool
    address: str
    port: int
    state: str
    code: str


def wanted_paths(raw: dict[str, Any]) -> list[WantedPath]:
    found = []
    for text, expected in raw.get("paths", {}).items():
        match = _PATH.fullmatch(text)
        assert match, text
        state, _, code = expected.partition(" ")
        address = match["address"].strip("[]")
        found.append(WantedPath(match["subnet"], bool(match["pod"]), address, int(match["port"]), state, code))
    return found


def targets(raw: dict[str, Any]):
    items = []
    for path in wanted_paths(raw):
        host = f"[{path.address}]" if ":" in path.address else path.address
        if path.pod:
            service = {"namespace": "x", "name": "y"}
            items.append({"kind": "webhook", "name": f"pod {host}:{path.port}", "service": service})
            items[-1]["addresses"] = [f"{host}:{path.port}"]
        elif not re.fullmatch(r"[0-9.]+|.*:.*", path.address):
            items.append({"kind": "webhook", "name": f"{host}:{path.port}", "url": f"https://{host}:{path.port}/"})
        else:
            url = f"tcp://{host}:{path.port}"
            items.append({"kind": "endpoint", "name": f"{host}:{path.port}", "url": url})
    unique = {item["name"]: item for item in items}
    return read_plan({"targets": list(unique.values())}).targets if unique else ()


def snapshot(raw: dict[str, Any]) -> VpcSnapshot:
    """Raises AssertionError for a key that is not known."""
    assert raw.keys() <= _KEYS, raw.keys() - _KEYS
    blocks = tuple(raw.get("vpc", "10.0.0.0/16").split())
    subnets = tuple(_subnet(name, text) for name, text in raw["subnets"].items())
    local = tuple(Route(text, "local", "local") for text in blocks)
    tables = _tables(raw.get("tables", {}), local)
    cluster = _cluster(raw)
    interfaces = [*_eks_interfaces(cluster, subnets), *_interfaces(raw.get("interfaces", {}))]
    nats = tuple(_nat(name, text, subnets) for name, text in raw.get("nats", {}).items())
    interfaces += [
        Interface(f"eni-of-{nat.id}", nat.subnet, (), nat.addresses, kind="nat_gateway") for nat in nats if nat.subnet
    ]
    named = {route.to for table in tables for route in table.routes} | {
        gateway for table in tables for gateway in table.gateways
    }
    dns = raw.get("dns", {})
    return VpcSnapshot(
        schema_version=SNAPSHOT_SCHEMA,
        taken_at="2026-11-22T03:00:00+00:00",
        region="eu-west-1",
        account="123456789012",
        cluster=cluster,
        vpc=Vpc(
            "vpc-1",
            raw.get("owner", "123456789012"),
            blocks,
            "dopt-1",
            dns.get("support", True),
            dns.get("hostnames", True),
        ),
        subnets=subnets,
        route_tables=tables,
        acls=_acls(raw.get("acls", {}), subnets),
        groups=_groups(raw.get("groups", {}), interfaces),
        interfaces=tuple(interfaces),
        nats=nats,
        gateways=tuple(
            Gateway(name, {"igw": "internet", "eigw": "egress-only", "vgw": "vpn"}[name.split("-")[0]])
            for name in sorted(named - {*raw.get("absent", ())})
            if name.split("-")[0] in ("igw", "eigw", "vgw")
        ),
        attachments=tuple(
            Attachment(f"tgw-attach-{name}", name, subnets=tuple(text.split()))
            for name, text in raw.get("attachments", {}).items()
        ),
        peerings=tuple(
            Peering(name, text.split()[0], "vpc-peer", tuple(text.split()[1:]))
            for name, text in raw.get("peerings", {}).items()
        ),
        endpoints=(
            *(VpcEndpoint(name, **fields) for name, fields in raw.get("endpoints", {}).items()),
            *(
                VpcEndpoint(name, "GatewayLoadBalancer", subnets=(text.split()[0],))
                for fields in raw.get("nfw", {}).values()
                for name, text in fields["endpoints"].items()
            ),
        ),
        firewalls=network_firewalls(raw["nfw"], "vpc-1") if "nfw" in raw else None,
        prefix_lists=tuple(PrefixList(name, tuple(cidrs)) for name, cidrs in raw.get("lists", {}).items()),
        dhcp=Dhcp("dopt-1", tuple(raw.get("dhcp", ["AmazonProvidedDNS"]))),
        resolver_rules=tuple(
            ResolverRule(f"rslvr-rr-{i}", domain, kind.split()[0], targets=tuple(kind.split()[1:]))
            for i, (domain, kind) in enumerate(raw.get("rules", {}).items())
        ),
        zones=tuple(Zone(f"Z{i}", name) for i, name in enumerate(raw.get("zones", ()))),
        dns_firewall=tuple(
            DnsFirewallRule("rslvr-frg-1", f"rule-{i}", action, i, list=f"rslvr-fdl-{i}", domains=tuple(names))
            for i, (action, names) in enumerate(raw.get("firewall", ()))
        ),
        public_access=_public_access(raw.get("bpa", {"mode": "off"})),
        encryption=_encryption(raw.get("encryption")),
        names={host: tuple(found) for host, found in raw.get("names", {}).items()},
    )


def _words(value: str | list[str] | None) -> tuple[str, ...]:
    return tuple(value.split()) if isinstance(value, str) else tuple(value or ())


def _subnet(name: str, text: str) -> Subnet:
    words = text.split()
    cidrs = tuple(word for word in words if "/" in word)
    zone = next(word for word in words if len(word) == 1)
    return Subnet(name, f"eu-west-1{zone}", "123456789012", cidrs, 200, dns64="dns64" in words)


def _tables(raw: dict[str, Any], local: tuple[Route, ...]) -> tuple[RouteTable, ...]:
    tables = []
    for name, fields in raw.items():
        members = _words(fields.get("for"))
        routes = [
            _route(to, text)
            for to, targets in fields.items()
            if to != "for"
            for text in (targets if isinstance(targets, list) else [targets])
        ]
        replaced = {route.destination for route in routes if not route.propagated}
        kept = [route for route in local if route.destination not in replaced]
        gateways = tuple(member for member in members if member.split("-")[0] in ("igw", "vgw"))
        used_by = tuple(member for member in members if member not in gateways and member != "main")
        tables.append(RouteTable(name, "main" in members, used_by, gateways, (*kept, *routes)))
    if not any(table.main for table in tables):
        tables.append(RouteTable("rtb-main", main=True, routes=local))
    return tuple(tables)


def _route(destination: str, text: str) -> Route:
    target, *marks = text.split()
    gate = _GATES[target.split("-")[0]]
    return Route(destination, gate, target, "blackhole" not in marks, "propagated" in marks)  # type: ignore[arg-type]


def _acls(raw: dict[str, Any], subnets: tuple[Subnet, ...]) -> tuple[Acl, ...]:
    acls = []
    for name, fields in raw.items():
        entries = [_entry(text, egress=False) for text in fields.get("in", ())]
        entries += [_entry(text, egress=True) for text in fields.get("out", ())]
        acls.append(Acl(name, _words(fields["for"]), (*entries, *_STARS)))
    own = {subnet for acl in acls for subnet in acl.subnets}
    default = tuple(
        AclEntry(number, egress, True, -1, cidr)
        for egress in (False, True)
        for number, cidr in ((100, "0.0.0.0/0"), (101, "::/0"))
    )
    rest = tuple(subnet.id for subnet in subnets if subnet.id not in own)
    return (*acls, Acl("acl-default", rest, (*default, *_STARS)))


_STARS = [
    AclEntry(number, egress, False, -1, cidr)
    for egress in (False, True)
    for number, cidr in ((32767, "0.0.0.0/0"), (32768, "::/0"))
]


def _ports(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    return int(low), int(high or low)


def _entry(text: str, *, egress: bool) -> AclEntry:
    number, action, protocol, *ports, cidr = text.split()
    return AclEntry(
        int(number), egress, action == "allow", _PROTOCOLS[protocol], cidr, _ports(ports[0]) if ports else None
    )


def _groups(raw: dict[str, Any], interfaces: list[Interface]) -> tuple[Group, ...]:
    everything = Permission(-1, blocks=("0.0.0.0/0", "::/0"))
    groups = [
        Group(
            name,
            name,
            tuple(map(_permission, fields["in"])) if "in" in fields else (everything,),
            tuple(map(_permission, fields["out"])) if "out" in fields else (everything,),
        )
        for name, fields in raw.items()
    ]
    used = dict.fromkeys(name for interface in interfaces for name in interface.groups)
    groups += [Group(name, name, (everything,), (everything,)) for name in used if name not in raw]
    return tuple(groups)


def _permission(text: str) -> Permission:
    protocol, *ports, peer = text.split()
    kind = {"sg-": "groups", "pl-": "prefix_lists"}.get(peer[:3], "blocks")
    fields: dict[str, Any] = {kind: (peer,)}
    return Permission(_PROTOCOLS[protocol], _ports(ports[0]) if ports else None, **fields)


def _cluster(raw: dict[str, Any]) -> ClusterFacts:
    fields = raw.get("cluster", {})
    return ClusterFacts(
        name="prod",
        ip_family=fields.get("family", "ipv6" if "[" in str(raw.get("paths", "")) else "ipv4"),
        mode="CUSTOMER_ROUTED",
        subnets=_words(fields.get("subnets", "cp")),
        groups=_words(fields.get("groups", "sg-cp")),
        remote=_words(fields.get("remote")),
        remote_pods=_words(fields.get("remote_pods")),
        issuer=fields.get("issuer", ""),
        role="arn:aws:iam::123456789012:role/eks",
        reads_dhcp=fields.get("reads_dhcp", True),
    )


def _host(cidr: str, number: int) -> str:
    return str(ip_network(cidr)[number])


def _eks_interfaces(cluster: ClusterFacts, subnets: tuple[Subnet, ...]) -> list[Interface]:
    return [
        Interface(
            f"eni-eks-{subnet.id}",
            subnet.id,
            cluster.groups,
            tuple(_host(cidr, 20) for cidr in subnet.blocks),
            description="Amazon EKS prod",
        )
        for subnet in subnets
        if subnet.id in cluster.subnets
    ]


def _interfaces(raw: dict[str, Any]) -> list[Interface]:
    return [
        Interface(
            name,
            fields["in"],
            _words(fields.get("groups", "sg-open")),
            _words(fields["ip"]),
            _words(fields.get("prefixes")),
            kind=fields.get("kind", "interface"),
            checked=fields.get("checked", True),
            public={fields["public"]: _words(fields["ip"])[0]} if "public" in fields else {},
            status=fields.get("status", "in-use"),
        )
        for name, fields in raw.items()
    ]


def _nat(name: str, text: str, subnets: tuple[Subnet, ...]) -> Nat:
    """SUBNET, or `regional TABLE`; then `private`, or a state."""
    words = text.split()
    state = next((word for word in words if word in ("pending", "failed", "deleting", "deleted")), "available")
    elastic = () if "private" in words else (f"203.0.113.{100 + int(name[-1])}",)
    if words[0] == "regional":
        return Nat(name, state, regional=True, elastic=elastic, route_table=words[1])
    cidr = next(cidr for subnet in subnets if subnet.id == words[0] for cidr in subnet.blocks if ":" not in cidr)
    return Nat(name, state, words[0], "private" not in words, False, (_host(cidr, 200 + int(name[-1])),), elastic)


def _public_access(raw: dict[str, Any]) -> PublicAccess:
    return PublicAccess(raw["mode"], tuple(Exclusion(of, mode) for of, mode in raw.get("exclusions", {}).items()))


def _encryption(raw: dict[str, Any] | None) -> tuple[Encryption, ...]:
    return (Encryption("vpcec-1", raw["mode"], tuple(raw.get("excluded", ()))),) if raw else ()
