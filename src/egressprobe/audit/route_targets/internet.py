"""Route targets that lead to the internet: internet, egress-only and NAT gateways; and what route targets share.

A public address of the VPC's own interfaces is reached from inside by the internet gateway (VPC User Guide,
VPC_Internet_Gateway: it translates 1:1 between an interface's private and public IPv4 address).
"""

from egressprobe.audit.route_targets.interfaces import arrive
from egressprobe.audit.vpc.blockers import (
    EncryptionControl,
    MissingRoute,
    NatRoutes,
    PrivateAddress,
    PrivateNat,
    PublicAccessBlock,
    RouteEntry,
    RouteTargetState,
    WrongFamily,
)
from egressprobe.audit.vpc.cidr import EPHEMERAL, NAT64, Address, address, behind_nat64, on_the_internet
from egressprobe.audit.vpc.flow import Flow
from egressprobe.audit.vpc.snapshot import Interface, Nat, Peering, Route, Subnet, VpcEndpoint
from egressprobe.audit.vpc.walk import Walk
from egressprobe.catalog.entry import FindingEntry
from egressprobe.catalog.findings_vpc_path import (
    BPA_BLOCKS_EGRESS,
    EIGW_MISSING,
    ENCRYPTION_CONTROL_BLOCKS,
    IPV6_ROUTE_MISSING,
    NAT64_ROUTE_MISSING,
    NAT_NOT_AVAILABLE,
    NAT_SUBNET_NO_INTERNET_ROUTE,
    PRIVATE_ADDRESS_TO_INTERNET,
    ROUTE_BLACKHOLE,
    ROUTE_NO_EGRESS,
    ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS,
)

# The id of an Elastic IP address that a NAT gateway gets by a change: its address is not known.
_ALLOCATION = "eipalloc-"


