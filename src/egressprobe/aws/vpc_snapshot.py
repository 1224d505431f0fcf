"""The only reader of what the audit needs of AWS: each list paged, several at a time, patient with throttling.

A list that may not be read is None in the snapshot with a word in `unread`: the rest is audited all the same.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import SNAPSHOT_SCHEMA, ClusterFacts, Group, RouteTable, Unread, Vpc, VpcSnapshot
from egressprobe.aws import ec2 as ec2lists
from egressprobe.aws import ec2_parse as parse
from egressprobe.aws import vpc_dns as dnslists
from egressprobe.aws.eks import Cluster
from egressprobe.aws.paging import Refused, every
from egressprobe.model.errors import AwsError

# EC2 throttles by a bucket of tokens an account and region (EC2 Developer Guide, ec2-api-throttling).
_AT_ONCE = 6
# part of the snapshot, operation, field of the answer, what makes a noun of it, name of the filters
_BY_VPC: tuple[tuple[str, str, str, Callable[[Any], Any], str], ...] = (
    ("subnets", "describe_subnets", "Subnets", parse.subnet, "Filters"),
    ("route_tables", "describe_route_tables", "RouteTables", parse.route_table, "Filters"),
    ("acls", "describe_network_acls", "NetworkAcls", parse.acl, "Filters"),
    ("groups", "describe_security_groups", "SecurityGroups", parse.group, "Filters"),
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
# Where an answer may hold fewer than 1,000 (EC2 API Reference, MaxResults of each).
_PAGES = {"describe_route_tables": 100}
# Read when nothing of the kind exists in the region.
_ABSENT = {"public_access": ec2lists.NO_PUBLIC_ACCESS_BLOCK, "encryption": ()}


class Readers(NamedTuple):
    """boto3 clients, made by `readers`."""

    ec2: Any
    resolver: Any
    route53: Any
    iam: Any
    trail: Any


def readers(session: Any = None, **options: Any) -> Readers:
    """Clients that slow down when AWS asks for it. session: boto3's, or the default one."""
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


class _Reading:
    """Reads, and keeps what was refused."""

    def __init__(self) -> None:
        self.unread: list[Unread] = []

    def kept(self, part: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except Refused as refused:
            if refused.absent and part in _ABSENT:
                return _ABSENT[part]
            self.unread.append(replace(refused.unread, part=part))
            return None

    def all(self, reads: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        with ThreadPoolExecutor(_AT_ONCE, "snapshot") as pool:
            waiting = {part: pool.submit(self.kept, part, read) for part, read in reads.items()}
            return {part: future.result() for part, future in waiting.items()}


def read_snapshot(clients: Readers, cluster: Cluster, *, region: str) -> VpcSnapshot:
    """Raises AwsError where even the VPC cannot be read: then there is nothing to audit."""
    vpc_id, now, reading = cluster.vpc, datetime.now(UTC), _Reading()
    if not vpc_id:
        raise AwsError(f"EKS does not say which VPC the cluster {cluster.name} is in")
    found = reading.kept("vpc", lambda: every(clients.ec2, "describe_vpcs", "Vpcs", VpcIds=[vpc_id]))
    if not found:
        why = reading.unread[0].error if reading.unread else "it is not there"
        raise AwsError(f"the VPC {vpc_id} cannot be read: {why}")
    vpc = parse.vpc(found[0])
    got = reading.all(_reads(clients, vpc, cluster, region, now))
    named = _named_lists(got["route_tables"], got["groups"])
    got["prefix_lists"] = reading.kept("prefix_lists", lambda: ec2lists.prefix_lists(clients.ec2, named))
    reads_dhcp, changed = got.pop("reads_dhcp", None), got.pop("dhcp_changed")
    if got["dhcp"] is not None and changed:
        got["dhcp"] = replace(got["dhcp"], changed_at=changed)
    return VpcSnapshot(
        schema_version=SNAPSHOT_SCHEMA,
        taken_at=now.isoformat(timespec="seconds"),
        region=region,
        # of the cluster; a VPC that somebody shares with it has another owner
        account=cluster.role.split(":")[4] if cluster.role.count(":") >= 5 else vpc.owner,
        cluster=_facts(cluster, reads_dhcp),
        vpc=replace(vpc, dns_support=got.pop("dns_support"), dns_hostnames=got.pop("dns_hostnames")),
        subnets=got.pop("subnets") or (),
        unread=tuple(sorted(reading.unread, key=lambda one: one.part)),
        **got,
    )


def _reads(clients: Readers, vpc: Vpc, cluster: Cluster, region: str, now: datetime) -> dict[str, Callable[[], Any]]:
    ec2, of_vpc = clients.ec2, [{"Name": "vpc-id", "Values": [vpc.id]}]
    reads: dict[str, Callable[[], Any]] = {
        part: partial(_parsed, ec2, operation, field, made, {filters: of_vpc})
        for part, operation, field, made, filters in _BY_VPC
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


def _parsed(client: Any, operation: str, field: str, made: Callable[[Any], Any], asked: Any) -> tuple[Any, ...]:
    """In the order of ids, so that two snapshots of one VPC are equal."""
    # Without a page's size EC2 tries to answer all at once, and is throttled first in large accounts.
    pages = {"PageSize": _PAGES.get(operation, 1000)}
    found = [made(one) for one in every(client, operation, field, PaginationConfig=pages, **asked)]
    return tuple(sorted(found, key=lambda one: str(one.id)))


def _named_lists(tables: Iterable[RouteTable] | None, groups: Iterable[Group] | None) -> set[str]:
    """Prefix lists that a route or a rule names: a region has dozens."""
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
        issuer=cluster.issuer,
        role=cluster.role,
        reads_dhcp=reads_dhcp,
    )
