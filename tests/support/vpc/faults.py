"""Faults that people make in a healthy VPC (healthy.py): each closes some path that was open."""

import random
from collections.abc import Callable

from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import (
    Acl,
    AclEntry,
    Encryption,
    Exclusion,
    Nat,
    Permission,
    PublicAccess,
    Route,
    RouteTable,
    VpcSnapshot,
)
from tests.support.vpc.healthy import EKS, in_order, stars

_ANY = ("0.0.0.0/0", "::/0")
type Fault = Callable[[VpcSnapshot, random.Random], VpcSnapshot]


def _swap(items, name, **changed):
    return tuple(replace(one, **changed) if one.id == name else one for one in items)


def _group(name: str, field: str, rules: Callable[[VpcSnapshot, random.Random], tuple[Permission, ...]]) -> Fault:
    def fault(snapshot, rng):
        return replace(snapshot, groups=_swap(snapshot.groups, name, **{field: rules(snapshot, rng)}))

    return fault


def _deny(subnets: str, make: Callable[[VpcSnapshot, random.Random], list[AclEntry]]) -> Fault:
    """Entries before those that allow, in the ACL of one subnet whose name has this part: the ACL becomes its own."""

    def fault(snapshot, rng):
        name = rng.choice([one.id for one in snapshot.subnets if subnets in one.id])
        acl = next(one for one in snapshot.acls if name in one.subnets)
        added = make(snapshot, rng)
        taken = {(one.egress, one.number) for one in added}
        kept = [one for one in acl.entries if (one.egress, one.number) not in taken]
        if len(acl.subnets) == 1:
            return replace(snapshot, acls=_swap(snapshot.acls, acl.id, entries=in_order([*kept, *added])))
        own = Acl(f"acl-of-{name}", (name,), in_order([*kept, *added]))
        rest = tuple(one for one in acl.subnets if one != name)
        return replace(snapshot, acls=(*_swap(snapshot.acls, acl.id, subnets=rest), own))

    return fault


def _low(rng) -> int:
    return rng.choice((1, 2, 5, 50, 99))


def _entry(egress: bool, ports: tuple[int, int] | None, cidr: str = "0.0.0.0/0") -> Callable:
    return lambda snapshot, rng: [AclEntry(_low(rng), egress, False, 6 if ports else -1, cidr, ports)]


def _empty_acl(snapshot, rng):
    """A new network ACL denies everything until rules are added (user guide, create-network-acl)."""
    name = rng.choice(["subnet-cp-a", "subnet-cp-b", "subnet-pods-a", snapshot.subnets[-1].id])
    six = any(":" in text for text in snapshot.vpc.blocks)
    left = tuple(replace(one, subnets=tuple(s for s in one.subnets if s != name)) for one in snapshot.acls)
    return replace(snapshot, acls=(*left, Acl(f"acl-new-{name}", (name,), in_order(stars(six)))))


def _default_table(snapshot, rng) -> RouteTable:
    tables = [t for t in snapshot.route_tables if "subnet-cp-a" in t.subnets or "subnet-cp-b" in t.subnets]
    return rng.choice(tables) if tables else snapshot.route_tables[0]


def _route(change: Callable[[VpcSnapshot, random.Random], Route | str], table: str = "") -> Fault:
    """A route of the control plane's table (or of `table`): replaced, added, or, by its destination, deleted."""

    def fault(snapshot, rng):
        at = next(t for t in snapshot.route_tables if t.id == table) if table else _default_table(snapshot, rng)
        changed = change(snapshot, rng)
        destination = changed if isinstance(changed, str) else changed.destination
        routes = [route for route in at.routes if route.destination != destination]
        routes += [] if isinstance(changed, str) else [changed]
        return replace(snapshot, route_tables=_swap(snapshot.route_tables, at.id, routes=tuple(routes)))

    return fault


