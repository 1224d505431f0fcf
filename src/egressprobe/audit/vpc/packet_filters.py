"""What a network ACL and what security groups allow.

Network ACLs (VPC User Guide, nacl-rules): entries in ascending order, the first that matches decides, stateless, one
list for each direction, IPv4 and IPv6 apart; the entry `*` (32767, of IPv6 32768) denies the rest. Port ranges are
those of the packet's destination.

Security groups (VPC User Guide, security-group-rules): the union of all rules of all groups, only what is allowed
passes, return traffic of what passed always does. A reference to a group means its members' private addresses.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from egressprobe.audit.vpc.cidr import NO_PORTS, Address, Ports, block
from egressprobe.audit.vpc.snapshot import Acl, Group, Permission

ALL = -1
TCP, UDP = 6, 17
# The last rules, of IPv4 and of IPv6, which the console shows as `*`. They cannot be changed (user guide,
# custom-network-acl).
STAR = (32767, 32768)


class Passed(NamedTuple):
    """ports: those that pass. denied_by: number of the first entry that denies some of the rest (see STAR)."""

    ports: Ports
    denied_by: int = 0


def acl_passes(acl: Acl, *, egress: bool, protocol: int, remote: Address, ports: Ports) -> Passed:
    """Which destination ports of packets of `protocol` to (egress) or from `remote` pass."""
    left, passed, denied_by = ports, NO_PORTS, 0
    version, number = remote
    for entry in acl.entries:
        if entry.egress is not egress or entry.protocol not in (ALL, protocol):
            continue
        cidr = block(entry.block)  # tested a hundred thousand times in a large audit, so not by `in`
        if cidr.version != version or not cidr.first <= number <= cidr.last:
            continue
        covers = left & Ports((entry.ports,)) if entry.ports else left
        if not covers:
            continue
        if entry.allow:
            passed |= covers
        else:
            denied_by = denied_by or entry.number
        left -= covers
        if not left:
            break
    return Passed(passed, denied_by or (STAR[0] if left else 0))


class Remote(NamedTuple):
    """The other side. groups: of its interface; None where a reference to a group cannot match."""

    address: Address
    groups: frozenset[str] | None = None


def groups_pass(
    groups: Iterable[Group],
    lists: Mapping[str, tuple[str, ...] | None],
    *,
    egress: bool,
    protocol: int,
    port: int,
    remote: Remote,
) -> bool | None:
    """True, False, or None where a prefix list that could not be read decides."""
    unsure = False
    for group in groups:
        for rule in group.egress if egress else group.ingress:
            permitted = _permits(rule, lists, protocol, port, remote)
            if permitted:
                return True
            unsure |= permitted is None
    return None if unsure else False


def _permits(
    rule: Permission, lists: Mapping[str, tuple[str, ...] | None], protocol: int, port: int, remote: Remote
) -> bool | None:
    if rule.protocol not in (ALL, protocol):
        return False
    if rule.ports and not rule.ports[0] <= port <= rule.ports[1]:
        return False
    if any(remote.address in block(text) for text in rule.blocks):
        return True
    if remote.groups and any(name in remote.groups for name in rule.groups):
        return True
    unsure = False
    for name in rule.prefix_lists:
        listed = lists.get(name)
        if listed is None:
            unsure = True
        elif any(remote.address in block(text) for text in listed):
            return True
    return None if unsure else False
