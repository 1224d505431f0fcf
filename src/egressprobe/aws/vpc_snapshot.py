"""Reads a snapshot of a VPC: each list paged, several at a time, slower when AWS throttles.

A list that cannot be read is None in the snapshot, with the reason in `unread`: the rest is still audited. So is one
whose answer is not as documented: values of other types, missing ids, invalid CIDRs.
"""

import math
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.audit.vpc.snapshot import SNAPSHOT_SCHEMA, ClusterFacts, Unread, Vpc, VpcSnapshot
from egressprobe.audit.vpc.snapshot_load_balancers import LoadBalancers
from egressprobe.aws import ec2 as ec2lists
from egressprobe.aws import load_balancers as balancing
from egressprobe.aws import network_firewall as filtering
from egressprobe.aws import other_vpcs as others
from egressprobe.aws import vpc_dns as dnslists
from egressprobe.aws.eks import Cluster
from egressprobe.aws.fleet.read_rate import ReadRate
from egressprobe.aws.lists import AT_ONCE, ListReading, named_lists, network_reads
from egressprobe.aws.paging import every
from egressprobe.aws.parse import ec2_parse as parse
from egressprobe.model.errors import AwsError

# An account and region has a bucket of 40 requests, refilled with 10 each second, for all reads of load balancers: also
# for those of the controllers in its clusters.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
BALANCER_READS_PER_SECOND = 8.0


class Readers(NamedTuple):
    """boto3 clients, created by `readers`. peers, peer_firewalls: of other accounts."""

    ec2: Any
    resolver: Any
    route53: Any
    iam: Any
    trail: Any
    elb: Any
    firewall: Any
    peers: tuple[Any, ...] = ()
    peer_firewalls: tuple[Any, ...] = ()


def readers(session: Any = None, peers: Sequence[Any] = (), *, patient: bool = True, **options: Any) -> Readers:
    """Clients that slow down when AWS throttles. session: boto3's, or the default one. peers: of other accounts.

    patient: a person waits, and a complete snapshot is worth minutes.
    """
    import boto3
    from botocore.config import Config

    made = session or boto3
    config = Config(
        connect_timeout=5,
        read_timeout=20 if patient else 10,
        retries={"mode": "adaptive" if patient else "standard", "total_max_attempts": 8 if patient else 3},
        max_pool_connections=AT_ONCE,
    )
    names = ("ec2", "route53resolver", "route53", "iam", "cloudtrail", "elbv2", "network-firewall")
    others_ec2 = tuple(peer.client("ec2", config=config, **options) for peer in peers)
    others_firewall = tuple(peer.client("network-firewall", config=config, **options) for peer in peers)
    own = Readers(*(made.client(name, config=config, **options) for name in names))
    own.elb.meta.events.register("before-send", ReadRate(BALANCER_READS_PER_SECOND).wait)
    return own._replace(peers=others_ec2, peer_firewalls=others_firewall)


def read_snapshot(
    clients: Readers,
    cluster: Cluster,
    *,
    region: str,
    seconds: float = math.inf,
    stop: threading.Event | None = None,
    balancers: bool = True,
) -> VpcSnapshot:
    """seconds: what is not read by then stays unknown; the calls that run then may take half a minute longer.

    stop: as if the seconds were over once it is set. balancers: False for those of `with_load_balancers` alone.

    Raises AwsError if the VPC itself cannot be read: then there is nothing to audit.
    """
    if not cluster.vpc:
        raise AwsError(f"EKS does not report the VPC of the cluster {cluster.name}")
    reading = ListReading(seconds, stop)
    with reading.limits((*clients[:-2], *clients.peers, *clients.peer_firewalls)):
        return _read(clients, cluster, region, reading, balancers=balancers)


def with_load_balancers(
    clients: Callable[[], Readers], snapshot: VpcSnapshot, addresses: Collection[str], *, seconds: float = math.inf
) -> VpcSnapshot:
    """The snapshot with the load balancers that have one of these addresses. seconds: as for `read_snapshot`.

    clients: asked for where there are such. Each costs about five calls of an API whose rate the whole account shares.
    """
    reading, wanted = ListReading(seconds), frozenset(addresses)
    interfaces = [
        interface
        for interface in snapshot.interfaces or ()
        if not wanted.isdisjoint((*interface.addresses, *interface.public))
    ]
    if not balancing.of_balancers(interfaces):
        return replace(snapshot, load_balancers=LoadBalancers())
    elb = clients().elb
    with reading.limits((elb,)):
        read = reading.read("load_balancers", lambda: balancing.load_balancers(elb, snapshot.vpc.id, interfaces))
    return replace(snapshot, load_balancers=read, unread=_sorted((*snapshot.unread, *reading.unread)))