def _of_a_nat(change: Callable[[VpcSnapshot, Nat, random.Random], VpcSnapshot]) -> Fault:
    """Of one of the NAT gateways; none is left where an earlier fault deleted the only one."""
    return lambda snapshot, rng: change(snapshot, rng.choice(snapshot.nats), rng) if snapshot.nats else snapshot


def _nat(**changed) -> Fault:
    return _of_a_nat(lambda snapshot, nat, _: replace(snapshot, nats=_swap(snapshot.nats, nat.id, **changed)))


@_of_a_nat
def _private_nat(snapshot, nat, _):
    if nat.regional:
        return snapshot
    return replace(snapshot, nats=_swap(snapshot.nats, nat.id, public=False, elastic=()))


@_of_a_nat
def _deleted_nat(snapshot, nat, _):
    """Its routes stay as blackholes."""
    tables = tuple(
        replace(t, routes=tuple(replace(r, active=False) if r.to == nat.id else r for r in t.routes))
        for t in snapshot.route_tables
        if t.id != nat.route_table
    )
    interfaces = tuple(i for i in snapshot.interfaces if i.id != f"eni-{nat.id}")
    return replace(
        snapshot,
        nats=tuple(one for one in snapshot.nats if one.id != nat.id),
        route_tables=tables,
        interfaces=interfaces,
    )


@_of_a_nat
def _nat_in_private_subnet(snapshot, nat, _):
    if nat.regional:
        return snapshot
    subnet = next(one for one in snapshot.subnets if one.id == "subnet-pods-a")
    host = subnet.blocks[0].replace(".0/24", f".{220 + int(nat.id[-1])}")
    return replace(
        snapshot,
        nats=_swap(snapshot.nats, nat.id, subnet=subnet.id, addresses=(host,)),
        interfaces=_swap(snapshot.interfaces, f"eni-{nat.id}", subnet=subnet.id, addresses=(host,)),
    )


def _association(to: str) -> Fault:
    """A subnet of the control plane gets another route table; without one the main table."""

    def fault(snapshot, rng):
        name = rng.choice(("subnet-cp-a", "subnet-cp-b"))

        def subnets(table):
            kept = tuple(one for one in table.subnets if one != name)
            return (*kept, name) if table.id == to else kept

        return replace(snapshot, route_tables=tuple(replace(t, subnets=subnets(t)) for t in snapshot.route_tables))

    return fault


def _detached(kind: str) -> Fault:
    def fault(snapshot, rng):
        gone = [one.id for one in snapshot.gateways if one.kind == kind]
        tables = tuple(
            replace(t, routes=tuple(replace(r, active=False) if r.to in gone else r for r in t.routes))
            for t in snapshot.route_tables
        )
        left = tuple(one for one in snapshot.gateways if one.kind != kind)
        return replace(snapshot, gateways=left, route_tables=tables)

    return fault


def _appliance(snapshot, rng):
    """A route to an instance whose source/destination check is on: the node."""
    return _route(lambda *_: Route("93.184.0.0/16", "interface", "eni-node"))(snapshot, rng)


def _other_groups(snapshot, rng):
    """The pods' interfaces get the nodes' group instead."""
    pods = [one.id for one in snapshot.interfaces if "sg-pods" in one.groups]
    return replace(snapshot, interfaces=_swap(snapshot.interfaces, rng.choice(pods), groups=("sg-nodes",)))


def _full_group(snapshot, rng):
    """60 rules of other networks, the quota, and none that allows the call; the cluster has another group."""
    rules = tuple(Permission(6, (443, 443), (f"198.51.100.{n}/32",)) for n in range(60))
    cluster = replace(snapshot.cluster, groups=("sg-cluster", "sg-extra"))
    both = tuple(replace(one, groups=cluster.groups) if one.description == EKS else one for one in snapshot.interfaces)
    snapshot = replace(snapshot, cluster=cluster, interfaces=both)
    return replace(snapshot, groups=_swap(snapshot.groups, "sg-cluster", egress=rules))


