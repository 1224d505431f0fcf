"""The audit of 16 subnets x 200 targets x 2 families from a snapshot, as a table: `make bench-audit`.

In seconds of CPU time: a healthy VPC under 2; one with three faults in every subnet, whose fixes are searched and
proven, under 5.

Half of the targets stand in the VPC, half on the internet; every subnet has a table and an ACL of 30 rules.
"""

import statistics
import sys
import time

from msgspec.structs import replace

from egressprobe.audit.run import audit
from egressprobe.audit.vpc.snapshot import (
    SNAPSHOT_SCHEMA,
    Acl,
    AclEntry,
    ClusterFacts,
    Dhcp,
    Gateway,
    Group,
    Interface,
    Nat,
    Permission,
    PublicAccess,
    Route,
    RouteTable,
    Subnet,
    Vpc,
    VpcSnapshot,
    from_json,
    to_json,
)
from egressprobe.cli.output.audit_table import audit_table
from egressprobe.targets.plan import read_plan

SUBNETS, TARGETS = 16, 200
BOUND_SECONDS, BOUND_WITH_FIXES = 2.0, 5.0
_SIX = "2001:db9:0:{:x}::{}"


def snapshot() -> VpcSnapshot:
    names = [f"subnet-{i:02d}" for i in range(SUBNETS)]
    local = (Route("10.200.0.0/16", "local"), Route("2001:db9::/56", "local"))
    out = (Route("0.0.0.0/0", "nat", "nat-1"), Route("::/0", "egress-only", "eigw-1"))
    public = RouteTable(
        "rtb-public", subnets=("subnet-public",), routes=(*local, Route("0.0.0.0/0", "internet", "igw-1"))
    )
    private = [
        RouteTable(f"rtb-{i:02d}", main=i == 0, subnets=(name,), routes=(*local, *out)) for i, name in enumerate(names)
    ]
    addresses = [(f"10.200.{i % SUBNETS}.{20 + i // SUBNETS}", _SIX.format(i % SUBNETS, 20 + i)) for i in range(600)]
    return VpcSnapshot(
        schema_version=SNAPSHOT_SCHEMA,
        taken_at="2026-11-22T00:00:00+00:00",
        region="eu-west-1",
        account="123456789012",
        cluster=ClusterFacts("bench", "ipv6", "CUSTOMER_ROUTED", tuple(names), ("sg-1",)),
        vpc=Vpc("vpc-1", "123456789012", ("10.200.0.0/16", "2001:db9::/56"), "dopt-1", True, True),
        subnets=(
            *(Subnet(n, f"z{i % 3}", "", (f"10.200.{i}.0/24", _SIX.format(i, "/64")), 99) for i, n in enumerate(names)),
            Subnet("subnet-public", "z0", "", ("10.200.99.0/24", _SIX.format(99, "/64")), 99),
        ),
        route_tables=(public, *private),
        acls=tuple(Acl(f"acl-{name}", (name,), _entries()) for name in (*names, "subnet-public")),
        groups=(_group(),),
        interfaces=tuple(
            Interface(f"eni-{i}", names[i % SUBNETS], ("sg-1",), held) for i, held in enumerate(addresses)
        ),
        nats=(Nat("nat-1", "available", "subnet-public", addresses=("10.200.99.5",), elastic=("203.0.113.1",)),),
        gateways=(Gateway("igw-1", "internet"), Gateway("eigw-1", "egress-only")),
        attachments=(),
        peerings=(),
        endpoints=(),
        prefix_lists=(),
        dhcp=Dhcp("dopt-1", ("AmazonProvidedDNS",)),
        resolver_rules=(),
        zones=(),
        dns_firewall=(),
        public_access=PublicAccess("off"),
        encryption=(),
        names={f"t{i}.example": addresses[i] if i % 2 else (f"93.1.{i}.1", f"2606::{i:x}") for i in range(TARGETS)},
    )


def _entries() -> tuple[AclEntry, ...]:
    found = []
    for egress in (False, True):
        found += [AclEntry(10 * k, egress, False, 6, f"172.{16 + k}.0.0/16") for k in range(1, 14)]
        found += [AclEntry(400, egress, True, 6, "0.0.0.0/0", (0, 65535)), AclEntry(401, egress, True, 6, "::/0")]
    return tuple(found)


def _group() -> Group:
    out = tuple(Permission(6, (port, port), ("0.0.0.0/0", "::/0")) for port in range(430, 444))
    return Group("sg-1", "cluster", (Permission(-1, groups=("sg-1",)),), out)


def broken(healthy: VpcSnapshot) -> VpcSnapshot:
    """No egress rule, an ACL entry that denies in every subnet, and no default routes."""
    deny = AclEntry(5, True, False, 6, "0.0.0.0/0", (443, 443))
    tables = [
        table
        if table.id == "rtb-public"
        else replace(table, routes=tuple(one for one in table.routes if one.gate == "local"))
        for table in healthy.route_tables or ()
    ]
    return replace(
        healthy,
        groups=(replace(_group(), egress=()),),
        acls=tuple(replace(acl, entries=(deny, *acl.entries)) for acl in healthy.acls or ()),
        route_tables=tuple(tables),
    )


def targets():
    raw = [{"kind": "webhook", "name": f"t{i}", "url": f"https://t{i}.example/"} for i in range(TARGETS)]
    return read_plan({"targets": raw}).targets


def main() -> int:
    slow = False
    for name, data, bound in (
        ("healthy", to_json(snapshot()), BOUND_SECONDS),
        ("three faults in every subnet", to_json(broken(snapshot())), BOUND_WITH_FIXES),
    ):
        times = []
        for _ in range(5):
            started = time.process_time()
            result = audit(from_json(data), targets())
            text = audit_table(result)
            times.append(time.process_time() - started)
        slow |= max(times) > bound
        fixes = sum(line.startswith("aws ") for one in result.findings for line in one.remedy.split("\n"))
        print(
            f"{name}: {SUBNETS} subnets x {TARGETS} targets x 2 families: {len(result.paths)} paths, verdict "
            f"{result.verdict}, {fixes} commands, {len(text.splitlines())} lines; "
            f"median {statistics.median(times):.2f} s, worst {max(times):.2f} s (bound {bound:g} s)"
        )
    return slow


if __name__ == "__main__":
    sys.exit(main())
