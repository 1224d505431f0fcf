"""Reads a snapshot of a VPC: each list paged, several at a time, slower when AWS throttles.

A list that cannot be read is None in the snapshot, with the reason in `unread`: the rest is still audited. So is one
whose answer is not as documented: values of other types, missing ids, invalid CIDRs.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import SNAPSHOT_SCHEMA, ClusterFacts, Group, RouteTable, Unread, Vpc, VpcSnapshot
from egressprobe.audit.vpc.topology import Topology
from egressprobe.aws import ec2 as ec2lists
from egressprobe.aws import ec2_filters
from egressprobe.aws import ec2_parse as parse
from egressprobe.aws import vpc_dns as dnslists
from egressprobe.aws.eks import Cluster
from egressprobe.aws.paging import ReadRefused, every, not_as_documented
from egressprobe.model.errors import AwsError
from egressprobe.model.text import valid

# EC2 throttles by a bucket of tokens an account and region (EC2 Developer Guide, ec2-api-throttling).
_AT_ONCE = 6
# Part of the snapshot, operation, field of the response, its parser, name of the filters' parameter.
_BY_VPC: tuple[tuple[str, str, str, Callable[[Any], Any], str], ...] = (
    ("subnets", "describe_subnets", "Subnets", parse.subnet, "Filters"),
    ("route_tables", "describe_route_tables", "RouteTables", parse.route_table, "Filters"),
    ("acls", "describe_network_acls", "NetworkAcls", ec2_filters.acl, "Filters"),
    ("groups", "describe_security_groups", "SecurityGroups", ec2_filters.group, "Filters"),
    ("interfaces", "describe_network_interfaces", "NetworkInterfaces", parse.interface, "Filters"),
    ("nats", "describe_nat_gateways", "NatGateways", parse.nat, "Filter"),
    (
        "attachments",
        "describe_transit_gateway_vpc_attachments",
        "TransitGatewayVpcAttachments",
        parse.attachment,
        "Filters",
    ),
    ("endpoints", "describe_vpc_endpoints", "VpcEndpoints", parse.endpoint, "Filters"),
)
# Where a page can have fewer than 1,000 items (EC2 API Reference, MaxResults of each).
_PAGES = {"describe_route_tables": 100}
_TYPES = {field.name: field.type for field in msgspec.structs.fields(VpcSnapshot)}
_EMPTY = VpcSnapshot(SNAPSHOT_SCHEMA, "", "", "", ClusterFacts(""), Vpc(""))
# Read when nothing of the kind exists in the region.
_ABSENT = {"public_access": ec2lists.NO_PUBLIC_ACCESS_BLOCK, "encryption": ()}


class Readers(NamedTuple):
    """boto3 clients, created by `readers`."""

    ec2: Any
    resolver: Any
    route53: Any
    iam: Any
    trail: Any


def readers(session: Any = None, **options: Any) -> Readers:
    """Clients that slow down when AWS throttles. session: boto3's, or the default one."""
    import boto3
    from botocore.config import Config

    made = session or boto3
    patient = Config(
        connect_timeout=5,
        read_timeout=20,
        retries={"mode": "adaptive", "total_max_attempts": 8},
        max_pool_connections=_AT_ONCE,
    )
    names = ("ec2", "route53resolver", "route53", "iam", "cloudtrail")
    return Readers(*(made.client(name, config=patient, **options) for name in names))