def internet(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """1:1 translation for interfaces with a public address; drops all others (user guide, VPC_Internet_Gateway)."""
    if not attached(walk, route, here):
        return
    if flow.to.version == 4 and not flow.public:
        if flow.nat:
            message = f"the NAT gateway {flow.nat} has no public address, so an internet gateway drops its packets"
            at = PrivateNat(*entry(walk, here, route), flow.nat)
            walk.close(NAT_SUBNET_NO_INTERNET_ROUTE, flow.nat, message, at)
        message = f"{here.id} sends {route.destination} to {route.to}, and the control plane has no public address"
        walk.close(ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS, route.to, message, RouteEntry(*entry(walk, here, route)))
    if flow.to.version == 6 and not on_the_internet(flow.source):
        message = f"{flow.source} is a private IPv6 address: an internet gateway drops its packets"
        walk.close(ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS, route.to, message, RouteEntry(*entry(walk, here, route)))
    _public_access(walk, here.id, "the NAT gateway's traffic" if flow.nat else "", route.to)
    encrypted(walk, "InternetGateway", route.to)
    _inbound(walk, route.to, flow)
    _beyond(walk, flow, route.to)


def _inbound(walk: Walk, gateway: str, flow: Flow) -> None:
    """Return traffic, where the gateway has a route table of its own (user guide, gateway-route-tables)."""
    table = walk.topology.edges.get(gateway)
    route = walk.topology.route(table, flow.source).route if table else None
    if flow.inspected and (route is None or route.to != flow.inspected):
        walk.consulted.add(table.id if table else gateway)
        walk.around(flow.inspected, f"return traffic comes in by {gateway}")
    if flow.inspected and table is not None and route is not None and route.active and route.to == flow.inspected:
        walk.consulted.add(table.id)
        return
    if table is None or route is None or route.gate == "local":
        return
    walk.consulted.add(table.id)
    if not route.active:
        message = (
            f"return traffic is dropped: {table.id} of {gateway} sends {route.destination} to {route.to}, "
            "which no longer exists"
        )
        walk.block(ROUTE_BLACKHOLE, table.id, message, RouteEntry(table.id, "", route.destination, route.to))
    else:
        walk.ends(f"return traffic comes in by {route.to}, where {table.id} of {gateway} sends it")


def egress_only(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """Stateful, outwards only, IPv6 (user guide, egress-only-internet-gateway)."""
    if not attached(walk, route, here, EIGW_MISSING):
        return
    _public_access(walk, here.id, "an egress-only gateway's traffic", route.to)
    encrypted(walk, "EgressOnlyInternetGateway", route.to)
    _beyond(walk, flow, route.to)


def attached(walk: Walk, route: Route, here: Subnet, finding: FindingEntry = ROUTE_BLACKHOLE) -> bool:
    if route.to in walk.topology.gateways:
        return True
    if walk.topology.snapshot.gateways is None:
        walk.ends(f"whether {route.to} is attached cannot be read")
        return False
    message = f"{here.id} sends {route.destination} to {route.to}, which is not attached to the VPC"
    walk.close(finding, route.to, message, RouteEntry(*entry(walk, here, route)))
    return False


def _beyond(walk: Walk, flow: Flow, gateway: str) -> None:
    """Behind a gateway of the internet: the internet, or an interface of this VPC by its public address."""
    table = next((name for name in walk.elements if name.startswith("rtb-")), "")  # the caller's
    if flow.to in NAT64:
        message = f"{flow.to} needs a route of 64:ff9b::/96 to a NAT gateway, and {gateway} does not translate it"
        walk.close(NAT64_ROUTE_MISSING, gateway, message, PrivateAddress(str(flow.to), gateway, table))
    if not on_the_internet(flow.to):
        message = f"{flow.to} is not an address of the internet, and {gateway} leads only there"
        walk.close(PRIVATE_ADDRESS_TO_INTERNET, gateway, message, PrivateAddress(str(flow.to), gateway, table))
    own = walk.topology.public.get(flow.to)
    if own is not None:
        _hairpin(walk, flow, gateway, *own)


def _hairpin(walk: Walk, flow: Flow, gateway: str, interface: Interface, private: Address) -> None:
    """Back into the VPC: the target's ACL and groups see the NAT gateway's public address, not the caller's."""
    nat = walk.topology.nats.get(flow.nat)
    edge = walk.topology.edges.get(gateway)
    inbound = walk.topology.route(edge, private).route if edge else None
    if inbound is not None and inbound.gate != "local":
        walk.ends(f"calls come back in by {inbound.to}, where {edge.id if edge else gateway} sends them")
    elif nat is None or len(nat.elastic) != 1 or nat.elastic[0].startswith(_ALLOCATION):
        walk.ends(f"which public address a call to {flow.to}, which is {interface.id} of this VPC, comes from")
    elif interface.subnet not in walk.topology.subnets:
        walk.ends(f"the subnet of {interface.id}, which has {flow.to}, cannot be read")
    else:
        public, subnet, client = address(nat.elastic[0]), interface.subnet, flow.client
        _public_access(walk, subnet, "", gateway, inbound=True)
        walk.acl_in(subnet, public, flow.port, None)
        walk.back(subnet, client, lambda: walk.acl_out(subnet, public, None, client), arrives=False)
        walk.back(subnet, client, lambda: _returns_by_gateway(walk, subnet, public), arrives=False)
        arrive(walk, interface, flow._replace(source=public, to=private, groups=None))


def _returns_by_gateway(walk: Walk, subnet: str, to: Address) -> None:
    """Return traffic of an interface with a public address: it must leave by the internet gateway too."""
    table = walk.topology.table_of(subnet)
    if table is None:
        walk.ends(f"the route table of {subnet} cannot be read")
        return
    walk.consulted.add(table.id)
    route, unsure = walk.topology.route(table, to)
    if route is None or unsure:
        message = f"return traffic is dropped: {table.id} of {subnet} has no route for {to}"
        if unsure:
            walk.ends(unsure)
        else:
            walk.block(ROUTE_NO_EGRESS, table.id, message, MissingRoute(table.id, subnet, "ipv4", str(to)))
    elif not route.active or (route.gate == "internet" and route.to not in walk.topology.gateways):
        message = (
            f"return traffic is dropped: {table.id} of {subnet} sends {route.destination} to {route.to}, which is gone"
        )
        walk.block(ROUTE_BLACKHOLE, table.id, message, RouteEntry(table.id, subnet, route.destination, route.to))
    elif route.gate != "internet":
        walk.ends(f"return traffic leaves {subnet} by {route.to}, not by the path of the call")


def _public_access(walk: Walk, subnet: str, outwards_only: str, gateway: str, *, inbound: bool = False) -> None:
    """VPC Block Public Access (user guide, security-vpc-bpa-basics): `block-ingress` allows NAT and egress-only
    gateways. An exclusion, of the VPC or of the subnet at the gateway's side, for both directions lifts either mode;
    one for egress applies in `block-bidirectional` only, to calls outwards.
    """
    snapshot = walk.topology.snapshot
    options = snapshot.public_access
    walk.consulted.add("public_access")
    if options is None:
        walk.ends("VPC Block Public Access cannot be read")
        return
    outwards = options.mode == "block-bidirectional" and not inbound
    excluded = any(
        exclusion.of in (subnet, snapshot.vpc.id) and (outwards or exclusion.mode == "allow-bidirectional")
        for exclusion in options.exclusions
    )
    if options.mode == "off" or excluded or (options.mode == "block-ingress" and outwards_only):
        return
    unexcluded = f"neither {snapshot.vpc.id} nor {subnet} is" if subnet else f"{snapshot.vpc.id} is not"
    directions = "" if outwards else " for both directions"
    message = f"VPC Block Public Access is {options.mode}, and {unexcluded} excluded{directions}"
    walk.block(BPA_BLOCKS_EGRESS, gateway, message, PublicAccessBlock(options.mode, subnet, snapshot.vpc.id, gateway))


def encrypted(walk: Walk, resource: str, gateway: str) -> None:
    """VPC encryption controls in enforce mode drop what is not excluded (user guide, vpc-encryption-controls)."""
    walk.consulted.add("encryption")
    if walk.topology.snapshot.encryption is None:
        walk.ends("the VPC's encryption controls cannot be read")
    for control in walk.topology.snapshot.encryption or ():
        if control.mode == "enforce" and resource not in control.excluded:
            message = f"encryption controls {control.id} are enforced and do not exclude {resource}"
            walk.block(ENCRYPTION_CONTROL_BLOCKS, gateway, message, EncryptionControl(control.id, resource, gateway))


def nat(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """Source translation in the NAT gateway's own subnet, whose ACL sees both sides, by that subnet's routes."""
    nat = walk.topology.nats.get(route.to)
    if nat is None:
        if walk.topology.snapshot.nats is None:
            walk.ends(f"the NAT gateway {route.to} cannot be read")
            return
        message = f"{route.to} is not in this VPC"
        walk.close(ROUTE_BLACKHOLE, route.to, message, RouteEntry(*entry(walk, here, route)))
        return
    ready(walk, here, route, nat, NAT_NOT_AVAILABLE, "NAT gateway")
    inner = behind_nat64(flow.to) or flow.to
    if inner.version == 6:
        message = f"{route.to} translates IPv4, and IPv6 only of 64:ff9b::/96"
        walk.close(IPV6_ROUTE_MISSING, nat.id, message, WrongFamily(*entry(walk, here, route), "ipv6"))
    encrypted(walk, "NatGateway", nat.id)
    if nat.regional:
        if flow.inspected:
            walk.around(flow.inspected, f"return traffic leaves the regional NAT gateway {nat.id} by its own routes")
        _regional(walk, nat, flow._replace(to=inner))
        return
    if nat.id in flow.via or (nat.subnet == here.id and inner == flow.to):
        message = f"{nat.subnet}, the subnet of {nat.id}, sends {flow.to} back to it"
        table = walk.topology.table_of(nat.subnet)
        at = NatRoutes(nat.id, nat.subnet, table.id if table else "")
        walk.close(NAT_SUBNET_NO_INTERNET_ROUTE, nat.id, message, at)
    if nat.subnet == here.id or nat.subnet not in walk.topology.subnets or not nat.addresses:
        walk.ends(f"what {nat.id} does with this call is not known")
        return
    walk.enter(nat.subnet, flow)
    walk.left.append(EPHEMERAL)
    translated = flow._replace(
        source=address(nat.addresses[0]),
        to=inner,
        client=len(walk.left) - 1,
        groups=None,
        inspected="",
        public=nat.public and bool(nat.elastic),
        nat=nat.id,
        via=(*flow.via, nat.id),
    )
    if len(nat.addresses) > 1 and walk.topology.inside(inner):
        walk.ends(f"which of its addresses {nat.id} uses is not known")
    walk.depart(nat.subnet, translated)


def _regional(walk: Walk, nat: Nat, flow: Flow) -> None:
    """A regional NAT gateway is in no subnet, so behind no ACL, and has a route table of its own."""
    table = walk.topology.tables_by_id.get(nat.route_table)
    if table is None:
        walk.ends(f"the route table of the regional NAT gateway {nat.id} cannot be read")
        return
    walk.meets(table.id)
    route, unsure = walk.topology.route(table, flow.to)
    if unsure:
        walk.ends(unsure)
    elif route is None or not route.active:
        message = f"{table.id} of the regional NAT gateway {nat.id} has no route for {flow.to}"
        walk.close(NAT_SUBNET_NO_INTERNET_ROUTE, table.id, message, NatRoutes(nat.id, "", table.id))
    elif route.gate != "internet":
        walk.ends(f"the regional NAT gateway {nat.id} sends {flow.to} to {route.to}")
    elif walk.topology.snapshot.gateways is None:
        walk.ends(f"whether {route.to} is attached cannot be read")
    elif route.to not in walk.topology.gateways:
        message = f"{table.id} of {nat.id} sends {route.destination} to {route.to}, which is not attached to the VPC"
        walk.close(ROUTE_BLACKHOLE, table.id, message, PrivateNat(table.id, "", route.destination, route.to, nat.id))
    else:
        _public_access(walk, "", "the NAT gateway's traffic", route.to)
        encrypted(walk, "InternetGateway", route.to)
        _beyond(walk, flow._replace(nat=nat.id), route.to)


def ready(
    walk: Walk, here: Subnet, route: Route, resource: Nat | Peering | VpcEndpoint, finding: FindingEntry, kind: str
) -> None:
    if resource.state not in ("available", "active"):
        message = f"{here.id} sends {route.destination} to the {kind} {resource.id}, which is {resource.state}"
        walk.close(finding, resource.id, message, RouteTargetState(*entry(walk, here, route), resource.state))


def entry(walk: Walk, here: Subnet, route: Route) -> tuple[str, str, str, str]:
    """Route table, subnet, destination, target: the fields of a RouteEntry."""
    table = walk.topology.table_of(here.id)
    return (table.id if table else "", here.id, route.destination, route.to)
