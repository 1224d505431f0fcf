"""Security groups, their rules inline and apart, prefix lists, and the groups of interfaces."""

from collections.abc import Iterable
from typing import Any

from egressprobe.audit.whatif.plan import PlannedCall, Unmodelled
from egressprobe.audit.whatif.resources.calls import (
    Effects,
    KnownResources,
    PlannedResource,
    TypeRow,
    Values,
    listed,
    nothing,
    picked,
    texts,
)

_DIRECTIONS = (("ingress", "Ingress"), ("egress", "Egress"))


def _permission(values: Values, group: Any) -> dict[str, Any]:
    """An inline rule, or aws_security_group_rule."""
    lists = {
        "IpRanges": _structures(values.get("cidr_blocks"), "CidrIp"),
        "Ipv6Ranges": _structures(values.get("ipv6_cidr_blocks"), "CidrIpv6"),
        "PrefixListIds": _structures(values.get("prefix_list_ids"), "PrefixListId"),
    }
    members = _structures(values.get("security_groups"), "GroupId")
    if values.get("source_security_group_id") not in (None, ""):
        members = [{"GroupId": values["source_security_group_id"]}]
    if values.get("self") is True:
        members = [*(members if isinstance(members, list) else [members]), {"GroupId": group}]
    names = {"protocol": "IpProtocol", "from_port": "FromPort", "to_port": "ToPort"}
    return picked(values, names, UserIdGroupPairs=members, **lists)


def _structures(value: Any, name: str) -> Any:
    """A list of structures; what is not known stays so."""
    if isinstance(value, list | tuple):
        return [{name: each} for each in value]
    return value if value is not None else []


