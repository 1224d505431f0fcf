"""What the calls of a plan are made on: the snapshot so far, and what AWS has that a snapshot does not show."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from msgspec.structs import replace

from egressprobe.audit.changes.apply import apply
from egressprobe.audit.changes.change import Change
from egressprobe.audit.changes.refusal import NotInSnapshot
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from egressprobe.audit.whatif.plan import Parameters, Unmodelled


class World:
    """dhcp: options sets by id. prefix_lists: of gateway endpoints, by service. associations: id -> the subnet, the
    gateway or `main`; ended: those that the plan has ended or replaced. detached: internet and VPN gateways that the
    plan creates.
    """

    def __init__(self, snapshot: VpcSnapshot) -> None:
        self.snapshot = snapshot
        self.dhcp: dict[str, Dhcp] = {snapshot.dhcp.id: snapshot.dhcp} if snapshot.dhcp else {}
        self.associations: dict[str, str] = {
            key: member
            for associations in (
                *(table.associations for table in snapshot.route_tables or ()),
                *(acl.associations for acl in snapshot.acls or ()),
            )
            for key, member in associations.items()
        }
        self.ended: set[str] = set()
        self.detached: set[str] = set()
        services = {endpoint.id: endpoint.service for endpoint in snapshot.endpoints or ()}
        self.prefix_lists: dict[str, str] = {
            services[route.to]: route.destination
            for table in snapshot.route_tables or ()
            for route in table.routes
            if route.destination.startswith("pl-") and route.to in services
        }

    def make(self, change: Change) -> None:
        """On this VPC, or on one behind it that the snapshot has. Raises ChangeRefused."""
        try:
            self.snapshot = apply(change, self.snapshot)
        except NotInSnapshot:
            others = list(self.snapshot.other_vpcs)
            for i, other in enumerate(others):
                with suppress(NotInSnapshot):
                    others[i] = apply(change, other)
                    self.snapshot = replace(self.snapshot, other_vpcs=tuple(others))
                    return
            raise


# What one operation does: changes, and what of it is not modelled. The last argument is the id of what it creates.
type Operation = Callable[[World, Parameters, str], Iterator[Change | Unmodelled]]
