"""Routes, route tables, network ACLs and their associations.

Inline blocks (`route`, `ingress`, `egress`) are compared with those before: the provider deletes, creates and replaces
what differs. Default tables, ACLs and groups are adopted: what they have goes first.
"""

from collections.abc import Mapping
from typing import Any

from egressprobe.audit.whatif.plan import KnownAfterApply, PlannedCall, Unmodelled
from egressprobe.audit.whatif.resources.calls import (
    Effects,
    KnownResources,
    PlannedResource,
    TypeRow,
    Values,
    listed,
    nothing,
    picked,
    simple,
    texts,
)

_DESTINATIONS = {
    "destination_cidr_block": "DestinationCidrBlock",
    "cidr_block": "DestinationCidrBlock",
    "destination_ipv6_cidr_block": "DestinationIpv6CidrBlock",
    "ipv6_cidr_block": "DestinationIpv6CidrBlock",
    "destination_prefix_list_id": "DestinationPrefixListId",
}
_TARGETS = {
    "nat_gateway_id": "NatGatewayId",
    "gateway_id": "GatewayId",
    "transit_gateway_id": "TransitGatewayId",
    "vpc_peering_connection_id": "VpcPeeringConnectionId",
    "egress_only_gateway_id": "EgressOnlyInternetGatewayId",
    "vpc_endpoint_id": "VpcEndpointId",
    "network_interface_id": "NetworkInterfaceId",
    "instance_id": "InstanceId",
    "local_gateway_id": "LocalGatewayId",
    "carrier_gateway_id": "CarrierGatewayId",
    "core_network_arn": "CoreNetworkArn",
    "odb_network_arn": "OdbNetworkArn",
}


def _destination(values: Values) -> dict[str, Any]:
    return {parameter: values[name] for name, parameter in _DESTINATIONS.items() if values.get(name) not in (None, "")}


def _route(values: Values, table: Any) -> dict[str, Any]:
    return {"RouteTableId": table} | _destination(values) | picked(values, _TARGETS)


