"""The exact commands that mend a finding, with the ids filled in: a table from code to what makes them.

Each command is one line that a shell takes as it is. Where an id comes only from the command before, it stands as
a word in capitals after the id's prefix: nat-NEW.
"""

from collections.abc import Callable, Sequence
from typing import Any

from egressprobe.audit.vpc.cidr import address, on_the_internet
from egressprobe.audit.vpc.snapshot import Nat
from egressprobe.audit.vpc.topology import Network

type Evidence = dict[str, Any]
_LAST_RULE = 32766


def commands(network: Network, code: str, evidence: Evidence) -> tuple[str, ...]:
    """Of a finding on a path. None where only a person can know."""
    make = _MAKERS.get(code)
    return tuple(make(network, evidence)) if make else ()


def _group_out(network: Network, said: Evidence) -> list[str]:
    if not said["groups"]:
        return []
    who = _ranges(_scope(network, said["remote"]))
    return [f"aws ec2 authorize-security-group-egress --group-id {said['groups'][0]} {_permission(said, who)}"]


def _group_in(network: Network, said: Evidence) -> list[str]:
    """By the cluster's own group where the call comes straight from it; else by address."""
    caller = network.interface_of(address(said["remote"]))
    ours = network.snapshot.cluster.groups
    if ours and not said["translated"] and (caller is None or set(caller.groups) & set(ours)):
        who = f"UserIdGroupPairs=[{{GroupId={ours[0]}}}]"
    else:
        who = _ranges(_scope(network, said["remote"]))
    return [f"aws ec2 authorize-security-group-ingress --group-id {said['groups'][0]} {_permission(said, who)}"]


def _permission(said: Evidence, who: str) -> str:
    return f"--ip-permissions 'IpProtocol={said['protocol']},FromPort={said['port']},ToPort={said['port']},{who}'"


def _ranges(block: str) -> str:
    return f"Ipv6Ranges=[{{CidrIpv6={block}}}]" if ":" in block else f"IpRanges=[{{CidrIp={block}}}]"


def _scope(network: Network, remote: str) -> str:
    """As wide as is sure to help: the subnet of an address inside, the internet, or the one address."""
    one = address(remote)
    inside = network.subnet_of(one)
    if inside is not None:
        return next(held for held in inside.blocks if (":" in held) == (one.version == 6))
    if on_the_internet(one):
        return "::/0" if one.version == 6 else "0.0.0.0/0"
    return f"{remote}/{128 if one.version == 6 else 32}"


def _acl(network: Network, said: Evidence) -> list[str]:
    acl = next(one for one in network.snapshot.acls or () if one.id == said["networkAcl"])
    egress = said["direction"] == "egress"
    taken = {entry.number for entry in acl.entries if entry.egress is egress}
    free = next((n for n in range(min(said["rule"], _LAST_RULE + 1) - 1, 0, -1) if n not in taken), None)
    verb = "create" if free else "replace"
    block = _scope(network, said["remote"])
    ports = "From=1024,To=65535" if not said["ports"].isdigit() else f"From={said['ports']},To={said['ports']}"
    return [
        (
            f"aws ec2 {verb}-network-acl-entry --network-acl-id {acl.id} --rule-number {free or said['rule']} "
            f"--{'egress' if egress else 'ingress'} --rule-action allow --protocol {said['protocol']} "
            f"--port-range {ports} {'--ipv6-cidr-block' if ':' in block else '--cidr-block'} {block}"
        )
    ]


def _no_route(network: Network, said: Evidence) -> list[str]:
    """To a NAT gateway of the same zone if there is one, of any zone, or a new one; a private address elsewhere."""
    if not on_the_internet(address(said["address"])):
        return _private(network, said)
    return _to_nat(network, said, "create")


def _instead(network: Network, said: Evidence) -> list[str]:
    return _to_nat(network, said, "replace")


def _to_nat(network: Network, said: Evidence, verb: str) -> list[str]:
    if ":" in said.get("destination", "") or said.get("family") == "ipv6":
        return _to_eigw(network, said, verb)
    made, nat = _nat(network, said.get("subnet", ""), said.get("nat", "") or said.get("target", ""))
    return [*made, f"aws ec2 {verb}-route --route-table-id {said['routeTable']} {_to(said)} --nat-gateway-id {nat}"]


