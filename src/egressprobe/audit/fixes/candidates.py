"""Which changes may fix a problem: one table from finding to what makes candidates, the least change first.

A candidate is a list of changes in the order in which they are made. Nothing here says that one works: that is proven
on the snapshot.
"""

from collections.abc import Callable, Iterator

from egressprobe.audit.changes.attribute_changes import (
    AcceptPeering,
    ExcludeFromEncryption,
    ExcludeFromPublicAccessBlock,
    SetSourceCheck,
)
from egressprobe.audit.fixes import filter_changes, route_changes, table_changes
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.route_changes import Changes
from egressprobe.audit.vpc.blockers import (
    Appliance,
    EncryptionControl,
    PublicAccessBlock,
    RouteTargetState,
)
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog import findings_vpc_path as rows
from egressprobe.catalog.entry import FindingEntry

type Maker = Callable[[Topology, Problem], Iterator[Changes]]


def candidates(topology: Topology, problem: Problem) -> Iterator[Changes]:
    """None where no change of the VPC can help."""
    make = MAKERS.get(problem.blame.finding)
    if make is not None:
        yield from make(topology, problem)


def _groups_in(topology: Topology, problem: Problem) -> Iterator[Changes]:
    yield from filter_changes.groups_in(topology, problem)
    yield from route_changes.direct(topology, problem)


def _public_access(_: Topology, problem: Problem) -> Iterator[Changes]:
    subnets = [blame.at for _, blame in problem.pairs if isinstance(blame.at, PublicAccessBlock)]
    yield tuple(dict.fromkeys(ExcludeFromPublicAccessBlock(at.subnet or at.vpc) for at in subnets))


def _encryption(_: Topology, problem: Problem) -> Iterator[Changes]:
    at = problem.blame.at
    if isinstance(at, EncryptionControl):
        yield (ExcludeFromEncryption(at.control, at.resource),)


def _peering(_: Topology, problem: Problem) -> Iterator[Changes]:
    at = problem.blame.at
    if isinstance(at, RouteTargetState) and at.state == "pending-acceptance":
        yield (AcceptPeering(at.target),)
    yield from route_changes.delete_route(_, problem)


def _source_check(_: Topology, problem: Problem) -> Iterator[Changes]:
    at = problem.blame.at
    if isinstance(at, Appliance):
        yield (SetSourceCheck(at.interface, on=False),)


MAKERS: dict[FindingEntry, Maker] = {
    rows.SG_EGRESS_DENIED: filter_changes.groups_out,
    rows.SG_INGRESS_DENIED: _groups_in,
    rows.NACL_EGRESS_DENIED: filter_changes.acl_entries,
    rows.NACL_INGRESS_DENIED: filter_changes.acl_entries,
    rows.NACL_EPHEMERAL_DENIED: filter_changes.acl_entries,
    rows.ROUTE_NO_EGRESS: route_changes.missing_route,
    rows.IPV6_ROUTE_MISSING: route_changes.missing_route,
    rows.EIGW_MISSING: route_changes.egress_only,
    rows.ROUTE_BLACKHOLE: route_changes.blackhole,
    rows.ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS: table_changes.not_by_the_internet_gateway,
    rows.NAT_NOT_AVAILABLE: route_changes.other_nat,
    rows.NAT_SUBNET_NO_INTERNET_ROUTE: route_changes.nat_routes,
    rows.NAT64_ROUTE_MISSING: route_changes.nat64,
    rows.PRIVATE_ADDRESS_TO_INTERNET: route_changes.private_address,
    rows.BPA_BLOCKS_EGRESS: _public_access,
    rows.ENCRYPTION_CONTROL_BLOCKS: _encryption,
    rows.TGW_NO_ATTACHMENT_IN_AZ: route_changes.transit_attachment,
    rows.PEERING_NOT_ACTIVE: _peering,
    rows.PEERING_NOT_TRANSITIVE: route_changes.delete_route,
    rows.APPLIANCE_SOURCE_DEST_CHECK: _source_check,
}
