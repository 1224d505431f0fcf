"""Rules of security groups and entries of network ACLs on a snapshot, by EC2's rules and quotas."""

from msgspec.structs import replace

from egressprobe.audit.changes.change import AclRuleChange, GroupRule
from egressprobe.audit.changes.refusal import ChangeRefused, find, swap
from egressprobe.audit.vpc.cidr import Cidr, block
from egressprobe.audit.vpc.packet_filters import STAR
from egressprobe.audit.vpc.snapshot import AclEntry, Group, Permission, VpcSnapshot

# VPC User Guide, amazon-vpc-limits. A quota that is exceeded was raised: its new value is not known.
RULES_PER_GROUP, RULES_PER_ACL = 60, 20
_LAST_RULE = 32766


def group_rule(change: GroupRule, snapshot: VpcSnapshot) -> VpcSnapshot:
    group = find(snapshot.groups, change.group, "InvalidGroup.NotFound")
    rules = group.egress if change.egress else group.ingress
    rules = _revoked(rules, change.permission) if change.revoke else _authorized(group, rules, change.permission)
    changed = replace(group, egress=rules) if change.egress else replace(group, ingress=rules)
    return replace(snapshot, groups=swap(snapshot.groups, changed))


def _peers(rule: Permission) -> frozenset[Cidr | str]:
    """CIDRs by what they mean: one can be written in several ways."""
    return frozenset((*map(block, rule.blocks), *rule.prefix_lists, *rule.groups))


def _authorized(group: Group, rules: tuple[Permission, ...], added: Permission) -> tuple[Permission, ...]:
    for rule in rules:
        if (rule.protocol, rule.ports) == (added.protocol, added.ports) and _peers(rule) & _peers(added):
            raise ChangeRefused("InvalidPermission.Duplicate", f"{group.id} has the rule already")
    for version in (4, 6):
        count = sum(_count(rule, version) for rule in rules)
        if _count(added, version) and count == RULES_PER_GROUP:
            raise ChangeRefused("RulesPerSecurityGroupLimitExceeded", f"{group.id} has {count} rules")
    return (*rules, added)


def _count(rule: Permission, version: int) -> int:
    """The quota counts IPv4 and IPv6 rules apart, and references for both."""
    cidrs = sum((":" in text) == (version == 6) for text in rule.blocks)
    return cidrs + len(rule.prefix_lists) + len(rule.groups)


def _revoked(rules: tuple[Permission, ...], removed: Permission) -> tuple[Permission, ...]:
    kept, removed_any, cidrs = [], False, set(map(block, removed.blocks))
    for rule in rules:
        if (rule.protocol, rule.ports) == (removed.protocol, removed.ports) and _peers(removed) <= _peers(rule):
            removed_any = True
            rest = Permission(
                rule.protocol,
                rule.ports,
                tuple(text for text in rule.blocks if block(text) not in cidrs),
                tuple(name for name in rule.prefix_lists if name not in removed.prefix_lists),
                tuple(name for name in rule.groups if name not in removed.groups),
            )
            kept += [rest] if _peers(rest) else []
        else:
            kept.append(rule)
    if not removed_any:
        raise ChangeRefused("InvalidPermission.NotFound", "the group has no such rule")
    return tuple(kept)


def acl_rule(change: AclRuleChange, snapshot: VpcSnapshot) -> VpcSnapshot:
    acl, entry = find(snapshot.acls, change.acl, "InvalidNetworkAclID.NotFound"), change.entry
    if not 1 <= entry.number <= _LAST_RULE:
        raise ChangeRefused("InvalidParameterValue", f"{entry.number} is not a rule number of 1-{_LAST_RULE}")
    others = tuple(
        existing for existing in acl.entries if (existing.egress, existing.number) != (entry.egress, entry.number)
    )
    taken = len(others) < len(acl.entries)
    if taken and not change.replace:
        raise ChangeRefused("NetworkAclEntryAlreadyExists", f"{acl.id} has a rule {entry.number}")
    if not taken and change.replace:
        raise ChangeRefused("InvalidNetworkAclEntry.NotFound", f"{acl.id} has no rule {entry.number}")
    count = sum(_alike(existing, entry) for existing in acl.entries)
    if not taken and count in (RULES_PER_ACL, 2 * RULES_PER_ACL):
        raise ChangeRefused("NetworkAclEntryLimitExceeded", f"{acl.id} has {count} rules in this direction")
    entries = sorted((*others, entry), key=lambda listed: (listed.egress, listed.number))
    return replace(snapshot, acls=swap(snapshot.acls, replace(acl, entries=tuple(entries))))


def _alike(entry: AclEntry, other: AclEntry) -> bool:
    """Of one direction and family: the quota counts them apart, the last rule included."""
    six = ":" in entry.block or entry.number == STAR[1]
    return entry.egress == other.egress and six == (":" in other.block)