def _create_route(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    yield PlannedCall("CreateRoute", _route(values, values.get("route_table_id")))


def _delete_route(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    yield PlannedCall("DeleteRoute", {"RouteTableId": values.get("route_table_id")} | _destination(values))


def _update_route(_: PlannedResource, __: Values, values: Values, ___: KnownResources) -> Effects:
    yield PlannedCall("ReplaceRoute", _route(values, values.get("route_table_id")))


def _table(resource: PlannedResource, values: Values, document: KnownResources) -> Effects:
    yield PlannedCall("CreateRouteTable", picked(values, {"vpc_id": "VpcId"}), resource.new)
    yield from _table_routes(resource.new, {}, values)
    del document


def _table_routes(table: str, before: Values, after: Values) -> Effects:
    old, new = listed(before, "route"), listed(after, "route")
    if old is None or new is None:
        yield Unmodelled("its routes are known only after the change", frozenset({table}))
        return
    now = {_key(values): values for values in old}
    wanted = {_key(values): values for values in new if values.get("gateway_id") != "local"}
    for key, values in now.items():
        if key not in wanted and values.get("gateway_id") != "local":
            yield PlannedCall("DeleteRoute", {"RouteTableId": table} | _destination(values))
    for key, values in wanted.items():
        if key not in now:
            yield PlannedCall("CreateRoute", _route(values, table))
        elif _route(values, table) != _route(now[key], table):
            yield PlannedCall("ReplaceRoute", _route(values, table))
    gateways, wished = texts(before.get("propagating_vgws")), texts(after.get("propagating_vgws"))
    for gateway in sorted(wished - gateways):
        yield PlannedCall("EnableVgwRoutePropagation", {"RouteTableId": table, "GatewayId": gateway})
    for gateway in sorted(gateways - wished):
        yield PlannedCall("DisableVgwRoutePropagation", {"RouteTableId": table, "GatewayId": gateway})


def _key(values: Values) -> tuple[str, ...]:
    return tuple(str(value) for value in _destination(values).values())


def _update_table(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    return _table_routes(resource.exists, before, after)


def _adopt_table(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    table = str(values.get("default_route_table_id") or "")
    yield PlannedCall("ResetRouteTable", {"RouteTableId": table})
    yield from _table_routes(table, {}, values)


def _associate(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    names = {"route_table_id": "RouteTableId", "subnet_id": "SubnetId", "gateway_id": "GatewayId"}
    yield PlannedCall("AssociateRouteTable", picked(values, names), resource.new)


def _disassociate(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    names = {"route_table_id": "RouteTableId", "subnet_id": "SubnetId", "gateway_id": "GatewayId"}
    yield PlannedCall("DisassociateRouteTable", picked(values, names, AssociationId=resource.exists))


def _reassociate(resource: PlannedResource, _: Values, values: Values, __: KnownResources) -> Effects:
    names = {"route_table_id": "RouteTableId", "subnet_id": "SubnetId", "gateway_id": "GatewayId"}
    yield PlannedCall("ReplaceRouteTableAssociation", picked(values, names, AssociationId=resource.exists))


def _main(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    table = picked(values, {"route_table_id": "RouteTableId"}, AssociationId="rtbassoc-main")
    yield PlannedCall("ReplaceRouteTableAssociation", table)


def _not_main(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    """The table that was the main one before is it again."""
    table = picked(values, {"original_route_table_id": "RouteTableId"}, AssociationId="rtbassoc-main")
    yield PlannedCall("ReplaceRouteTableAssociation", table)


# -- network ACLs -----------------------------------------------------------------------------------------------


def _entry(acl: Any, values: Values, *, egress: bool) -> dict[str, Any]:
    number = values.get("rule_number", values.get("rule_no"))
    names = {"cidr_block": "CidrBlock", "ipv6_cidr_block": "Ipv6CidrBlock", "protocol": "Protocol"}
    action = values.get("rule_action") or values.get("action")
    parameters = picked(values, names, NetworkAclId=acl, RuleNumber=number, RuleAction=action)
    return parameters | {"Egress": egress, "PortRange": {"From": values.get("from_port"), "To": values.get("to_port")}}


def _create_rule(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    acl, egress = values.get("network_acl_id"), bool(values.get("egress"))
    yield PlannedCall("CreateNetworkAclEntry", _entry(acl, values, egress=egress))


def _delete_rule(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    names = {"network_acl_id": "NetworkAclId", "rule_number": "RuleNumber"}
    yield PlannedCall("DeleteNetworkAclEntry", picked(values, names) | {"Egress": bool(values.get("egress"))})


def _acl(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    yield PlannedCall("CreateNetworkAcl", picked(values, {"vpc_id": "VpcId"}), resource.new)
    yield from _acl_parts(resource.new, {}, values)


def _acl_parts(acl: str, before: Values, after: Values) -> Effects:
    for name, egress in (("ingress", False), ("egress", True)):
        old, new = listed(before, name), listed(after, name)
        if old is None or new is None:
            yield Unmodelled(f"its {name} rules are known only after the change", frozenset({acl}))
            continue
        now, wanted = _by_number(old), _by_number(new)
        for number in now.keys() - wanted.keys():
            given = {"NetworkAclId": acl, "RuleNumber": number, "Egress": egress}
            yield PlannedCall("DeleteNetworkAclEntry", given)
        for number, values in wanted.items():
            entry = _entry(acl, values, egress=egress)
            if number not in now:
                yield PlannedCall("CreateNetworkAclEntry", entry)
            elif _entry(acl, now[number], egress=egress) != entry:
                yield PlannedCall("ReplaceNetworkAclEntry", entry)
    yield from _acl_subnets(acl, before.get("subnet_ids"), after.get("subnet_ids"))


def _by_number(entries: list[Any]) -> dict[int, Mapping[str, Any]]:
    return {int(entry["rule_no"]): entry for entry in entries if entry.get("rule_no") is not None}


def _acl_subnets(acl: str, before: Any, after: Any) -> Effects:
    if isinstance(after, KnownAfterApply):
        yield PlannedCall("ReplaceNetworkAclAssociation", {"NetworkAclId": acl, "SubnetId": after})
        return
    for subnet in sorted(texts(after) - texts(before)):
        yield PlannedCall("ReplaceNetworkAclAssociation", {"NetworkAclId": acl, "SubnetId": subnet})
    for subnet in sorted(texts(before) - texts(after)):
        yield PlannedCall("ReplaceNetworkAclAssociation", {"NetworkAclId": "acl-DEFAULT", "SubnetId": subnet})


def _update_acl(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    return _acl_parts(resource.exists, before, after)


def _delete_acl(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    """Its subnets get the default ACL first."""
    yield from _acl_subnets(resource.exists, values.get("subnet_ids"), [])
    yield PlannedCall("DeleteNetworkAcl", {"NetworkAclId": resource.exists})


def _adopt_acl(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    acl = str(values.get("default_network_acl_id") or "")
    yield PlannedCall("ResetNetworkAcl", {"NetworkAclId": acl})
    yield from _acl_parts(acl, {}, values)


def _associate_acl(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    names = {"network_acl_id": "NetworkAclId", "subnet_id": "SubnetId"}
    yield PlannedCall("ReplaceNetworkAclAssociation", picked(values, names))


def _reassociate_acl(resource: PlannedResource, _: Values, values: Values, document: KnownResources) -> Effects:
    return _associate_acl(resource, values, document)


def _disassociate_acl(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    given = picked(values, {"subnet_id": "SubnetId"}, NetworkAclId="acl-DEFAULT")
    yield PlannedCall("ReplaceNetworkAclAssociation", given)


_PROPAGATION = {"route_table_id": "RouteTableId", "vpn_gateway_id": "GatewayId"}


def _delete_table(resource: PlannedResource, _: Values, __: KnownResources) -> Effects:
    yield PlannedCall("DeleteRouteTable", {"RouteTableId": resource.exists})


def _update_main(resource: PlannedResource, _: Values, values: Values, document: KnownResources) -> Effects:
    return _main(resource, values, document)


ROUTE_TYPES: dict[str, TypeRow] = {
    "aws_route": TypeRow(_create_route, _delete_route, _update_route),
    "aws_route_table": TypeRow(_table, _delete_table, _update_table),
    "aws_default_route_table": TypeRow(_adopt_table, nothing, _update_table),
    "aws_route_table_association": TypeRow(_associate, _disassociate, _reassociate),
    "aws_main_route_table_association": TypeRow(_main, _not_main, _update_main),
    "aws_vpn_gateway_route_propagation": TypeRow(
        simple("EnableVgwRoutePropagation", _PROPAGATION), simple("DisableVgwRoutePropagation", _PROPAGATION)
    ),
    "aws_network_acl": TypeRow(_acl, _delete_acl, _update_acl),
    "aws_default_network_acl": TypeRow(_adopt_acl, nothing, _update_acl),
    "aws_network_acl_rule": TypeRow(_create_rule, _delete_rule),
    "aws_network_acl_association": TypeRow(_associate_acl, _disassociate_acl, _reassociate_acl),
}