def _nat(network: Network, subnet: str, but: str) -> tuple[list[str], str]:
    def good(one: Nat) -> bool:
        return one.state == "available" and one.public and one.id != but and one.subnet != subnet

    zones = {one.id: one.zone for one in network.snapshot.subnets}
    found = [one for one in network.snapshot.nats or () if good(one)]
    found.sort(key=lambda one: (not one.regional, zones.get(one.subnet) != zones.get(subnet)))
    if found:
        return [], found[0].id
    return [f"aws ec2 create-nat-gateway --vpc-id {network.snapshot.vpc.id} --availability-mode regional"], "nat-NEW"


def _no_ipv6_route(network: Network, said: Evidence) -> list[str]:
    if "address" in said and not on_the_internet(address(said["address"])):
        return _private(network, said)
    return _to_eigw(network, said)


def _to_eigw(network: Network, said: Evidence, verb: str = "create") -> list[str]:
    held = next((one.id for one in network.snapshot.gateways or () if one.kind == "egress-only"), None)
    made = [] if held else [f"aws ec2 create-egress-only-internet-gateway --vpc-id {network.snapshot.vpc.id}"]
    table, destination = said["routeTable"], said.get("destination", "")
    if ":" in destination:
        verb = "replace"
    to = destination if ":" in destination else "::/0"
    gateway = f"--egress-only-internet-gateway-id {held or 'eigw-NEW'}"
    return [*made, f"aws ec2 {verb}-route --route-table-id {table} --destination-ipv6-cidr-block {to} {gateway}"]


def _to(said: Evidence) -> str:
    destination = said.get("destination") or "0.0.0.0/0"
    if destination.startswith("pl-"):
        return f"--destination-prefix-list-id {destination}"
    return f"--destination-{'ipv6-' if ':' in destination else ''}cidr-block {destination}"


def _black_hole(network: Network, said: Evidence) -> list[str]:
    if said["target"].startswith("nat-"):
        return _instead(network, said)
    if said["target"].startswith("igw-"):
        vpc = network.snapshot.vpc.id
        return [f"aws ec2 attach-internet-gateway --internet-gateway-id {said['target']} --vpc-id {vpc}"]
    if said["target"].startswith("eigw-"):
        return _to_eigw(network, said)
    return [f"aws ec2 delete-route --route-table-id {said['routeTable']} {_to(said)}"]


def _nat_way(network: Network, said: Evidence) -> list[str]:
    """The NAT's own route to an internet gateway; a private NAT, or one among its own clients, is replaced."""
    nat = network.nats.get(said["nat"])
    gateway = next((one.id for one in network.snapshot.gateways or () if one.kind == "internet"), None)
    vpc = network.snapshot.vpc.id
    made = []
    if gateway is None:
        gateway = "igw-NEW"
        attach = f"aws ec2 attach-internet-gateway --internet-gateway-id {gateway} --vpc-id {vpc}"
        made = ["aws ec2 create-internet-gateway", attach]
    if nat is not None and not (nat.public and (nat.elastic or nat.regional)):
        return [f"aws ec2 create-nat-gateway --vpc-id {vpc} --availability-mode regional"]
    table = network.tables_by_id.get(said["routeTable"])
    there = table is not None and any(one.destination == "0.0.0.0/0" for one in table.routes)
    verb = "replace" if there else "create"
    way = f"--destination-cidr-block 0.0.0.0/0 --gateway-id {gateway}"
    return [*made, f"aws ec2 {verb}-route --route-table-id {said['routeTable']} {way}"]


def _private(network: Network, said: Evidence) -> list[str]:
    """To the transit gateway, if that is the only thing that could lead there."""
    gates = {one.gateway for one in network.snapshot.attachments or ()}
    if len(gates) != 1 or not said.get("routeTable"):
        return []
    text = said["address"]
    block = f"--destination-ipv6-cidr-block {text}/128" if ":" in text else f"--destination-cidr-block {text}/32"
    return [f"aws ec2 create-route --route-table-id {said['routeTable']} {block} --transit-gateway-id {gates.pop()}"]


def _public_access(_: Network, said: Evidence) -> list[str]:
    what = f"--subnet-id {said['subnet']}" if said["subnet"] else f"--vpc-id {said['vpc']}"
    return [f"aws ec2 create-vpc-block-public-access-exclusion {what} --internet-gateway-exclusion-mode allow-egress"]


