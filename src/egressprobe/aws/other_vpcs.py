"""What lies behind the VPC: route tables of transit gateways, and the VPCs behind those and behind peering connections.

Read with the cluster's own credentials, then with those of each peer profile. What no account of these can see stays
unknown: only its owner can read a transit gateway's route tables or a VPC (transit gateway guide,
transit-gateway-share-accept-ram).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from egressprobe.audit.vpc.snapshot import SNAPSHOT_SCHEMA, Attachment, ClusterFacts, Peering, RouteTable, VpcSnapshot
from egressprobe.audit.vpc.snapshot_transit import TransitGateway, TransitHop, TransitRoute, TransitRouteTable
from egressprobe.aws import ec2 as ec2lists
from egressprobe.aws.lists import ListReading, named_lists, network_reads
from egressprobe.aws.paging import ReadRefused, every, tried
from egressprobe.aws.parse import ec2_parse as parse

# More VPCs than this behind one VPC's routes are left unknown: each costs about ten calls.
MOST_VPCS = 10
_ACTIVE = {"active": True, "blackhole": False}
_DEFAULT = ("0.0.0.0/0", "::/0")


def transit_gateways(ec2s: Sequence[Any], attachments: Iterable[Attachment]) -> tuple[TransitGateway, ...]:
    """The gateways that the VPC is attached to. Raises ReadRefused if none of the accounts may list them."""
    names = sorted({attachment.gateway for attachment in attachments})
    return tuple(TransitGateway(name, _tables(ec2s, name)) for name in names)


def _tables(ec2s: Sequence[Any], gateway: str) -> tuple[TransitRouteTable, ...] | None:
    """From the first account that sees them; None if none does."""
    of_gateway = [{"Name": "transit-gateway-id", "Values": [gateway]}]
    refused: ReadRefused | None = None
    for ec2 in ec2s:
        try:
            operation = "describe_transit_gateway_route_tables"
            listed = every(ec2, operation, "TransitGatewayRouteTables", Filters=of_gateway)
            if listed:
                return tuple(_table(ec2, item["TransitGatewayRouteTableId"]) for item in listed if _exists(item))
        except ReadRefused as why:
            refused = refused or why
    if refused is not None:
        raise refused
    return None


def _exists(item: Any) -> bool:
    """A deleted table stays listed for a while."""
    return item.get("State") not in ("deleting", "deleted")


def _table(ec2: Any, name: str) -> TransitRouteTable:
    """SearchTransitGatewayRoutes has no pages, and says when there are more routes than it returned."""
    operation = "search_transit_gateway_routes"
    states = [{"Name": "state", "Values": ["active", "blackhole"]}]
    answer = tried(
        ec2,
        operation,
        lambda: ec2.search_transit_gateway_routes(TransitGatewayRouteTableId=name, Filters=states),
    )
    associations = every(
        ec2, "get_transit_gateway_route_table_associations", "Associations", TransitGatewayRouteTableId=name
    )
    associated = [
        item["TransitGatewayAttachmentId"]
        for item in associations
        if item.get("State") in ("associated", "associating") and item.get("TransitGatewayAttachmentId")
    ]
    return TransitRouteTable(
        id=name,
        associated=tuple(sorted(associated)),
        routes=tuple(map(_route, answer.get("Routes") or [])),
        complete=not answer.get("AdditionalRoutesAvailable"),
    )


def _route(item: Any) -> TransitRoute:
    hops = [
        TransitHop(
            hop.get("TransitGatewayAttachmentId") or "", hop.get("ResourceType") or "", hop.get("ResourceId") or ""
        )
        for hop in item.get("TransitGatewayAttachments") or []
    ]
    return TransitRoute(
        destination=item.get("DestinationCidrBlock") or "",
        active=_ACTIVE[item["State"]],  # required: a default could open a path
        propagated=item.get("Type") == "propagated",
        hops=tuple(sorted(hops, key=lambda hop: hop.attachment)),
    )


def behind(
    vpc: str,
    tables: Iterable[RouteTable] | None,
    attachments: Iterable[Attachment] | None,
    gateways: Iterable[TransitGateway] | None,
    peerings: Iterable[Peering] | None,
) -> list[str]:
    """The VPCs that routes lead to: peers that a route names, those in the transit gateway tables of our attachments,
    and, behind an inspection VPC, those of default routes.
    """
    named = {route.to for table in tables or () for route in table.routes}
    names = [peering.peer for peering in peerings or () if peering.id in named]
    ours = {attachment.id for attachment in attachments or () if attachment.gateway in named}
    for gateway in gateways or ():
        first = list(_hops(gateway, ours, lambda _: True))
        names += [hop.resource for hop in first]
        names += [hop.resource for hop in _hops(gateway, {hop.attachment for hop in first}, _is_default)]
    return [name for name in dict.fromkeys(names) if name and name != vpc]


def _is_default(route: TransitRoute) -> bool:
    return route.destination in _DEFAULT


def _hops(
    gateway: TransitGateway, attachments: set[str], wanted: Callable[[TransitRoute], bool]
) -> Iterator[TransitHop]:
    for table in gateway.tables or ():
        if attachments & {*table.associated}:
            for route in table.routes:
                if wanted(route):
                    yield from (hop for hop in route.hops if hop.kind == "vpc")


def other_vpcs(ec2s: Sequence[Any], names: Sequence[str], region: str) -> tuple[VpcSnapshot, ...]:
    """Those of the VPCs that one of the accounts owns, at most MOST_VPCS. Raises ReadRefused if none may be listed."""
    wanted, snapshots = list(names[:MOST_VPCS]), []
    refused: ReadRefused | None = None
    for ec2 in ec2s if wanted else ():
        by_name = [{"Name": "vpc-id", "Values": wanted}]
        try:
            items = every(ec2, "describe_vpcs", "Vpcs", Filters=by_name)
        except ReadRefused as why:
            refused = refused or why
            continue
        snapshots += [_network(ec2, item, region) for item in items]
        wanted = [name for name in wanted if name not in {item["VpcId"] for item in items}]
        if not wanted:
            break
    if refused is not None and not snapshots:
        raise refused
    return tuple(sorted(snapshots, key=lambda snapshot: snapshot.vpc.id))


def _network(ec2: Any, item: Any, region: str) -> VpcSnapshot:
    """Everything that decides about packets in it; a list that cannot be read is None, as in the cluster's VPC."""
    vpc, reading = parse.vpc(item), ListReading()  # the client has the time limit (ListReading.limits)
    reads = network_reads(ec2, vpc.id)
    endpoints = reads.pop("endpoints")
    parts = reading.all(reads)
    if any(route.gate == "endpoint" for table in parts["route_tables"] or () for route in table.routes):
        parts["endpoints"] = reading.read("endpoints", endpoints)  # others have no effect on packets from outside
    named = named_lists(parts["route_tables"], parts["groups"])
    parts["prefix_lists"] = reading.read("prefix_lists", lambda: ec2lists.prefix_lists(ec2, named))
    return VpcSnapshot(
        schema_version=SNAPSHOT_SCHEMA,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        region=region,
        account=vpc.owner,
        cluster=ClusterFacts(""),
        vpc=vpc,
        subnets=parts.pop("subnets") or (),
        unread=tuple(sorted(reading.unread, key=lambda unread: unread.part)),
        **parts,
    )
