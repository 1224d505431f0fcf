"""Gateways, transit gateway attachments, peering connections and VPC endpoints."""

from typing import Any

from egressprobe.audit.whatif.plan import NAMES, PlannedCall, Unmodelled
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

_NAT = {
    "subnet_id": "SubnetId",
    "allocation_id": "AllocationId",
    "connectivity_type": "ConnectivityType",
    "private_ip": "PrivateIpAddress",
    "availability_mode": "AvailabilityMode",
    "vpc_id": "VpcId",
}


def _deleted(operation: str, parameter: str) -> Any:
    def calls(resource: PlannedResource, _: Values, __: KnownResources) -> Effects:
        yield PlannedCall(operation, {parameter: resource.exists})

    return calls


def _changed(what: str, *harmless: str) -> Any:
    """An update of attributes that are not modelled."""

    def calls(resource: PlannedResource, _: Values, __: Values, ___: KnownResources) -> Effects:
        changed = sorted(resource.changed(*_IGNORED, *harmless))
        if changed:
            yield Unmodelled(
                f"a change of {', '.join(changed)} of {what} is not modelled", frozenset({resource.exists})
            )

    return calls


# Attributes that touch no path.
_IGNORED = ("tags", "tags_all", "timeouts", "description", "region", "id", "arn")


