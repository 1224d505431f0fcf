"""Lists of EC2 that need more than one question, or more than a filter by VPC."""

from collections.abc import Iterable
from typing import Any

from egressprobe.audit.vpc.snapshot import Encryption, Exclusion, Gateway, Peering, PrefixList, PublicAccess
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from egressprobe.aws import ec2_parse as parse
from egressprobe.aws.paging import Refused, every, tried

NO_PUBLIC_ACCESS_BLOCK = PublicAccess("off")


def gateways(ec2: Any, vpc_id: str) -> tuple[Gateway, ...]:
    """Egress-only gateways know no filter by VPC."""
    held = [{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
    found = [
        parse.internet_gateway(one, vpc_id)
        for one in every(ec2, "describe_internet_gateways", "InternetGateways", Filters=held)
    ]
    found += [
        parse.egress_only_gateway(one, vpc_id)
        for one in every(ec2, "describe_egress_only_internet_gateways", "EgressOnlyInternetGateways")
    ]
    found += [
        parse.vpn_gateway(one, vpc_id) for one in every(ec2, "describe_vpn_gateways", "VpnGateways", Filters=held)
    ]
    return tuple(sorted((one for one in found if one.attached), key=lambda one: one.id))


def peerings(ec2: Any, vpc_id: str) -> tuple[Peering, ...]:
    said = [
        one
        for side in ("accepter-vpc-info.vpc-id", "requester-vpc-info.vpc-id")
        for one in every(
            ec2,
            "describe_vpc_peering_connections",
            "VpcPeeringConnections",
            Filters=[{"Name": side, "Values": [vpc_id]}],
        )
    ]
    found = {one["VpcPeeringConnectionId"]: parse.peering(one, vpc_id) for one in said}
    return tuple(found[key] for key in sorted(found))


def prefix_lists(ec2: Any, named: set[str]) -> tuple[PrefixList, ...]:
    """Those named, with their entries; one that cannot be read has None."""
    return tuple(PrefixList(name, _entries(ec2, name)) for name in sorted(named))


def _entries(ec2: Any, name: str) -> tuple[str, ...] | None:
    try:
        found = every(ec2, "get_managed_prefix_list_entries", "Entries", PrefixListId=name)
    except Refused:
        return None
    return tuple(one["Cidr"] for one in found)


def dhcp(ec2: Any, options: str) -> Dhcp | None:
    """`default` is what a VPC without options says: no servers at all."""
    if options in ("", "default"):
        return Dhcp("default")
    found = every(ec2, "describe_dhcp_options", "DhcpOptions", DhcpOptionsIds=[options])
    return parse.dhcp(found[0]) if found else None


def attribute(ec2: Any, vpc_id: str, name: str) -> bool:
    said = tried(ec2, "describe_vpc_attribute", lambda: ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name))
    return bool(said[name[0].upper() + name[1:]]["Value"])


def public_access(ec2: Any) -> PublicAccess:
    operation = "describe_vpc_block_public_access_options"
    read = lambda: getattr(ec2, operation)()  # noqa: E731, PLW0108 (an older botocore lacks it, which `tried` tells)
    said = tried(ec2, operation, read)["VpcBlockPublicAccessOptions"]
    mode = said.get("InternetGatewayBlockMode") or "off"
    listed: Iterable[Any] = ()
    if mode != "off":
        listed = every(ec2, "describe_vpc_block_public_access_exclusions", "VpcBlockPublicAccessExclusions")
    held = [
        Exclusion(one["ResourceArn"].rpartition("/")[2], one.get("InternetGatewayExclusionMode") or "")
        for one in listed
        if one.get("State") in ("create-complete", "update-complete", "update-in-progress")
    ]
    return PublicAccess(mode, tuple(sorted(held, key=lambda one: one.of)))


def encryption(ec2: Any, vpc_id: str) -> tuple[Encryption, ...]:
    asked = {"Filters": [{"Name": "vpc-id", "Values": [vpc_id]}]}
    found = every(ec2, "describe_vpc_encryption_controls", "VpcEncryptionControls", **asked)
    return tuple(
        Encryption(
            one.get("VpcEncryptionControlId") or "",
            one.get("Mode") or "",
            tuple(
                sorted(
                    name
                    for name, held in (one.get("ResourceExclusions") or {}).items()
                    if held.get("State") in ("enabled", "disabling")
                )
            ),
        )
        for one in found
        if one.get("State") not in ("deleted", "deleting", "creating")
    )
