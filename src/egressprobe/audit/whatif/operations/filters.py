"""Operations on security groups, on what has them, and on prefix lists."""

from collections.abc import Iterator

from egressprobe.audit.changes.attribute_changes import SetSourceCheck
from egressprobe.audit.changes.change import Change, GroupRule
from egressprobe.audit.changes.refusal import NotInSnapshot, find
from egressprobe.audit.changes.resource_changes import (
    ChangePrefixList,
    CreateGroup,
    DeleteGroup,
    SetInterfaceGroups,
)
from egressprobe.audit.vpc.snapshot import Permission
from egressprobe.audit.whatif.operations.protocols import cidr, number_of, ports_of
from egressprobe.audit.whatif.operations.world import World
from egressprobe.audit.whatif.plan import NotModelled, Parameters, Unmodelled


def create_group(world: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    """WithoutEgress: Terraform, and CloudFormation where it has rules, take the rule for all egress away."""
    yield CreateGroup(given.text("VpcId"), name, given.text("GroupName"))
    if given.flag("WithoutEgress"):
        yield from _cleared(world, name)


def reset_group(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    """Not of AWS: a default group that is adopted loses its rules."""
    yield from _cleared(world, _group(world, given))


def _cleared(world: World, name: str) -> Iterator[Change]:
    group = find(world.snapshot.groups, name, "InvalidGroup.NotFound")
    for egress, rules in ((False, group.ingress), (True, group.egress)):
        for rule in rules:
            yield GroupRule(name, egress, rule, revoke=True)


def delete_group(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield DeleteGroup(given.text("GroupId"))


def authorize_ingress(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    return _rules(world, given, egress=False, revoke=False)


def authorize_egress(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    return _rules(world, given, egress=True, revoke=False)


def revoke_ingress(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    return _rules(world, given, egress=False, revoke=True)


def revoke_egress(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    return _rules(world, given, egress=True, revoke=True)


def _rules(world: World, given: Parameters, *, egress: bool, revoke: bool) -> Iterator[Change | Unmodelled]:
    group = _group(world, given)
    if "SecurityGroupRuleIds" in given:
        raise NotModelled("the snapshot does not have the ids of rules", frozenset({group}))
    permissions = given.items("IpPermissions")
    for permission in permissions or [given]:
        yield GroupRule(group, egress, _permission(permission, group), revoke)


def _group(world: World, given: Parameters) -> str:
    """By its id, or by its name in the VPC."""
    vpc = given.text("VpcId")
    if vpc and vpc != world.snapshot.vpc.id:
        raise NotInSnapshot("InvalidVpcID.NotFound", f"{vpc} is another VPC")
    return given.text("GroupId") or _by_name(world, given.text("GroupName"))


def _by_name(world: World, name: str) -> str:
    named = next((group.id for group in world.snapshot.groups or () if name and group.name == name), "")
    if not named:
        raise NotModelled(f"the snapshot has no security group named {name}")
    return named


def _permission(given: Parameters, group: str) -> Permission:
    """From IpPermissions, or from the parameters of one rule."""
    protocol = number_of(given.text("IpProtocol"))
    blocks = [each.text("CidrIp") for each in given.items("IpRanges")]
    blocks += [each.text("CidrIpv6") for each in given.items("Ipv6Ranges")]
    blocks += [text for text in (given.text("CidrIp"), given.text("CidrIpv6")) if text]
    groups = [each.text("GroupId") for each in given.items("UserIdGroupPairs")]
    groups += [text for text in (given.text("SourceSecurityGroupId", "DestinationSecurityGroupId"),) if text]
    lists = [each.text("PrefixListId") for each in given.items("PrefixListIds")]
    lists += [text for text in (given.text("SourcePrefixListId", "DestinationPrefixListId"),) if text]
    if not (blocks or groups or lists):
        raise NotModelled(f"a rule of {group} names no source or destination that is known here", frozenset({group}))
    return Permission(
        protocol=protocol,
        ports=ports_of(protocol, given.number("FromPort"), given.number("ToPort")),
        blocks=tuple(map(cidr, blocks)),
        prefix_lists=tuple(lists),
        # `ACCOUNT/GROUP` is a group of another account (VPC User Guide, security-group-rules).
        groups=tuple(text.rpartition("/")[2] for text in groups),
    )


def modify_rules(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    group = given.text("GroupId")
    yield Unmodelled("the snapshot does not have the ids of rules", frozenset({group}))


def interface_attribute(_: World, given: Parameters, __: str) -> Iterator[Change | Unmodelled]:
    yield from _interface(given.text("NetworkInterfaceId"), given)


def _interface(interface: str, given: Parameters) -> Iterator[Change | Unmodelled]:
    if given.texts("Groups"):
        yield SetInterfaceGroups(interface, given.texts("Groups"))
    check = given.flag("SourceDestCheck")
    if check is not None:
        yield SetSourceCheck(interface, check)


def instance_attribute(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    """Of its first interface (EC2 API Reference, ModifyInstanceAttribute)."""
    instance = given.text("InstanceId")
    interfaces = world.snapshot.interfaces or ()
    interface = next((listed.id for listed in interfaces if listed.instance == instance), instance)
    yield from _interface(interface, given)


def create_prefix_list(_: World, given: Parameters, name: str) -> Iterator[Change | Unmodelled]:
    blocks = tuple(cidr(entry.text("Cidr")) for entry in given.items("Entries"))
    yield ChangePrefixList(name, blocks, add=blocks)


def modify_prefix_list(world: World, given: Parameters, _: str) -> Iterator[Change | Unmodelled]:
    """A list that nothing in the VPC names is not in the snapshot."""
    name = given.text("PrefixListId")
    added = tuple(cidr(entry.text("Cidr")) for entry in given.items("AddEntries"))
    removed = tuple(cidr(entry.text("Cidr")) for entry in given.items("RemoveEntries"))
    listed = next((known for known in world.snapshot.prefix_lists or () if known.id == name), None)
    if listed is None:
        return
    if listed.blocks is None:
        raise NotModelled(f"the entries of {name} could not be read", frozenset({name}))
    kept = tuple(text for text in listed.blocks if text not in removed)
    yield ChangePrefixList(name, tuple(dict.fromkeys((*kept, *added))), added, removed)