def _gateway(kind: str) -> tuple[Any, Any, Any]:
    """An internet or VPN gateway, which may be attached by the resource itself."""
    parameter, operation = f"{kind}GatewayId", kind

    def create(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
        yield PlannedCall(f"Create{operation}Gateway", {}, resource.new)
        if values.get("vpc_id") not in (None, ""):
            yield PlannedCall(f"Attach{operation}Gateway", {parameter: resource.new, "VpcId": values["vpc_id"]})

    def delete(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
        if values.get("vpc_id") not in (None, ""):
            yield PlannedCall(f"Detach{operation}Gateway", {parameter: resource.exists, "VpcId": values["vpc_id"]})

    def update(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
        if before.get("vpc_id") != after.get("vpc_id"):
            for verb, values in (("Detach", before), ("Attach", after)):
                if values.get("vpc_id") not in (None, ""):
                    yield PlannedCall(
                        f"{verb}{operation}Gateway", {parameter: resource.exists, "VpcId": values["vpc_id"]}
                    )

    return create, delete, update


_IGW = {"internet_gateway_id": "InternetGatewayId", "vpc_id": "VpcId"}
_VGW = {"vpn_gateway_id": "VpnGatewayId", "vpc_id": "VpcId"}


def _attachment(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    names = {"transit_gateway_id": "TransitGatewayId", "vpc_id": "VpcId", "subnet_ids": "SubnetIds"}
    options = picked(values, {"ipv6_support": "Ipv6Support"})
    yield PlannedCall("CreateTransitGatewayVpcAttachment", picked(values, names, Options=options), resource.new)


def _update_attachment(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    now, wanted = texts(before.get("subnet_ids")), texts(after.get("subnet_ids"))
    given: dict[str, Any] = {"AddSubnetIds": sorted(wanted - now), "RemoveSubnetIds": sorted(now - wanted)}
    options = {
        parameter: after.get(name)
        for name, parameter in (("ipv6_support", "Ipv6Support"), ("appliance_mode_support", "ApplianceModeSupport"))
        if before.get(name) != after.get(name)
    }
    yield PlannedCall(
        "ModifyTransitGatewayVpcAttachment",
        {"TransitGatewayAttachmentId": resource.exists, "Options": options} | given,
    )


def _transit(*_: Any) -> Effects:
    yield PlannedCall("ModifyTransitGateway", {})


def _transit_table(_: PlannedResource, values: Values, *__: Any) -> Effects:
    table = picked(values, {"transit_gateway_route_table_id": "TransitGatewayRouteTableId"})
    yield PlannedCall(
        "EnableTransitGatewayRouteTablePropagation",
        {key: value for key, value in table.items() if isinstance(value, str)},
    )


_TRANSIT_ROUTE = {
    "transit_gateway_route_table_id": "TransitGatewayRouteTableId",
    "transit_gateway_attachment_id": "TransitGatewayAttachmentId",
    "destination_cidr_block": "DestinationCidrBlock",
    "blackhole": "Blackhole",
}
_PEERING = {"vpc_id": "VpcId", "peer_vpc_id": "PeerVpcId", "auto_accept": "AutoAccept"}
_PEERING_ID = {"vpc_peering_connection_id": "VpcPeeringConnectionId"}


def _accepted(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    if values.get("auto_accept") is True:
        yield PlannedCall("AcceptVpcPeeringConnection", picked(values, _PEERING_ID))
    del resource


_ENDPOINT = {
    "vpc_id": "VpcId",
    "service_name": "ServiceName",
    "vpc_endpoint_type": "VpcEndpointType",
    "route_table_ids": "RouteTableIds",
    "subnet_ids": "SubnetIds",
}


def _endpoint(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    dns = values.get("private_dns_enabled") is True
    yield PlannedCall("CreateVpcEndpoint", picked(values, _ENDPOINT) | {"PrivateDnsEnabled": dns}, resource.new)


def _delete_endpoint(resource: PlannedResource, _: Values, __: KnownResources) -> Effects:
    yield PlannedCall("DeleteVpcEndpoints", {"VpcEndpointIds": [resource.exists]})


def _update_endpoint(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    given: dict[str, Any] = {}
    for name, parameter in (("route_table_ids", "RouteTableIds"), ("subnet_ids", "SubnetIds")):
        now, wanted = texts(before.get(name)), after.get(name)
        if wanted is not None and not isinstance(wanted, list | tuple):
            given[f"Add{parameter}"] = wanted
            continue
        given[f"Add{parameter}"] = sorted(texts(wanted) - now)
        given[f"Remove{parameter}"] = sorted(now - texts(wanted))
    if before.get("private_dns_enabled") != after.get("private_dns_enabled"):
        given["PrivateDnsEnabled"] = after.get("private_dns_enabled")
    yield PlannedCall("ModifyVpcEndpoint", {"VpcEndpointId": resource.exists} | given)
    others = resource.changed(*_IGNORED, "route_table_ids", "subnet_ids", "private_dns_enabled", "security_group_ids")
    if "policy" in others:
        yield Unmodelled("a change of the policy of an endpoint is not modelled", frozenset({resource.exists}))


def _endpoint_part(parameter: str, name: str) -> Any:
    def calls(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
        given = {"VpcEndpointId": values.get("vpc_endpoint_id"), parameter: [values.get(name)]}
        yield PlannedCall("ModifyVpcEndpoint", given)

    return calls


def _endpoint_dns(_: PlannedResource, values: Values, *rest: Any) -> Effects:
    values = rest[0] if len(rest) > 1 else values  # of an update: the values after it
    names = {"vpc_endpoint_id": "VpcEndpointId", "private_dns_enabled": "PrivateDnsEnabled"}
    yield PlannedCall("ModifyVpcEndpoint", picked(values, names))


def _of_endpoint(what: str) -> Any:
    def calls(_: PlannedResource, values: Values, *__: Any) -> Effects:
        endpoint = values.get("vpc_endpoint_id")
        yield Unmodelled(f"a change of {what} is not modelled", frozenset({str(endpoint)}))

    return calls


def _peering_names(*_: Any) -> Effects:
    yield Unmodelled("DNS options of a peering connection are not modelled", frozenset({NAMES}))


def _firewall(*_: Any) -> Effects:
    yield PlannedCall("ChangeFirewall", {})


def _load_balancer(*_: Any) -> Effects:
    yield PlannedCall("ChangeLoadBalancer", {})


def _same(calls: Any) -> TypeRow:
    return TypeRow(calls, calls, calls)


GATEWAY_TYPES: dict[str, TypeRow] = {
    "aws_nat_gateway": TypeRow(
        simple("CreateNatGateway", _NAT, created=True),
        _deleted("DeleteNatGateway", "NatGatewayId"),
        _changed("a NAT gateway", "secondary_allocation_ids", "secondary_private_ip_addresses"),
    ),
    "aws_internet_gateway": TypeRow(*_gateway("Internet")),
    "aws_internet_gateway_attachment": TypeRow(
        simple("AttachInternetGateway", _IGW), simple("DetachInternetGateway", _IGW)
    ),
    "aws_vpn_gateway": TypeRow(*_gateway("Vpn")),
    "aws_vpn_gateway_attachment": TypeRow(simple("AttachVpnGateway", _VGW), simple("DetachVpnGateway", _VGW)),
    "aws_egress_only_internet_gateway": TypeRow(
        simple("CreateEgressOnlyInternetGateway", {"vpc_id": "VpcId"}, created=True),
        _deleted("DeleteEgressOnlyInternetGateway", "EgressOnlyInternetGatewayId"),
    ),
    "aws_ec2_transit_gateway_vpc_attachment": TypeRow(
        _attachment,
        _deleted("DeleteTransitGatewayVpcAttachment", "TransitGatewayAttachmentId"),
        _update_attachment,
    ),
    "aws_ec2_transit_gateway": TypeRow(nothing, _transit, _transit),
    **{
        f"aws_ec2_transit_gateway_{part}": _same(_transit_table)
        for part in ("route_table_propagation", "prefix_list_reference")
    },
    "aws_ec2_transit_gateway_route": TypeRow(
        simple("CreateTransitGatewayRoute", _TRANSIT_ROUTE), simple("DeleteTransitGatewayRoute", _TRANSIT_ROUTE)
    ),
    "aws_ec2_transit_gateway_route_table_association": TypeRow(
        simple("AssociateTransitGatewayRouteTable", _TRANSIT_ROUTE),
        simple("DisassociateTransitGatewayRouteTable", _TRANSIT_ROUTE),
    ),
    "aws_ec2_transit_gateway_route_table": TypeRow(nothing, _transit),
    **{
        f"aws_ec2_transit_gateway_{part}": _same(_transit)
        for part in ("peering_attachment", "peering_attachment_accepter", "vpc_attachment_accepter", "connect")
    },
    "aws_vpc_peering_connection": TypeRow(
        simple("CreateVpcPeeringConnection", _PEERING, created=True),
        _deleted("DeleteVpcPeeringConnection", "VpcPeeringConnectionId"),
    ),
    "aws_vpc_peering_connection_accepter": TypeRow(_accepted, nothing),
    "aws_vpc_peering_connection_options": _same(_peering_names),
    "aws_vpc_endpoint": TypeRow(_endpoint, _delete_endpoint, _update_endpoint),
    "aws_vpc_endpoint_route_table_association": TypeRow(
        _endpoint_part("AddRouteTableIds", "route_table_id"), _endpoint_part("RemoveRouteTableIds", "route_table_id")
    ),
    "aws_vpc_endpoint_subnet_association": TypeRow(
        _endpoint_part("AddSubnetIds", "subnet_id"), _endpoint_part("RemoveSubnetIds", "subnet_id")
    ),
    "aws_vpc_endpoint_private_dns": TypeRow(_endpoint_dns, nothing, _endpoint_dns),
    "aws_vpc_endpoint_policy": _same(_of_endpoint("the policy of an endpoint")),
    "aws_vpc_endpoint_security_group_association": _same(_of_endpoint("the groups of an endpoint")),
    **{
        f"aws_networkfirewall_{part}": _same(_firewall)
        for part in ("rule_group", "firewall_policy", "firewall", "tls_inspection_configuration")
    },
    "aws_networkfirewall_logging_configuration": _same(nothing),
    **{
        f"aws_{name}": _same(_load_balancer)
        for prefix in ("lb", "alb")
        for name in (
            *(prefix, f"{prefix}_listener", f"{prefix}_listener_rule", f"{prefix}_target_group"),
            f"{prefix}_target_group_attachment",
        )
    },
    "aws_elb": _same(_load_balancer),
}