_EXCLUSIONS = {
    "InternetGateway": "internet-gateway",
    "EgressOnlyInternetGateway": "egress-only-internet-gateway",
    "NatGateway": "nat-gateway",
    "VirtualPrivateGateway": "virtual-private-gateway",
    "VpcPeering": "vpc-peering",
}


def _encryption(_: Network, said: Evidence) -> list[str]:
    return [
        (
            f"aws ec2 modify-vpc-encryption-control --vpc-encryption-control-id {said['control']} "
            f"--{_EXCLUSIONS[said['resource']]}-exclusion enable"
        )
    ]


def _attach(network: Network, said: Evidence) -> list[str]:
    held = network.attachments_of(said["target"])
    vpc = network.snapshot.vpc.id
    if not held:
        return [
            (
                f"aws ec2 create-transit-gateway-vpc-attachment --transit-gateway-id {said['target']} --vpc-id {vpc} "
                f"--subnet-ids {said['subnet']}"
            )
        ]
    return [
        (
            f"aws ec2 modify-transit-gateway-vpc-attachment --transit-gateway-attachment-id {held[0].id} "
            f"--add-subnet-ids {said['subnet']}"
        )
    ]


def _accept(_: Network, said: Evidence) -> list[str]:
    if said["state"] != "pending-acceptance":
        return [f"aws ec2 delete-route --route-table-id {said['routeTable']} {_to(said)}"]
    return [f"aws ec2 accept-vpc-peering-connection --vpc-peering-connection-id {said['target']}"]


def _take_back(_: Network, said: Evidence) -> list[str]:
    return [f"aws ec2 delete-route --route-table-id {said['routeTable']} {_to(said)}"]


def _no_check(_: Network, said: Evidence) -> list[str]:
    return [
        f"aws ec2 modify-network-interface-attribute --network-interface-id {said['interface']} --no-source-dest-check"
    ]


def _ipv6_block(network: Network, said: Evidence) -> list[str]:
    """The first /64 of the VPC's that no subnet has."""
    whole = next((one for one in network.blocks if one.version == 6), None)
    vpc = network.snapshot.vpc.id
    if whole is None:
        return [f"aws ec2 associate-vpc-cidr-block --vpc-id {vpc} --amazon-provided-ipv6-cidr-block"]
    taken = {held.first for held, _ in network.subnet_blocks if held.version == 6}
    for first in range(whole.first, whole.last, 1 << 64):
        if first not in taken:
            block = f"{_text(first)}/64"
            return [f"aws ec2 associate-subnet-cidr-block --subnet-id {said['subnet']} --ipv6-cidr-block {block}"]
    return []


def _text(number: int) -> str:
    import ipaddress

    return str(ipaddress.IPv6Address(number))


_MAKERS: dict[str, Callable[[Network, Evidence], Sequence[str]]] = {
    "SG_EGRESS_DENIED": _group_out,
    "SG_INGRESS_DENIED": _group_in,
    "NACL_EGRESS_DENIED": _acl,
    "NACL_INGRESS_DENIED": _acl,
    "NACL_EPHEMERAL_DENIED": _acl,
    "ROUTE_NO_EGRESS": _no_route,
    "IPV6_ROUTE_MISSING": _no_ipv6_route,
    "EIGW_MISSING": _to_eigw,
    "ROUTE_BLACKHOLE": _black_hole,
    "ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS": _instead,
    "NAT_NOT_AVAILABLE": _instead,
    "NAT_SUBNET_NO_INTERNET_ROUTE": _nat_way,
    "PRIVATE_ADDRESS_TO_INTERNET": _private,
    "BPA_BLOCKS_EGRESS": _public_access,
    "ENCRYPTION_CONTROL_BLOCKS": _encryption,
    "TGW_NO_ATTACHMENT_IN_AZ": _attach,
    "PEERING_NOT_ACTIVE": _accept,
    "PEERING_NOT_TRANSITIVE": _take_back,
    "ENDPOINT_NOT_AVAILABLE": _take_back,
    "APPLIANCE_SOURCE_DEST_CHECK": _no_check,
    "SUBNET_WITHOUT_IPV6": _ipv6_block,
}