def _read(clients: Readers, cluster: Cluster, region: str, reading: ListReading, *, balancers: bool) -> VpcSnapshot:
    vpc_id, now = cluster.vpc, datetime.now(UTC)
    vpc = reading.read("vpc", lambda: _vpc(clients.ec2, vpc_id))
    if vpc is None:
        why = reading.unread[0].error if reading.unread else "it does not exist"
        raise AwsError(f"the VPC {vpc_id} cannot be read: {why}")
    parts = reading.all(_reads(clients, vpc, cluster, region, now))
    named = named_lists(parts["route_tables"], parts["groups"])
    parts["prefix_lists"] = reading.read("prefix_lists", lambda: ec2lists.prefix_lists(clients.ec2, named))
    ec2s = (clients.ec2, *clients.peers)
    parts["transit_gateways"] = reading.read(
        "transit_gateways", lambda: others.transit_gateways(ec2s, parts["attachments"] or ())
    )
    behind = others.behind(
        vpc_id, parts["route_tables"], parts["attachments"], parts["transit_gateways"], parts["peerings"]
    )
    parts["other_vpcs"] = reading.read("other_vpcs", lambda: others.other_vpcs(ec2s, behind, region)) or ()
    firewall_clients = (clients.firewall, *clients.peer_firewalls)
    parts["firewalls"] = reading.read(
        "firewalls",
        lambda: filtering.firewalls(
            firewall_clients, vpc_id, filtering.endpoints_of_routes(parts["route_tables"], parts["endpoints"])
        ),
    )
    parts["other_vpcs"] = tuple(_with_firewalls(reading, firewall_clients, other) for other in parts["other_vpcs"])
    parts["load_balancers"] = None
    if balancers:
        parts["load_balancers"] = reading.read(
            "load_balancers", lambda: balancing.load_balancers(clients.elb, vpc_id, parts["interfaces"] or ())
        )
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
        unread=_sorted(reading.unread),
        **parts,
    )


def _sorted(unread: Iterable[Unread]) -> tuple[Unread, ...]:
    return tuple(sorted(dict.fromkeys(unread), key=lambda refused: refused.part))


def _with_firewalls(reading: ListReading, clients: Sequence[Any], other: VpcSnapshot) -> VpcSnapshot:
    """An inspection VPC is often behind a transit gateway."""
    wanted = filtering.endpoints_of_routes(other.route_tables, other.endpoints)
    if not wanted:
        return other
    read = reading.read("firewalls", lambda: filtering.firewalls(clients, other.vpc.id, wanted))
    return replace(other, firewalls=read)


def _vpc(ec2: Any, vpc_id: str) -> Vpc | None:
    items = every(ec2, "describe_vpcs", "Vpcs", VpcIds=[vpc_id])
    return parse.vpc(items[0]) if items else None


def _reads(clients: Readers, vpc: Vpc, cluster: Cluster, region: str, now: datetime) -> dict[str, Callable[[], Any]]:
    ec2, reads = clients.ec2, network_reads(clients.ec2, vpc.id)
    reads |= {
        "dhcp": lambda: ec2lists.dhcp(ec2, vpc.dhcp_options),
        "dns_support": lambda: ec2lists.attribute(ec2, vpc.id, "enableDnsSupport"),
        "dns_hostnames": lambda: ec2lists.attribute(ec2, vpc.id, "enableDnsHostnames"),
        "resolver_rules": lambda: dnslists.resolver_rules(clients.resolver, vpc.id),
        "dns_firewall": lambda: dnslists.dns_firewall(clients.resolver, vpc.id),
        "zones": lambda: dnslists.zones(clients.route53, vpc.id, region),
        "dhcp_changed": lambda: dnslists.dhcp_changed(clients.trail, vpc.id, now),
    }
    if cluster.role:
        reads["reads_dhcp"] = lambda: dnslists.reads_dhcp(clients.iam, cluster.role)
    return reads


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