def _allow_deleted(snapshot, rng):
    """One allowing rule of one ACL."""
    allowing = [(acl, entry) for acl in snapshot.acls for entry in acl.entries if entry.allow and acl.subnets]
    acl, entry = rng.choice(allowing)
    left = tuple(one for one in acl.entries if one is not entry)
    return replace(snapshot, acls=_swap(snapshot.acls, acl.id, entries=left))


def _another_acl(snapshot, rng):
    """A subnet of the control plane gets an ACL that was made for web servers."""
    name = rng.choice(("subnet-cp-a", "subnet-cp-b"))
    left = tuple(replace(one, subnets=tuple(s for s in one.subnets if s != name)) for one in snapshot.acls)
    web = [
        AclEntry(100, False, True, 6, "0.0.0.0/0", (80, 80)),
        AclEntry(110, False, True, 6, "0.0.0.0/0", (443, 443)),
        AclEntry(120, False, True, 6, "0.0.0.0/0", (32768, 65535)),
        AclEntry(100, True, True, 6, "0.0.0.0/0", (80, 80)),
        AclEntry(110, True, True, 6, "0.0.0.0/0", (443, 443)),
        AclEntry(120, True, True, 6, "0.0.0.0/0", (32768, 65535)),
    ]
    six = any(":" in text for text in snapshot.vpc.blocks)
    return replace(snapshot, acls=(*left, Acl(f"acl-web-{name}", (name,), in_order([*web, *stars(six)]))))


@_of_a_nat
def _by_the_nat(snapshot, nat, rng):
    """A route more specific than the local one: the pods see the NAT gateway's address (user guide, "middlebox")."""
    pods = next(one.blocks[0] for one in snapshot.subnets if one.id == "subnet-pods-a")
    if nat.regional:
        return snapshot
    return _route(lambda *_: Route(pods, "nat", nat.id))(snapshot, rng)


def _wrong_exclusion(snapshot, rng):
    name = rng.choice([one.id for one in snapshot.subnets if "pods" in one.id])
    return replace(snapshot, public_access=PublicAccess("block-bidirectional", (Exclusion(name, "allow-egress"),)))


def _one_block(snapshot, rng):
    name = rng.choice(("subnet-cp-a", "subnet-cp-b"))
    cidr = next(one.blocks[0] for one in snapshot.subnets if one.id == name)
    return (Permission(6, (9443, 9443), (cidr,)),)


