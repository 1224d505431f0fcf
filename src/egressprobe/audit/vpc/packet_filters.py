"""What a network ACL and what security groups let pass.

Network ACLs (VPC User Guide, nacl-rules): entries in ascending order, the first that matches decides, stateless, one
list a direction, IPv4 and IPv6 apart; entry 32767 (`*`) denies the rest. Port ranges are those of the packet's
destination.

Security groups (VPC User Guide, security-group-rules): the union of all rules of all groups, only what is allowed
passes, answers to what passed always do. A reference to a group means its members' private addresses.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from egressprobe.audit.vpc.cidr import NO_PORTS, Address, Ports, block
from egressprobe.audit.vpc.snapshot import Acl, Group, Permission

ALL = -1
TCP, UDP = 6, 17


class Passed(NamedTuple):
    """ports: those that pass. denied_by: number of the first entry that denies some of the rest, 32767 for `*`."""

    ports: Ports
    denied_by: int = 0


def acl_passes(acl: Acl, *, egress: bool, protocol: int, remote: Address, ports: Ports) -> Passed:
    """Which destination ports of packets of `protocol` to (egress) or from `remote` pass."""
    left, passed, denied_by = ports, NO_PORTS, 0
    version, number = remote
    for entry in acl.entries:
        if entry.egress is not egress or entry.protocol not in (ALL, protocol):
            continue
        held = block(entry.block)  # asked a hundred thousand times in a large audit, so not by `in`
        if held.version != version or not held.first <= number <= held.last:
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
    return Passed(passed, denied_by or (32767 if left else 0))


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
            said = _permits(rule, lists, protocol, port, remote)
            if said:
                return True
            unsure |= said is None
    return None if unsure else False


def _permits(
    rule: Permission, lists: Mapping[str, tuple[str, ...] | None], protocol: int, port: int, remote: Remote
) -> bool | None:
    if rule.protocol not in (ALL, protocol):
        return False
    if rule.ports and not rule.ports[0] <= port <= rule.ports[1]:
        return False
    if any(remote.address in block(one) for one in rule.blocks):
        return True
    if remote.groups and any(one in remote.groups for one in rule.groups):
        return True
    unsure = False
    for name in rule.prefix_lists:
        held = lists.get(name)
        if held is None:
            unsure = True
        elif any(remote.address in block(one) for one in held):
            return True
    return None if unsure else False