class _ListReading:
    """Reads parts of a snapshot, and records those that AWS refuses."""

    def __init__(self) -> None:
        self.unread: list[Unread] = []

    def read(self, part: str, read: Callable[[], Any]) -> Any:
        try:
            return _checked(part, read())
        except ReadRefused as refused:
            if refused.absent and part in _ABSENT:
                return _ABSENT[part]
            self.unread.append(replace(refused.unread, part=part))
        except Exception as error:  # whatever a parser does with another shape costs this list only
            self.unread.append(Unread(part, "", not_as_documented(error)))
        return None

    def all(self, reads: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        with ThreadPoolExecutor(_AT_ONCE, "snapshot") as pool:
            waiting = {part: pool.submit(self.read, part, read) for part, read in reads.items()}
            return {part: future.result() for part, future in waiting.items()}


def read_snapshot(clients: Readers, cluster: Cluster, *, region: str) -> VpcSnapshot:
    """Raises AwsError if the VPC itself cannot be read: then there is nothing to audit."""
    vpc_id, now, reading = cluster.vpc, datetime.now(UTC), _ListReading()
    if not vpc_id:
        raise AwsError(f"EKS does not report the VPC of the cluster {cluster.name}")
    vpc = reading.read("vpc", lambda: _vpc(clients.ec2, vpc_id))
    if vpc is None:
        why = reading.unread[0].error if reading.unread else "it does not exist"
        raise AwsError(f"the VPC {vpc_id} cannot be read: {why}")
    parts = reading.all(_reads(clients, vpc, cluster, region, now))
    named = _named_lists(parts["route_tables"], parts["groups"])
    parts["prefix_lists"] = reading.read("prefix_lists", lambda: ec2lists.prefix_lists(clients.ec2, named))
    reads_dhcp, changed = parts.pop("reads_dhcp", None), parts.pop("dhcp_changed")
    if parts["dhcp"] is not None and changed:
        parts["dhcp"] = replace(parts["dhcp"], changed_at=changed)
    return VpcSnapshot(
        schema_version=SNAPSHOT_SCHEMA,
        taken_at=now.isoformat(timespec="seconds"),
        region=region,
        # The cluster's account; a VPC that is shared with it has another owner.
        account=cluster.role.split(":")[4] if cluster.role.count(":") >= 5 else vpc.owner,
        cluster=_facts(cluster, reads_dhcp),
        vpc=replace(vpc, dns_support=parts.pop("dns_support"), dns_hostnames=parts.pop("dns_hostnames")),
        subnets=parts.pop("subnets") or (),
        unread=tuple(sorted(reading.unread, key=lambda unread: unread.part)),
        **parts,
    )


def _checked(part: str, value: Any) -> Any:
    """A part of a snapshot, of the snapshot's own types and with CIDRs that a walk can parse. Raises ValueError."""
    if value is None or part not in _TYPES:
        return value
    checked = msgspec.convert(valid(msgspec.to_builtins(value)), _TYPES[part])
    Topology(replace(_EMPTY, **{part: checked}))
    return checked


def _vpc(ec2: Any, vpc_id: str) -> Vpc | None:
    items = every(ec2, "describe_vpcs", "Vpcs", VpcIds=[vpc_id])
    return parse.vpc(items[0]) if items else None


def _reads(clients: Readers, vpc: Vpc, cluster: Cluster, region: str, now: datetime) -> dict[str, Callable[[], Any]]:
    ec2, of_vpc = clients.ec2, [{"Name": "vpc-id", "Values": [vpc.id]}]
    reads: dict[str, Callable[[], Any]] = {
        part: partial(_parsed, ec2, operation, field, parser, {filters: of_vpc})
        for part, operation, field, parser, filters in _BY_VPC
    }
    reads |= {
        "gateways": lambda: ec2lists.gateways(ec2, vpc.id),
        "peerings": lambda: ec2lists.peerings(ec2, vpc.id),
        "dhcp": lambda: ec2lists.dhcp(ec2, vpc.dhcp_options),
        "dns_support": lambda: ec2lists.attribute(ec2, vpc.id, "enableDnsSupport"),
        "dns_hostnames": lambda: ec2lists.attribute(ec2, vpc.id, "enableDnsHostnames"),
        "public_access": lambda: ec2lists.public_access(ec2),
        "encryption": lambda: ec2lists.encryption(ec2, vpc.id),
        "resolver_rules": lambda: dnslists.resolver_rules(clients.resolver, vpc.id),
        "dns_firewall": lambda: dnslists.dns_firewall(clients.resolver, vpc.id),
        "zones": lambda: dnslists.zones(clients.route53, vpc.id, region),
        "dhcp_changed": lambda: dnslists.dhcp_changed(clients.trail, vpc.id, now),
    }
    if cluster.role:
        reads["reads_dhcp"] = lambda: dnslists.reads_dhcp(clients.iam, cluster.role)
    return reads


def _parsed(client: Any, operation: str, field: str, parser: Callable[[Any], Any], filters: Any) -> tuple[Any, ...]:
    """In the order of ids, so that two snapshots of one VPC are equal."""
    # Without a page size EC2 returns everything at once, and throttles such calls first in large accounts.
    pages = {"PageSize": _PAGES.get(operation, 1000)}
    parsed = [parser(item) for item in every(client, operation, field, PaginationConfig=pages, **filters)]
    return tuple(sorted(parsed, key=lambda item: str(item.id)))


def _named_lists(tables: Iterable[RouteTable] | None, groups: Iterable[Group] | None) -> set[str]:
    """The prefix lists that a route or a rule names; a region has dozens of others."""
    named = {route.destination for table in tables or () for route in table.routes}
    rules = [rule for group in groups or () for rule in (*group.ingress, *group.egress)]
    return {name for name in named if name.startswith("pl-")} | {name for rule in rules for name in rule.prefix_lists}


def _facts(cluster: Cluster, reads_dhcp: bool | None) -> ClusterFacts:  # noqa: FBT001 (three-valued)
    return ClusterFacts(
        name=cluster.name,
        ip_family=cluster.ip_family,
        mode=cluster.mode,
        subnets=cluster.subnets,
        groups=cluster.groups,
        remote=cluster.remote,
        remote_pods=cluster.remote_pods,
        issuer=cluster.issuer,
        role=cluster.role,
        reads_dhcp=reads_dhcp,
    )