FAULTS: dict[str, Fault] = {
    "no egress rule for 443": _group(
        "sg-cluster", "egress", lambda s, r: (Permission(6, (r.choice((80, 9443)),) * 2, _ANY),)
    ),
    "no egress rule for the pods' port": _group(
        "sg-cluster", "egress", lambda s, r: (Permission(6, (443, 443), _ANY),)
    ),
    "no egress rule at all": _group("sg-cluster", "egress", lambda s, r: ()),
    "egress to IPv4 only": _group("sg-cluster", "egress", lambda s, r: (Permission(-1, blocks=_ANY[:1]),)),
    "egress to the VPC only": _group("sg-cluster", "egress", lambda s, r: (Permission(-1, blocks=s.vpc.blocks),)),
    "egress by a prefix list": _group(
        "sg-cluster", "egress", lambda s, r: (Permission(6, (443, 443), prefix_lists=("pl-partners",)),)
    ),
    "egress to a group that the pods do not have": _group(
        "sg-cluster",
        "egress",
        lambda s, r: (Permission(6, (443, 443), _ANY), Permission(6, (9443, 9443), groups=("sg-nodes",))),
    ),
    "the pods' group allows 443": _group(
        "sg-pods", "ingress", lambda s, r: (Permission(6, (443, 443), groups=("sg-cluster",)),)
    ),
    "the pods' group allows the nodes": _group(
        "sg-pods", "ingress", lambda s, r: (Permission(-1, groups=("sg-nodes",)),)
    ),
    "the pods' group allows one subnet": _group("sg-pods", "ingress", _one_block),
    "the pods' group allows nothing": _group("sg-pods", "ingress", lambda s, r: ()),
    "the control plane's ACL denies 443": _deny("cp", _entry(True, (443, 443))),
    "the control plane's ACL denies all ports to the internet": _deny("cp", _entry(True, None, "0.0.0.0/0")),
    "the control plane's ACL denies one network": _deny("cp", _entry(True, (443, 443), "93.184.0.0/16")),
    "the control plane's ACL denies answers": _deny("cp", _entry(False, (1024, 65535))),
    "the control plane's ACL allows Linux's ports only": _deny("cp", _entry(False, (1024, 32767))),
    "the control plane's ACL denies high ports": _deny("cp", _entry(False, (50000, 65535))),
    "the control plane's ACL denies IPv6": _deny("cp", _entry(True, None, "::/0")),
    "the control plane's ACL denies IPv6 answers": _deny("cp", _entry(False, (1024, 65535), "::/0")),
    "the pods' ACL denies the port": _deny("pods", _entry(False, (9443, 9443))),
    "the pods' ACL denies answers": _deny("pods", _entry(True, (1024, 65535))),
    "the NAT gateway's ACL denies 443 in": _deny("public", _entry(False, (443, 443))),
    "the NAT gateway's ACL denies 443 out": _deny("public", _entry(True, (443, 443))),
    "the NAT gateway's ACL denies answers": _deny("public", _entry(False, (1024, 65535))),
    "the NAT gateway's ACL denies answers to the VPC": _deny("public", _entry(True, (1024, 65535))),
    "a new ACL without rules": _empty_acl,
    "no default route": _route(lambda *_: "0.0.0.0/0"),
    "no IPv6 route": _route(lambda *_: "::/0"),
    "a default route to a NAT gateway that is gone": _route(
        lambda *_: Route("0.0.0.0/0", "nat", "nat-old", active=False)
    ),
    "a longer prefix to a NAT gateway that is gone": _route(
        lambda *_: Route("93.184.0.0/16", "nat", "nat-old", active=False)
    ),
    "a longer prefix to a peer": _route(lambda *_: Route("93.0.0.0/8", "peering", "pcx-1")),
    "an IPv6 route to a gateway that is gone": _route(
        lambda *_: Route("::/0", "egress-only", "eigw-old", active=False)
    ),
    "an IPv6 route to a NAT gateway": _route(lambda *_: Route("::/0", "nat", "nat-1")),
    "a default route to the internet gateway": _route(lambda *_: Route("0.0.0.0/0", "internet", "igw-1")),
    "a longer prefix to the internet gateway": _route(lambda *_: Route("93.184.0.0/16", "internet", "igw-1")),
    "the pods' interface has another group": _other_groups,
    "the group is full": _full_group,
    "an allowing rule of an ACL is gone": _allow_deleted,
    "an ACL for web servers": _another_acl,
    "pods behind a NAT gateway": _by_the_nat,
    "public access blocked but for another subnet": _wrong_exclusion,
    "the NAT gateway is being created": _nat(state="pending"),
    "the public table has no default route": _route(lambda *_: "0.0.0.0/0", "rtb-public"),
    "the public table sends a network to a peer": _route(
        lambda *_: Route("52.94.0.0/16", "peering", "pcx-1"), "rtb-public"
    ),
    "the NAT gateway failed": _nat(state="failed"),
    "the NAT gateway was deleted": _deleted_nat,
    "the NAT gateway is private": _private_nat,
    "the NAT gateway is in a private subnet": _nat_in_private_subnet,
    "no route table of its own": _association("rtb-main"),
    "the public route table": _association("rtb-public"),
    "no internet gateway": _detached("internet"),
    "no egress-only gateway": _detached("egress-only"),
    "public access blocked": lambda s, r: replace(s, public_access=PublicAccess("block-bidirectional")),
    "encryption enforced": lambda s, r: replace(
        s, encryption=(Encryption("vpcec-1", "enforce", r.choice(((), ("InternetGateway",)))),)
    ),
}
# What no command may undo: packets would pass uninspected.
BEYOND: dict[str, Fault] = {"a longer prefix to an instance": _appliance}
