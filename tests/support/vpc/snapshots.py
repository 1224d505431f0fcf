"""One healthy VPC as a snapshot, and small changes of it. Two control-plane subnets in two zones, a subnet of pods,
a public one with a NAT gateway; a transit gateway and a peer behind routes of their own.
"""

from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import (
    SNAPSHOT_SCHEMA,
    Acl,
    AclEntry,
    Attachment,
    ClusterFacts,
    Gateway,
    Group,
    Interface,
    Nat,
    Peering,
    Permission,
    PublicAccess,
    Route,
    RouteTable,
    Subnet,
    Vpc,
    VpcSnapshot,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp

A, B, PODS, PUBLIC = "subnet-a", "subnet-b", "subnet-pods", "subnet-public"
CLUSTER_SG, POD_SG = "sg-cluster", "sg-pods"
WEB, WEB6, POD, CORP, PEER = "93.184.216.34", "2606:2800:220:1::10", "10.0.3.10", "172.16.5.5", "10.99.0.5"
NAT = "10.0.9.200"
REGION = "eu-west-1"
ANY = ("0.0.0.0/0", "::/0")
ALL = Permission(-1, blocks=ANY)
LOCAL = (Route("10.0.0.0/16", "local", "local"), Route("2001:db9:0:100::/56", "local", "local"))
OUT = (
    Route("0.0.0.0/0", "nat", "nat-1"),
    Route("::/0", "egress-only", "eigw-1"),
    Route("172.16.0.0/12", "transit", "tgw-1"),
    Route("10.99.0.0/16", "peering", "pcx-1"),
)


def six(subnet: int, host: str = "") -> str:
    return f"2001:db9:0:1{subnet:02x}::{host}"


def entries(*rules: AclEntry) -> tuple[AclEntry, ...]:
    """These rules, and the ones that every ACL of ours ends with: all of both families, then `*`."""
    last = [
        AclEntry(number, egress, allow, -1, block)
        for egress in (False, True)
        for number, allow, block in ((400, True, "0.0.0.0/0"), (401, True, "::/0"), (32767, False, "0.0.0.0/0"))
    ]
    return tuple(sorted((*rules, *last), key=lambda one: (one.egress, one.number)))


def clean(**changed) -> VpcSnapshot:
    """The healthy VPC, with these fields instead."""
    blocks = {name: (f"10.0.{i}.0/24", six(i, "/64")) for name, i in ((A, 1), (B, 2), (PODS, 3), (PUBLIC, 9))}
    zones = {A: f"{REGION}a", B: f"{REGION}b", PODS: f"{REGION}a", PUBLIC: f"{REGION}a"}
    eks = "Amazon EKS prod"
    fields = {
        "schema_version": SNAPSHOT_SCHEMA,
        "taken_at": "2026-11-22T03:00:00+00:00",
        "region": REGION,
        "account": "123456789012",
        "cluster": ClusterFacts(
            name="prod",
            ip_family="ipv6",
            mode="CUSTOMER_ROUTED",
            subnets=(A, B),
            groups=(CLUSTER_SG,),
            role="arn:aws:iam::123456789012:role/eks",
            reads_dhcp=True,
        ),
        "vpc": Vpc("vpc-1", "123456789012", ("10.0.0.0/16", "2001:db9:0:100::/56"), "dopt-1", True, True),
        "subnets": tuple(Subnet(name, zones[name], "123456789012", blocks[name], 200) for name in blocks),
        "route_tables": (
            RouteTable("rtb-main", main=True, routes=LOCAL),
            RouteTable("rtb-private", subnets=(A, B, PODS), routes=(*LOCAL, *OUT)),
            RouteTable("rtb-public", subnets=(PUBLIC,), routes=(*LOCAL, Route("0.0.0.0/0", "internet", "igw-1"))),
        ),
        "acls": tuple(Acl(f"acl-{name}", (name,), entries()) for name in blocks),
        "groups": (
            Group(CLUSTER_SG, "cluster", (Permission(-1, groups=(CLUSTER_SG,)),), (ALL,)),
            Group(POD_SG, "pods", (Permission(6, (9443, 9443), groups=(CLUSTER_SG,)),), (ALL,)),
        ),
        "interfaces": (
            Interface("eni-a", A, (CLUSTER_SG,), ("10.0.1.20", six(1, "20")), description=eks),
            Interface("eni-b", B, (CLUSTER_SG,), ("10.0.2.20", six(2, "20")), description=eks),
            Interface("eni-pod", PODS, (POD_SG,), (POD, six(3, "10"))),
            Interface("eni-box", PODS, (POD_SG,), ("10.0.3.53",), description="name server, appliance"),
            Interface("eni-nat", PUBLIC, (), (NAT,), kind="nat_gateway"),
        ),
        "nats": (Nat("nat-1", "available", PUBLIC, addresses=(NAT,), elastic=("203.0.113.1",)),),
        "gateways": (Gateway("igw-1", "internet"), Gateway("eigw-1", "egress-only")),
        "attachments": (Attachment("tgw-attach-1", "tgw-1", subnets=(A, B)),),
        "peerings": (Peering("pcx-1", "active", "vpc-peer", ("10.99.0.0/16",)),),
        "endpoints": (),
        "prefix_lists": (),
        "dhcp": Dhcp("dopt-1", ("AmazonProvidedDNS",)),
        "resolver_rules": (),
        "zones": (),
        "dns_firewall": (),
        "public_access": PublicAccess("off"),
        "encryption": (),
    }
    return VpcSnapshot(**fields | changed)


def swap(listed, name, **changed):
    """The same list with one member changed."""
    assert any(one.id == name for one in listed), name
    return tuple(replace(one, **changed) if one.id == name else one for one in listed)


def acl(snapshot, subnet, *rules):
    """An ACL's own rules before those that open everything."""
    return replace(snapshot, acls=swap(snapshot.acls, f"acl-{subnet}", entries=entries(*rules)))


def routes(snapshot, table, *changed):
    """A table's routes: of the same destination instead, others added; gate `other` without target: taken away."""
    held = next(one for one in snapshot.route_tables if one.id == table)
    found = {route.destination: route for route in held.routes}
    for route in changed:
        found[route.destination] = route
    kept = tuple(route for route in found.values() if route.gate != "other" or route.to)
    return replace(snapshot, route_tables=swap(snapshot.route_tables, table, routes=kept))


def gone(destination):
    return Route(destination, "other")


def group(snapshot, name, **changed):
    return replace(snapshot, groups=swap(snapshot.groups, name, **changed))