def _group(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    """The provider takes the rule for all egress from a new group."""
    given = picked(values, {"vpc_id": "VpcId", "name": "GroupName"})
    yield PlannedCall("CreateSecurityGroup", given | {"WithoutEgress": True}, resource.new)
    yield from _inline(resource.new, {"GroupId": resource.new}, {}, values)


def _inline(name: str, on: dict[str, Any], before: Values, after: Values) -> Effects:
    for attribute, direction in _DIRECTIONS:
        old, new = listed(before, attribute), listed(after, attribute)
        if old is None or new is None:
            yield Unmodelled(f"its {attribute} rules are known only after the change", frozenset({name}))
            continue
        now = [_permission(rule, name) for rule in old]
        wanted = [_permission(rule, name) for rule in new]
        for verb, permissions in (("Revoke", _without(now, wanted)), ("Authorize", _without(wanted, now))):
            for permission in permissions:
                yield PlannedCall(f"{verb}SecurityGroup{direction}", on | {"IpPermissions": [permission]})


def _without(rules: Iterable[Any], others: list[Any]) -> list[Any]:
    return [rule for rule in rules if rule not in others]


def _update_group(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    return _inline(resource.exists, {"GroupId": resource.exists}, before, after)


def _delete_group(resource: PlannedResource, _: Values, __: KnownResources) -> Effects:
    yield PlannedCall("DeleteSecurityGroup", {"GroupId": resource.exists})


def _adopt_group(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
    on = picked(values, {"vpc_id": "VpcId"}, GroupName="default")
    yield PlannedCall("ResetSecurityGroup", on)
    yield from _inline("default", on, {}, values)


def _update_default(resource: PlannedResource, before: Values, after: Values, document: KnownResources) -> Effects:
    return _update_group(resource, before, after, document)


def _rule_calls(verb: str) -> Any:
    def calls(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
        direction = "Egress" if values.get("type") == "egress" else "Ingress"
        group = values.get("security_group_id")
        permission = _permission(values, group)
        yield PlannedCall(f"{verb}SecurityGroup{direction}", {"GroupId": group, "IpPermissions": [permission]})

    return calls


def _vpc_rule(verb: str, direction: str) -> Any:
    def calls(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
        yield _vpc_rule_call(verb, direction, values)

    return calls


def _vpc_rule_call(verb: str, direction: str, values: Values) -> PlannedCall:
    """aws_vpc_security_group_ingress_rule and _egress_rule: one source or destination each."""
    names = {"ip_protocol": "IpProtocol", "from_port": "FromPort", "to_port": "ToPort"}
    lists = {
        "IpRanges": ("cidr_ipv4", "CidrIp"),
        "Ipv6Ranges": ("cidr_ipv6", "CidrIpv6"),
        "PrefixListIds": ("prefix_list_id", "PrefixListId"),
        "UserIdGroupPairs": ("referenced_security_group_id", "GroupId"),
    }
    given = {
        name: [{parameter: values[attribute]}]
        for name, (attribute, parameter) in lists.items()
        if values.get(attribute) not in (None, "")
    }
    permission = picked(values, names, **given)
    on = {"GroupId": values.get("security_group_id"), "IpPermissions": [permission]}
    return PlannedCall(f"{verb}SecurityGroup{direction}", on)


def _vpc_rule_update(direction: str) -> Any:
    def calls(_: PlannedResource, before: Values, after: Values, __: KnownResources) -> Effects:
        yield _vpc_rule_call("Revoke", direction, before)
        yield _vpc_rule_call("Authorize", direction, after)

    return calls


def _prefix_list(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    yield PlannedCall("CreateManagedPrefixList", {"Entries": _entries(values)}, resource.new)


def _entries(values: Values) -> list[dict[str, Any]]:
    return [{"Cidr": entry.get("cidr")} for entry in listed(values, "entry") or []]


def _update_prefix_list(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    if listed(after, "entry") is None:
        yield Unmodelled("its entries are known only after the change", frozenset({resource.exists}))
        return
    now, wanted = _entries(before), _entries(after)
    given = {"AddEntries": _without(wanted, now), "RemoveEntries": _without(now, wanted)}
    yield PlannedCall("ModifyManagedPrefixList", {"PrefixListId": resource.exists} | given)


def _entry(name: str) -> Any:
    def calls(_: PlannedResource, values: Values, __: KnownResources) -> Effects:
        entry = {"Cidr": values.get("cidr")}
        yield PlannedCall("ModifyManagedPrefixList", {"PrefixListId": values.get("prefix_list_id"), name: [entry]})

    return calls


def _update_interface(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    given: dict[str, Any] = {}
    if texts(before.get("security_groups")) != texts(after.get("security_groups")):
        given["Groups"] = sorted(texts(after.get("security_groups")))
    if before.get("source_dest_check") != after.get("source_dest_check"):
        given["SourceDestCheck"] = after.get("source_dest_check")
    if given:
        yield PlannedCall("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": resource.exists} | given)


def _update_instance(resource: PlannedResource, before: Values, after: Values, _: KnownResources) -> Effects:
    given: dict[str, Any] = {}
    if texts(before.get("vpc_security_group_ids")) != texts(after.get("vpc_security_group_ids")):
        given["Groups"] = sorted(texts(after.get("vpc_security_group_ids")))
    if before.get("source_dest_check") != after.get("source_dest_check"):
        given["SourceDestCheck"] = after.get("source_dest_check")
    if given:
        yield PlannedCall("ModifyInstanceAttribute", {"InstanceId": resource.exists} | given)


def _gone(resource: PlannedResource, values: Values, _: KnownResources) -> Effects:
    names = {resource.exists, str(values.get("primary_network_interface_id") or "")} - {""}
    yield Unmodelled(f"{resource.exists} is deleted", frozenset(names))


GROUP_TYPES: dict[str, TypeRow] = {
    "aws_security_group": TypeRow(_group, _delete_group, _update_group),
    "aws_default_security_group": TypeRow(_adopt_group, nothing, _update_default),
    "aws_security_group_rule": TypeRow(_rule_calls("Authorize"), _rule_calls("Revoke")),
    **{
        f"aws_vpc_security_group_{attribute}_rule": TypeRow(
            _vpc_rule("Authorize", direction), _vpc_rule("Revoke", direction), _vpc_rule_update(direction)
        )
        for attribute, direction in _DIRECTIONS
    },
    "aws_ec2_managed_prefix_list": TypeRow(_prefix_list, nothing, _update_prefix_list),
    "aws_ec2_managed_prefix_list_entry": TypeRow(_entry("AddEntries"), _entry("RemoveEntries")),
    "aws_network_interface": TypeRow(nothing, _gone, _update_interface),
    "aws_instance": TypeRow(nothing, _gone, _update_instance),
}
