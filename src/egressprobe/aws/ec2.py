"""Lists of EC2 that need more than one call, or more than a filter by VPC."""

from collections.abc import Iterable
from typing import Any

from egressprobe.audit.vpc.snapshot import Encryption, Exclusion, Gateway, Peering, PrefixList, PublicAccess
from egressprobe.audit.vpc.snapshot_dns import Dhcp
from egressprobe.aws.paging import ReadRefused, every, tried
from egressprobe.aws.parse import ec2_parse as parse

NO_PUBLIC_ACCESS_BLOCK = PublicAccess("off")


def gateways(ec2: Any, vpc_id: str) -> tuple[Gateway, ...]:
    """DescribeEgressOnlyInternetGateways has no filter by VPC."""
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
    listed = [
        parse.internet_gateway(item, vpc_id)
        for item in every(ec2, "describe_internet_gateways", "InternetGateways", Filters=attached)
    ]
    listed += [
        parse.egress_only_gateway(item, vpc_id)
        for item in every(ec2, "describe_egress_only_internet_gateways", "EgressOnlyInternetGateways")
    ]
    listed += [
        parse.vpn_gateway(item, vpc_id) for item in every(ec2, "describe_vpn_gateways", "VpnGateways", Filters=attached)
    ]
    return tuple(sorted((gateway for gateway in listed if gateway.attached), key=lambda gateway: gateway.id))


def peerings(ec2: Any, vpc_id: str) -> tuple[Peering, ...]:
    items = [
        item
        for side in ("accepter-vpc-info.vpc-id", "requester-vpc-info.vpc-id")
        for item in every(
            ec2,
            "describe_vpc_peering_connections",
            "VpcPeeringConnections",
            Filters=[{"Name": side, "Values": [vpc_id]}],
        )
    ]
    peerings = {item["VpcPeeringConnectionId"]: parse.peering(item, vpc_id) for item in items}
    return tuple(peerings[key] for key in sorted(peerings))


def prefix_lists(ec2: Any, named: set[str]) -> tuple[PrefixList, ...]:
    """Those named, with their entries; one that cannot be read has None."""
    return tuple(PrefixList(name, _entries(ec2, name)) for name in sorted(named))


def _entries(ec2: Any, name: str) -> tuple[str, ...] | None:
    try:
        entries = every(ec2, "get_managed_prefix_list_entries", "Entries", PrefixListId=name)
    except ReadRefused:
        return None
    return tuple(entry["Cidr"] for entry in entries)


def dhcp(ec2: Any, options: str) -> Dhcp | None:
    """A VPC without options reports `default`: no servers at all."""
    if options in ("", "default"):
        return Dhcp("default")
    options_sets = every(ec2, "describe_dhcp_options", "DhcpOptions", DhcpOptionsIds=[options])
    return parse.dhcp(options_sets[0]) if options_sets else None


def attribute(ec2: Any, vpc_id: str, name: str) -> bool:
    response = tried(ec2, "describe_vpc_attribute", lambda: ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=name))
    return bool(response[name[0].upper() + name[1:]]["Value"])


def public_access(ec2: Any) -> PublicAccess:
    operation = "describe_vpc_block_public_access_options"
    read = lambda: getattr(ec2, operation)()  # noqa: E731, PLW0108 (an older botocore lacks it, which `tried` reports)
    options = tried(ec2, operation, read)["VpcBlockPublicAccessOptions"]
    mode = options.get("InternetGatewayBlockMode") or "off"
    listed: Iterable[Any] = ()
    if mode != "off":
        listed = every(ec2, "describe_vpc_block_public_access_exclusions", "VpcBlockPublicAccessExclusions")
    exclusions = [
        Exclusion(item["ResourceArn"].rpartition("/")[2], item.get("InternetGatewayExclusionMode") or "")
        for item in listed
        if item.get("State") in ("create-complete", "update-complete", "update-in-progress")
    ]
    return PublicAccess(mode, tuple(sorted(exclusions, key=lambda exclusion: exclusion.of)))


def encryption(ec2: Any, vpc_id: str) -> tuple[Encryption, ...]:
    of_vpc = [{"Name": "vpc-id", "Values": [vpc_id]}]
    items = every(ec2, "describe_vpc_encryption_controls", "VpcEncryptionControls", Filters=of_vpc)
    return tuple(
        Encryption(
            item.get("VpcEncryptionControlId") or "",
            item.get("Mode") or "",
            tuple(
                sorted(
                    name
                    for name, exclusion in (item.get("ResourceExclusions") or {}).items()
                    if exclusion.get("State") in ("enabled", "disabling")
                )
            ),
        )
        for item in items
        if item.get("State") not in ("deleted", "deleting", "creating")
    )
