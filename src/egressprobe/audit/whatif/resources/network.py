"""The VPC as a whole, its subnets, DHCP options, public access, names, and the cluster."""

from collections.abc import Mapping
from typing import Any

from egressprobe.audit.whatif.plan import NAMES, KnownAfterApply, PlannedCall, Unmodelled
from egressprobe.audit.whatif.resources.calls import (
    Effects,
    KnownResources,
    PlannedResource,
    TypeRow,
    Values,
    nothing,
    picked,
    simple,
    texts,
)

_IGNORED = ("tags", "tags_all", "timeouts", "id", "arn", "region")
_VPC_ATTRIBUTES = {"enable_dns_support": "EnableDnsSupport", "enable_dns_hostnames": "EnableDnsHostnames"}
# Attributes of a subnet that touch no path of the control plane.
_LAUNCH = frozenset(
    {
        *("map_public_ip_on_launch", "assign_ipv6_address_on_creation", "enable_lni_at_device_index"),
        *("enable_resource_name_dns_a_record_on_launch", "enable_resource_name_dns_aaaa_record_on_launch"),
        *("private_dns_hostname_type_on_launch", "map_customer_owned_ip_on_launch", "customer_owned_ipv4_pool"),
    }
)


def _update_vpc(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    for name, parameter in _VPC_ATTRIBUTES.items():
        if before.get(name) != after.get(name):
            yield PlannedCall("ModifyVpcAttribute", {"VpcId": resource.exists, parameter: after.get(name)})
    others = sorted(resource.changed(*_IGNORED, *_VPC_ATTRIBUTES))
    if others:
        yield Unmodelled(f"a change of {', '.join(others)} of a VPC is not modelled", frozenset({resource.exists}))


def _delete_vpc(resource: PlannedResource, _: Values, __: KnownResources) -> Effects:
    yield Unmodelled("the VPC is deleted", frozenset({resource.exists}))


_SUBNET = {
    "vpc_id": "VpcId",
    "cidr_block": "CidrBlock",
    "ipv6_cidr_block": "Ipv6CidrBlock",
    "availability_zone": "AvailabilityZone",
    "availability_zone_id": "AvailabilityZoneId",
}


def _subnet(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    yield PlannedCall("CreateSubnet", picked(values, _SUBNET), resource.new)
    if values.get("enable_dns64") is True:
        yield PlannedCall("ModifySubnetAttribute", {"SubnetId": resource.new, "EnableDns64": True})


def _delete_subnet(resource: PlannedResource, _: Values, __: KnownResources) -> Effects:
    yield PlannedCall("DeleteSubnet", {"SubnetId": resource.exists})


def _update_subnet(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    if before.get("enable_dns64") != after.get("enable_dns64"):
        yield PlannedCall(
            "ModifySubnetAttribute", {"SubnetId": resource.exists, "EnableDns64": after.get("enable_dns64")}
        )
    old, new = before.get("ipv6_cidr_block"), after.get("ipv6_cidr_block")
    if old != new:
        if old:
            yield PlannedCall("DisassociateSubnetCidrBlock", {"SubnetId": resource.exists})
        if new:
            yield PlannedCall("AssociateSubnetCidrBlock", {"SubnetId": resource.exists, "Ipv6CidrBlock": new})


_DHCP = {"domain_name_servers": "domain-name-servers", "domain_name": "domain-name"}


def _dhcp_call(values: Values, name: str) -> PlannedCall:
    configurations = []
    for attribute, key in _DHCP.items():
        value = values.get(attribute)
        if value not in (None, "", []):
            listed = value if isinstance(value, list | KnownAfterApply) else [value]
            configurations.append({"Key": key, "Values": listed})
    return PlannedCall("CreateDhcpOptions", {"DhcpConfigurations": configurations}, name)


def _dhcp(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    yield _dhcp_call(values, resource.new)


def _associate_dhcp(_: PlannedResource, values: Values, document: KnownResources) -> Effects:
    """An options set that exists has its values in the plan, if Terraform manages it."""
    name = values.get("dhcp_options_id")
    for existing in document.unchanged("aws_vpc_dhcp_options"):
        if existing.get("id") == name:
            yield _dhcp_call(existing, str(name))
    yield PlannedCall("AssociateDhcpOptions", picked(values, {"dhcp_options_id": "DhcpOptionsId", "vpc_id": "VpcId"}))


def _reassociate_dhcp(resource: PlannedResource, _: Values, values: Values, document: KnownResources) -> Effects:
    return _associate_dhcp(resource, values, document)


def _no_dhcp(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    """The provider associates `default`: no options at all."""
    yield PlannedCall("AssociateDhcpOptions", picked(values, {"vpc_id": "VpcId"}, DhcpOptionsId="default"))


_BPA = {"internet_gateway_block_mode": "InternetGatewayBlockMode"}
_EXCLUSION = {
    "vpc_id": "VpcId",
    "subnet_id": "SubnetId",
    "internet_gateway_exclusion_mode": "InternetGatewayExclusionMode",
}


def _public_access(_: PlannedResource, values: Values, *rest: Any) -> Effects:
    values = rest[0] if len(rest) > 1 else values  # of an update: the values after it
    yield PlannedCall("ModifyVpcBlockPublicAccessOptions", picked(values, _BPA))


def _no_public_access(*_: Any) -> Effects:
    yield PlannedCall("ModifyVpcBlockPublicAccessOptions", {"InternetGatewayBlockMode": "off"})


# -- the cluster ------------------------------------------------------------------------------------------------

_CONFIG = {
    "subnet_ids": "subnetIds",
    "security_group_ids": "securityGroupIds",
    "control_plane_egress_mode": "controlPlaneEgressMode",
}


def _block(values: Values, name: str) -> Mapping[str, Any]:
    """A nested block that is there once at most."""
    value = values.get(name)
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, Mapping) else {}


def _update_cluster(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    old, new = _block(before, "vpc_config"), _block(after, "vpc_config")
    config = {}
    for name, parameter in _CONFIG.items():
        value = new.get(name)
        same = texts(old.get(name)) == texts(value) if isinstance(value, list) else old.get(name) == value
        if not same and value is not None:
            config[parameter] = value
    given: dict[str, Any] = {"name": after.get("name") or resource.exists}
    if config:
        given["resourcesVpcConfig"] = config
    if before.get("remote_network_config") != after.get("remote_network_config"):
        given["remoteNetworkConfig"] = _remote(_block(after, "remote_network_config"))
    if len(given) > 1:
        yield PlannedCall("UpdateClusterConfig", given)


def _remote(config: Mapping[str, Any]) -> dict[str, Any]:
    names = {"remote_node_networks": "remoteNodeNetworks", "remote_pod_networks": "remotePodNetworks"}
    return {
        parameter: [{"cidrs": network.get("cidrs")} for network in config.get(name) or []]
        for name, parameter in names.items()
    }


def _delete_cluster(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    yield PlannedCall("DeleteCluster", {"name": values.get("name") or resource.exists})


# -- names ------------------------------------------------------------------------------------------------------


def _record(_: PlannedResource, values: Values, *__: Any) -> Effects:
    name = values.get("fqdn") or values.get("name")
    if isinstance(name, str) and "." in name:
        touches = f"name:{name.lower().rstrip('.')}"
    else:
        touches = NAMES
    yield Unmodelled(f"the answer for {name} may change", frozenset({touches}))


def _domain(attribute: str) -> Any:
    def calls(_: PlannedResource, values: Values, *__: Any) -> Effects:
        name = values.get(attribute)
        touches = f"domain:{name.lower().rstrip('.')}" if isinstance(name, str) and name.strip(".") else NAMES
        yield Unmodelled(f"the answers for names in {name} may change", frozenset({touches}))

    return calls


def _zone(resource: PlannedResource, values: Values, *rest: Any) -> Effects:
    """A public zone answers the same inside and outside; its records are resources of their own."""
    if values.get("vpc") or (rest and isinstance(rest[0], Mapping) and rest[0].get("vpc")):
        yield from _domain("name")(resource, values)


def _names(resource: PlannedResource, *_: Any) -> Effects:
    yield Unmodelled(f"what names resolve to may change by {resource.type}", frozenset({NAMES}))


def _same(calls: Any) -> TypeRow:
    return TypeRow(calls, calls, calls)


def _vpc_cidr(attribute: str, parameter: str) -> TypeRow:
    def delete(resource: PlannedResource, _: Values, __: KnownResources) -> Effects:
        yield PlannedCall("DisassociateVpcCidrBlock", {"AssociationId": resource.exists})

    names = {"vpc_id": "VpcId", attribute: parameter}
    return TypeRow(simple("AssociateVpcCidrBlock", names), delete)


NETWORK_TYPES: dict[str, TypeRow] = {
    "aws_vpc": TypeRow(nothing, _delete_vpc, _update_vpc),
    "aws_default_vpc": TypeRow(nothing, nothing, _update_vpc),
    "aws_vpc_ipv4_cidr_block_association": _vpc_cidr("cidr_block", "CidrBlock"),
    "aws_vpc_ipv6_cidr_block_association": _vpc_cidr("ipv6_cidr_block", "Ipv6CidrBlock"),
    "aws_subnet": TypeRow(_subnet, _delete_subnet, _update_subnet),
    "aws_default_subnet": TypeRow(nothing, nothing, _update_subnet),
    "aws_vpc_dhcp_options": TypeRow(_dhcp, nothing),
    "aws_vpc_dhcp_options_association": TypeRow(_associate_dhcp, _no_dhcp, _reassociate_dhcp),
    "aws_vpc_block_public_access_options": TypeRow(_public_access, _no_public_access, _public_access),
    "aws_vpc_block_public_access_exclusion": TypeRow(
        simple("CreateVpcBlockPublicAccessExclusion", _EXCLUSION),
        simple("DeleteVpcBlockPublicAccessExclusion", _EXCLUSION),
        simple("ModifyVpcBlockPublicAccessExclusion", _EXCLUSION),
    ),
    "aws_eks_cluster": TypeRow(nothing, _delete_cluster, _update_cluster),
    "aws_route53_record": _same(_record),
    "aws_route53_zone": _same(_zone),
    "aws_route53_zone_association": _same(_names),
    "aws_route53_resolver_rule": _same(_domain("domain_name")),
    **{
        f"aws_route53_resolver_{part}": _same(_names)
        for part in (
            *("rule_association", "endpoint", "firewall_rule", "firewall_rule_group", "firewall_domain_list"),
            *("firewall_rule_group_association", "firewall_config", "config", "dnssec_config"),
        )
    },
}
