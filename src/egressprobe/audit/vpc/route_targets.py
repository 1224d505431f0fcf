"""The targets of routes, one function a kind: what each does with a packet, and its own way on.

Where the VPC's configuration does not tell (a transit gateway's tables, a peer, an appliance's rules) the walk `ends`
and says so; what may close it before and behind that is looked at all the same.
"""

from egressprobe.audit.vpc.cidr import EPHEMERAL, address, behind_nat64, block, on_the_internet
from egressprobe.audit.vpc.snapshot import Endpoint, Nat, Peering, Route, Subnet
from egressprobe.audit.vpc.walk import Flow, Gates, Walk


def _local(walk: Walk, _: Subnet, __: Route, flow: Flow) -> None:
    """Another subnet of the VPC (an address beside us never gets here)."""
    there = walk.network.subnet_of(flow.to)
    if there is None:
        if walk.network.shared:
            walk.ends(f"no subnet that this account can see has {flow.to}")
            return
        said = f"{flow.to} is in the VPC's range and in none of its subnets"
        walk.close("ADDRESS_NOT_IN_A_SUBNET", str(flow.to), said, address=str(flow.to))
        return
    walk.enter(there.id, flow)
    walk.deliver(flow)


def _internet(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """1:1 translation for those who have a public address; nobody else passes (user guide, VPC_Internet_Gateway)."""
    if not _attached(walk, route, here):
        return
    if flow.to.version == 4 and not flow.public:
        if flow.nat:
            said = f"the NAT gateway {flow.nat} has no public address, so an internet gateway drops its packets"
            walk.close("NAT_SUBNET_NO_INTERNET_ROUTE", flow.nat, said, nat=flow.nat, **_named(walk, here, route))
        said = f"{here.id} sends {route.destination} to {route.to}, and the control plane has no public address"
        walk.close("ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS", route.to, said, **_named(walk, here, route))
    if flow.to.version == 6 and not on_the_internet(flow.source):
        said = f"{flow.source} is a private IPv6 address: an internet gateway drops its packets"
        walk.close("ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS", route.to, said, **_named(walk, here, route))
    _public_access(walk, here.id, "the NAT gateway's traffic" if flow.nat else "", route.to)
    _encrypted(walk, "InternetGateway", route.to)
    _inbound(walk, route.to, flow)
    _out(walk, flow, route.to)


def _inbound(walk: Walk, gateway: str, flow: Flow) -> None:
    """The answer's first step, where the gateway has a route table of its own (user guide, gateway-route-tables)."""
    table = walk.network.edges.get(gateway)
    route = walk.network.route(table, flow.source).route if table else None
    if table is None or route is None or route.gate == "local":
        return
    held = {"routeTable": table.id, "subnet": "", "destination": route.destination, "target": route.to}
    if not route.active:
        said = f"answers die: {table.id} of {gateway} sends {route.destination} to {route.to}, which is gone"
        walk.close("ROUTE_BLACKHOLE", table.id, said, **held)
    walk.ends(f"answers come in by {route.to}, where {table.id} of {gateway} sends them")


def _egress_only(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """Stateful, outwards only, IPv6 (user guide, egress-only-internet-gateway)."""
    if not _attached(walk, route, here, code="EIGW_MISSING"):
        return
    _public_access(walk, here.id, "an egress-only gateway's traffic", route.to)
    _encrypted(walk, "EgressOnlyInternetGateway", route.to)
    _out(walk, flow, route.to)


def _attached(walk: Walk, route: Route, here: Subnet, code: str = "ROUTE_BLACKHOLE") -> bool:
    if route.to in walk.network.gateways:
        return True
    if walk.network.snapshot.gateways is None:
        walk.ends(f"whether {route.to} is attached cannot be read")
        return False
    said = f"{here.id} sends {route.destination} to {route.to}, which is not attached to the VPC"
    walk.close(code, route.to, said, **_named(walk, here, route))
    return False


def _out(walk: Walk, flow: Flow, gate: str) -> None:
    if not on_the_internet(flow.to):
        table = next((one for one in walk.elements if one.startswith("rtb-")), "")  # the caller's
        said = f"{flow.to} is a private address, and {gate} leads to the internet, where nobody has a route to it"
        walk.close("PRIVATE_ADDRESS_TO_INTERNET", gate, said, address=str(flow.to), gateway=gate, routeTable=table)


def _public_access(walk: Walk, subnet: str, outwards_only: str, gate: str) -> None:
    """VPC Block Public Access (user guide, security-vpc-bpa-basics): `block-ingress` lets NAT and egress-only
    gateways pass; an exclusion of the VPC or of the subnet at the gateway's side lifts either mode for calls outwards.
    """
    snapshot = walk.network.snapshot
    said = snapshot.public_access
    if said is None:
        walk.ends("VPC Block Public Access cannot be read")
        return
    excluded = any(one.of in (subnet, snapshot.vpc.id) for one in said.exclusions)
    if said.mode == "off" or excluded or (said.mode == "block-ingress" and outwards_only):
        return
    words = (
        f"VPC Block Public Access is {said.mode}, and neither {snapshot.vpc.id} nor {subnet or 'a subnet'} is excluded"
    )
    walk.close("BPA_BLOCKS_EGRESS", gate, words, mode=said.mode, subnet=subnet, vpc=snapshot.vpc.id, gateway=gate)


def _encrypted(walk: Walk, what: str, gate: str) -> None:
    """VPC encryption controls in enforce mode drop what is not excluded (user guide, vpc-encryption-controls)."""
    for one in walk.network.snapshot.encryption or ():
        if one.mode == "enforce" and what not in one.excluded:
            said = f"encryption controls {one.id} are enforced and do not exclude {what}"
            walk.close("ENCRYPTION_CONTROL_BLOCKS", gate, said, control=one.id, resource=what, gateway=gate)


def _nat(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """Source translation in the NAT's own subnet, whose ACL sees both sides, by that subnet's routes."""
    found = walk.network.nats.get(route.to)
    if found is None:
        if walk.network.snapshot.nats is None:
            walk.ends(f"the NAT gateway {route.to} cannot be read")
            return
        walk.close("ROUTE_BLACKHOLE", route.to, f"{route.to} is not in this VPC any more", **_named(walk, here, route))
        return
    _ready(walk, here, route, found, "NAT_NOT_AVAILABLE", "NAT gateway")
    inner = behind_nat64(flow.to) or flow.to
    if inner.version == 6:
        said = f"{route.to} translates IPv4, and IPv6 only of 64:ff9b::/96"
        walk.close("IPV6_ROUTE_MISSING", found.id, said, family="ipv6", **_named(walk, here, route))
    _encrypted(walk, "NatGateway", found.id)
    if found.regional:
        _regional(walk, found, flow._replace(to=inner))
        return
    if found.id in flow.via or (found.subnet == here.id and inner == flow.to):
        said = f"{found.subnet}, where {found.id} is, sends {flow.to} back to it"
        table = walk.network.table_of(found.subnet)
        held = {"nat": found.id, "subnet": found.subnet, "routeTable": table.id if table else ""}
        walk.close("NAT_SUBNET_NO_INTERNET_ROUTE", found.id, said, **held)
    if found.subnet == here.id or found.subnet not in walk.network.subnets or not found.addresses:
        walk.ends(f"what {found.id} does with this call is not known")
        return
    walk.enter(found.subnet, flow)
    walk.left.append(EPHEMERAL)
    behind = flow._replace(
        source=address(found.addresses[0]),
        to=inner,
        client=len(walk.left) - 1,
        groups=None,
        public=found.public and bool(found.elastic),
        nat=found.id,
        via=(*flow.via, found.id),
    )
    if len(found.addresses) > 1 and walk.network.inside(inner):
        walk.ends(f"which of its addresses {found.id} takes is not known")
    walk.depart(found.subnet, behind)


def _regional(walk: Walk, nat: Nat, flow: Flow) -> None:
    """A regional NAT gateway stands in no subnet, so behind no ACL, and has a route table of its own."""
    table = walk.network.tables_by_id.get(nat.route_table)
    if table is None:
        walk.ends(f"the route table of the regional NAT gateway {nat.id} cannot be read")
        return
    walk.elements.append(table.id)
    route, unsure = walk.network.route(table, flow.to)
    held = {"nat": nat.id, "routeTable": table.id, "subnet": ""}
    if unsure:
        walk.ends(unsure)
    elif route is None or not route.active:
        said = f"{table.id} of the regional NAT gateway {nat.id} has no route for {flow.to}"
        walk.close("NAT_SUBNET_NO_INTERNET_ROUTE", table.id, said, **held)
    elif route.gate != "internet":
        walk.ends(f"the regional NAT gateway {nat.id} sends {flow.to} to {route.to}")
    elif walk.network.snapshot.gateways is None:
        walk.ends(f"whether {route.to} is attached cannot be read")
    elif route.to not in walk.network.gateways:
        said = f"{table.id} of {nat.id} sends {route.destination} to {route.to}, which is not attached to the VPC"
        walk.close("ROUTE_BLACKHOLE", table.id, said, **held, destination=route.destination, target=route.to)
    else:
        _public_access(walk, "", "the NAT gateway's traffic", route.to)
        _encrypted(walk, "InternetGateway", route.to)
        _out(walk, flow, route.to)


def _transit(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """Through the attachment in our zone (transit gateway guide, tgw-nacls, tgw-vpc-attachments)."""
    snapshot = walk.network.snapshot
    if snapshot.attachments is None:
        walk.ends(f"the attachments of {route.to} cannot be read")
        return
    held = [one for one in walk.network.attachments_of(route.to) if one.state in ("available", "modifying")]
    subnets = [walk.network.subnets.get(name) for one in held for name in one.subnets]
    ours = [one for one in subnets if one is not None and one.zone == here.zone]
    if not ours:
        said = f"{route.to} has no attachment in {here.zone}, so it takes nothing from {here.id}"
        walk.close("TGW_NO_ATTACHMENT_IN_AZ", route.to, said, zone=here.zone, **_named(walk, here, route))
    if flow.to.version == 6 and not any(one.ipv6 for one in held):
        said = f"the attachment of {route.to} has IPv6 support off"
        walk.close("IPV6_ROUTE_MISSING", route.to, said, family="ipv6", **_named(walk, here, route))
    walk.ends(f"the transit gateway {route.to}: its route tables, and what is behind it")
    there = ours[0].id
    walk.acl_in(there, flow.source, flow.port, None)
    if there == here.id:  # out of its own subnet both directions are asked, into it none
        walk.back.pop()
    elif len(subnets) == 1:  # of several nobody says which one answers take
        walk.back.append(lambda: walk.acl_out(there, flow.source, None, flow.client))


def _vpn(walk: Walk, here: Subnet, route: Route, _: Flow) -> None:
    if _attached(walk, route, here):
        _encrypted(walk, "VirtualPrivateGateway", route.to)
        walk.ends(f"the VPN gateway {route.to}, and what is behind it")


def _peering(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """Never transitive: a peer takes what is for itself (peering guide, edge-to-edge routing)."""
    found = walk.network.peerings.get(route.to)
    if found is None:
        walk.ends(f"the peering connection {route.to} cannot be read")
        return
    _ready(walk, here, route, found, "PEERING_NOT_ACTIVE", "peering connection")
    if found.blocks and not any(flow.to in block(text) for text in found.blocks):
        said = f"{flow.to} is not of {found.peer}, and peering takes nothing further"
        walk.close("PEERING_NOT_TRANSITIVE", found.id, said, peer=found.peer, **_named(walk, here, route))
    _encrypted(walk, "VpcPeering", found.id)
    walk.ends(f"the other side of {found.id}: {found.peer}")


def _endpoint(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """A gateway endpoint (S3, DynamoDB) ends here; a Gateway Load Balancer's or firewall's looks, and sends on."""
    found = walk.network.endpoints.get(route.to)
    if found is None:
        walk.ends(f"the VPC endpoint {route.to} cannot be read")
        return
    _ready(walk, here, route, found, "ENDPOINT_NOT_AVAILABLE", "VPC endpoint")
    if found.kind == "Gateway":
        return
    walk.ends(f"the firewall or appliance behind {found.id}: its rules")
    there = next((name for name in found.subnets if name in walk.network.subnets), None)
    if there is None or there == here.id or found.id in flow.via:
        return
    walk.acl_in(there, flow.source, flow.port, None)
    back = list(walk.back)
    walk.depart(there, flow._replace(groups=None, via=(*flow.via, found.id)))
    walk.back[:] = back  # which way answers come is the other side's routes' to say


def _interface(walk: Walk, here: Subnet, route: Route, flow: Flow) -> None:
    """A NAT instance or an appliance of one's own: what it forwards, nobody but it knows."""
    network = walk.network
    found = network.interfaces.get(route.to) or network.instances.get(route.to)
    if found is None:
        walk.ends(f"{route.to} cannot be read")
        return
    if found.checked:
        said = f"{found.id} takes only what is for itself: its source/destination check is on"
        walk.close("APPLIANCE_SOURCE_DEST_CHECK", found.id, said, interface=found.id, **_named(walk, here, route))
    if found.subnet != here.id:
        walk.acl_in(found.subnet, flow.source, flow.port, None)
    walk.groups_in(found, flow)
    walk.ends(f"the appliance {route.to}: what it forwards, and where")


def _ready(walk: Walk, here: Subnet, route: Route, found: Nat | Peering | Endpoint, code: str, what: str) -> None:
    if found.state not in ("available", "active"):
        said = f"{here.id} sends {route.destination} to the {what} {found.id}, which is {found.state}"
        walk.close(code, found.id, said, state=found.state, **_named(walk, here, route))


def _other(walk: Walk, _: Subnet, route: Route, __: Flow) -> None:
    walk.ends(f"what {route.to or 'the target'} of {route.destination} does with it")


def _named(walk: Walk, here: Subnet, route: Route) -> dict[str, str]:
    table = walk.network.table_of(here.id)
    named = {"subnet": here.id, "routeTable": table.id if table else "", "destination": route.destination}
    return named | {"target": route.to}


GATES: Gates = {
    "local": _local,
    "internet": _internet,
    "egress-only": _egress_only,
    "nat": _nat,
    "transit": _transit,
    "vpn": _vpn,
    "peering": _peering,
    "endpoint": _endpoint,
    "interface": _interface,
    "other": _other,
}
