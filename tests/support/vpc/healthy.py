"""Random healthy VPCs, of many kinds: tables and NAT gateways shared or for each zone, strict and open ACLs, groups.

Everything is drawn from a seed. The VPCs fit the virtual VPC (at most 6 subnets, 10 interfaces and NAT gateways), but
for regional NAT gateways, which it does not have.
"""

import random
from typing import NamedTuple

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
    PrefixList,
    PublicAccess,
    Route,
    RouteTable,
    Subnet,
    Vpc,
    VpcSnapshot,
)
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from tests.support.vpc.virtual.wires import INTERNET

WEB, AWS, _, _, WEB6, _ = INTERNET
_REGION = "eu-west-1"
_ANY = ("0.0.0.0/0", "::/0")
EKS = "Amazon EKS prod"
PORTS = (443, 9443)


class Healthy(NamedTuple):
    """targets: (address, port) that the control plane must reach, and can."""

    snapshot: VpcSnapshot
    targets: tuple[tuple[str, int], ...]


def healthy(rng: random.Random, *, regional: bool = True) -> Healthy:
    """A VPC in which every target is open from both of the cluster's subnets."""
    return _Builder(rng, regional=regional).build()


class _Builder:
    def __init__(self, rng: random.Random, *, regional: bool) -> None:
        self.rng = rng
        self.second = rng.choice((0, 20, 77))
        self.six = rng.random() < 0.75
        self.zones = [f"{_REGION}{letter}" for letter in "ab"]
        self.per_zone = rng.random() < 0.5  # a public subnet, a NAT gateway and a private table in each zone
        self.regional = regional and rng.random() < 0.15
        self.names = ["subnet-cp-a", "subnet-cp-b", "subnet-pods-a"]
        if rng.random() < 0.5:
            self.names.append("subnet-pods-b")
        self.public = ["subnet-public-a", "subnet-public-b"][: 2 if self.per_zone else 1]
        self.names += self.public
        self.blocks = {name: self._blocks(i) for i, name in enumerate(self.names)}

    def _blocks(self, i: int) -> tuple[str, ...]:
        four = f"10.{self.second}.{i}.0/24"
        return (four, f"2001:db9:0:1{i:02x}::/64") if self.six else (four,)

    def _host(self, name: str, host: int) -> tuple[str, ...]:
        i = self.names.index(name)
        four = f"10.{self.second}.{i}.{host}"
        return (four, f"2001:db9:0:1{i:02x}::{host}") if self.six else (four,)

    def build(self) -> Healthy:
        vpc_blocks = (f"10.{self.second}.0.0/16", "2001:db9:0:100::/56")[: 2 if self.six else 1]
        self.local = tuple(Route(text, "local", "local") for text in vpc_blocks)
        pods = [name for name in self.names if name.startswith("subnet-pods")]
        nats, groups = self._nats(), self._groups(vpc_blocks[0])
        snapshot = VpcSnapshot(
            schema_version=SNAPSHOT_SCHEMA,
            taken_at="2026-11-22T03:00:00+00:00",
            region=_REGION,
            account="123456789012",
            cluster=ClusterFacts(
                name="prod",
                ip_family="ipv6" if self.six else "ipv4",
                mode="CUSTOMER_ROUTED",
                subnets=("subnet-cp-a", "subnet-cp-b"),
                groups=("sg-cluster", "sg-extra") if self.rng.random() < 0.3 else ("sg-cluster",),
                role="arn:aws:iam::123456789012:role/eks",
                reads_dhcp=True,
            ),
            vpc=Vpc("vpc-1", "123456789012", vpc_blocks, "dopt-1", True, True),
            subnets=tuple(
                Subnet(name, self._zone(name), "123456789012", self.blocks[name], 200) for name in self.names
            ),
            route_tables=self._tables(pods),
            acls=self._acls(),
            groups=groups,
            interfaces=self._interfaces(pods, nats),
            nats=nats,
            gateways=(Gateway("igw-1", "internet"), *([Gateway("eigw-1", "egress-only")] if self.six else [])),
            attachments=(Attachment("tgw-attach-1", "tgw-1", subnets=("subnet-cp-a", "subnet-cp-b")),),
            peerings=(Peering("pcx-1", "active", "vpc-peer", ("10.99.0.0/16",)),),
            endpoints=(),
            prefix_lists=(PrefixList("pl-partners", ("93.184.0.0/16", "52.94.0.0/22")),),
            dhcp=Dhcp("dopt-1", ("AmazonProvidedDNS",)),
            resolver_rules=(),
            zones=(),
            dns_firewall=(),
            public_access=PublicAccess("off"),
            encryption=(),
        )
        outside = [(WEB, 443), (AWS, 443)] + ([(WEB6, 443)] if self.six else [])
        inside = [(text, 9443) for name in pods for text in self._host(name, 10)[: 2 if self.pods_by_ipv6 else 1]]
        return Healthy(snapshot, (*outside, *inside))

    def _zone(self, name: str) -> str:
        return self.zones["ab".index(name[-1])]

    def _nats(self) -> tuple[Nat, ...]:
        if self.regional:
            return (Nat("nat-1", "available", regional=True, elastic=("203.0.113.1",), route_table="rtb-nat"),)
        return tuple(
            Nat(f"nat-{i}", "available", name, addresses=self._host(name, 200)[:1], elastic=(f"203.0.113.{i}",))
            for i, name in enumerate(self.public, start=1)
        )

    def _tables(self, pods: list[str]) -> tuple[RouteTable, ...]:
        rng = self.rng
        more = [Route("172.16.0.0/12", "transit", "tgw-1")] if rng.random() < 0.5 else []
        more += [Route("10.99.0.0/16", "peering", "pcx-1")] if rng.random() < 0.4 else []
        more += [Route("::/0", "egress-only", "eigw-1")] if self.six else []

        def private(nat: str) -> tuple[Route, ...]:
            return (*self.local, Route("0.0.0.0/0", "nat", nat), *more)

        several = self.per_zone and not self.regional
        mine = {"a": ["subnet-cp-a", *pods[:1]], "b": ["subnet-cp-b", *pods[1:]]}
        if several:
            tables = [
                RouteTable(f"rtb-private-{zone}", subnets=tuple(mine[zone]), routes=private(f"nat-{i}"))
                for i, zone in enumerate("ab", start=1)
            ]
        elif rng.random() < 0.4:  # the control plane has a table of its own
            own = ("subnet-cp-a", "subnet-cp-b")
            tables = [
                RouteTable("rtb-cp", subnets=own, routes=private("nat-1")),
                RouteTable("rtb-private", subnets=tuple(pods), routes=private("nat-1")),
            ]
        else:
            tables = [RouteTable("rtb-private", subnets=(*mine["a"], *mine["b"]), routes=private("nat-1"))]
        out = [Route("0.0.0.0/0", "internet", "igw-1")]
        out += [Route("::/0", "internet", "igw-1")] if self.six and rng.random() < 0.5 else []
        tables.append(RouteTable("rtb-public", subnets=tuple(self.public), routes=(*self.local, *out)))
        if self.regional:
            tables.append(RouteTable("rtb-nat", routes=(*self.local, out[0])))
        return (RouteTable("rtb-main", main=True, routes=self.local), *tables)

    def _acls(self) -> tuple[Acl, ...]:
        """One for all, one each, or strict ones that allow what is needed by numbers of all kinds."""
        kind = self.rng.choice(("default", "each", "strict"))
        if kind == "default":
            return (Acl("acl-default", tuple(self.names), _everything(self.six)),)
        if kind == "each":
            return tuple(Acl(f"acl-{name}", (name,), _everything(self.six)) for name in self.names)
        return tuple(Acl(f"acl-{name}", (name,), self._strict()) for name in self.names)

    def _strict(self) -> tuple[AclEntry, ...]:
        start, step = self.rng.choice(((100, 10), (1, 1), (200, 100), (10, 5)))
        entries, number = [], start
        for egress in (False, True):
            for low, high in ((443, 443), (9443, 9443), (1024, 65535)):
                for cidr in _ANY[: 2 if self.six else 1]:
                    entries.append(AclEntry(number, egress, True, 6, cidr, (low, high)))
                    number += step
        return in_order([*entries, *stars(self.six)])

    def _groups(self, vpc: str) -> tuple[Group, ...]:
        rng = self.rng
        out = [
            (Permission(-1, blocks=_ANY),),
            (Permission(6, (443, 443), _ANY), Permission(6, (9443, 9443), (vpc,))),
            (
                Permission(6, (443, 443), _ANY),
                Permission(6, (9443, 9443), groups=("sg-pods",)),
                Permission(6, (443, 443), prefix_lists=("pl-partners",)),
            ),
        ]
        ingress = [
            (Permission(6, (9443, 9443), groups=("sg-cluster",)),),
            (Permission(6, (9443, 9443), (vpc,)),),
            (Permission(6, (9443, 9443), tuple(self.blocks[name][0] for name in ("subnet-cp-a", "subnet-cp-b"))),),
        ]
        own = Permission(-1, groups=("sg-cluster",))
        chosen_out, chosen_in = rng.choice(out), rng.choice(ingress)
        self.pods_by_ipv6 = self.six and chosen_out is not out[1] and chosen_in is ingress[0]
        return (
            Group("sg-cluster", "cluster", (own,), chosen_out),
            Group("sg-extra", "extra", (), (Permission(17, (53, 53), ("0.0.0.0/0",)),)),
            Group("sg-pods", "pods", chosen_in, (Permission(-1, blocks=_ANY),)),
            Group("sg-nodes", "nodes", (Permission(-1, groups=("sg-nodes",)),), (Permission(-1, blocks=_ANY),)),
        )

    def _interfaces(self, pods: list[str], nats: tuple[Nat, ...]) -> tuple[Interface, ...]:
        eks = [
            Interface(f"eni-{name}", name, ("sg-cluster",), self._host(name, 20), description=EKS)
            for name in ("subnet-cp-a", "subnet-cp-b")
        ]
        listed = [Interface(f"eni-{name}", name, ("sg-pods",), self._host(name, 10)) for name in pods]
        node = Interface("eni-node", pods[0], ("sg-nodes",), self._host(pods[0], 30))
        of_nats = [
            Interface(f"eni-{nat.id}", nat.subnet, (), nat.addresses, kind="nat_gateway") for nat in nats if nat.subnet
        ]
        return (*eks, *listed, node, *of_nats)


def stars(six: bool) -> list[AclEntry]:
    numbers = ((32767, "0.0.0.0/0"), (32768, "::/0"))[: 2 if six else 1]
    return [AclEntry(n, egress, False, -1, cidr) for egress in (False, True) for n, cidr in numbers]


def in_order(entries: list[AclEntry]) -> tuple[AclEntry, ...]:
    return tuple(sorted(entries, key=lambda one: (one.egress, one.number)))


def _everything(six: bool) -> tuple[AclEntry, ...]:
    numbers = ((100, "0.0.0.0/0"), (101, "::/0"))[: 2 if six else 1]
    allowing = [AclEntry(n, egress, True, -1, cidr) for egress in (False, True) for n, cidr in numbers]
    return in_order([*allowing, *stars(six)])
