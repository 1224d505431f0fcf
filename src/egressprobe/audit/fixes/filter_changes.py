"""Candidates for filters: rules of security groups and entries of network ACLs.

An allowing entry gets a free number below the rule that denies (user guide, nacl-rules: the lowest number is evaluated
first). If there is none, the denying rule and those behind it move to higher numbers and its place is used.
"""

from collections.abc import Iterator, Sequence

from egressprobe.audit.changes.change import AclRuleChange, Change, GroupRule
from egressprobe.audit.fixes.problem import Problem, scope
from egressprobe.audit.vpc.blockers import AclRule, SecurityGroups, TargetGroups
from egressprobe.audit.vpc.cidr import EPHEMERAL, address
from egressprobe.audit.vpc.packet_filters import STAR, TCP, UDP
from egressprobe.audit.vpc.snapshot import Acl, AclEntry, Permission
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.findings_vpc_path import NACL_EPHEMERAL_DENIED

_NUMBERS = {"tcp": TCP, "udp": UDP}
_LAST_RULE = 32766
# More entries than this, each for a subnet, become one for the VPC: an ACL has room for 20.
_MOST_PRECISE = 3


def groups_out(topology: Topology, problem: Problem) -> Iterator[tuple[Change, ...]]:
    """Egress rules of one of the control plane's groups, the first if it has room; for many subnets the VPC's CIDRs."""
    blamed = [blame.at for _, blame in problem.pairs if isinstance(blame.at, SecurityGroups) and blame.at.groups]
    if not blamed:
        return
    for group in blamed[0].groups:
        precise, coarse = (
            tuple(dict.fromkeys(_egress(at, group, scope(topology, at.remote, coarse=wide)) for at in blamed))
            for wide in (False, True)
        )
        if len(precise) <= _MOST_PRECISE:
            yield precise
        if coarse != precise:
            yield coarse
        if len(precise) > _MOST_PRECISE:
            yield precise


def _egress(at: SecurityGroups, group: str, cidr: str) -> Change:
    rule = Permission(_NUMBERS[at.protocol], (at.port, at.port), blocks=(cidr,))
    return GroupRule(group, egress=True, permission=rule)


def groups_in(topology: Topology, problem: Problem) -> Iterator[tuple[Change, ...]]:
    """By the cluster's own group where the call comes straight from it; else by address."""
    changes: dict[Change, None] = {}
    own = topology.snapshot.cluster.groups
    for _, blame in problem.pairs:
        at = blame.at
        if not isinstance(at, TargetGroups) or not at.groups:
            continue
        caller = topology.interface_of(address(at.remote))
        direct = own and not at.translated and (caller is None or set(caller.groups) & set(own))
        rule = Permission(
            _NUMBERS[at.protocol],
            (at.port, at.port),
            blocks=() if direct else (scope(topology, at.remote),),
            groups=own[:1] if direct else (),
        )
        changes[GroupRule(at.groups[0], egress=False, permission=rule)] = None
    if changes:
        yield tuple(changes)


def acl_entries(topology: Topology, problem: Problem) -> Iterator[tuple[Change, ...]]:
    """Entries that allow what one rule of one ACL denies in one direction; for many subnets the VPC's CIDRs at once."""
    at = problem.blame.at
    if not isinstance(at, AclRule):
        return
    acl = next((acl for acl in topology.snapshot.acls or () if acl.id == at.network_acl), None)
    if acl is None:
        return
    precise = tuple(dict.fromkeys(_allowing(topology, problem, coarse=False)))
    coarse = tuple(dict.fromkeys(_allowing(topology, problem, coarse=True)))
    if len(precise) > _MOST_PRECISE and len(coarse) < len(precise):
        yield from place(acl, coarse, at.rule)
    yield from place(acl, precise, at.rule)
    if len(coarse) < len(precise) <= _MOST_PRECISE:
        yield from place(acl, coarse, at.rule)


def _allowing(topology: Topology, problem: Problem, *, coarse: bool) -> Iterator[AclEntry]:
    for _, blame in problem.pairs:
        at = blame.at
        if isinstance(at, AclRule):
            returning = blame.finding is NACL_EPHEMERAL_DENIED
            ports = EPHEMERAL.ranges[0] if returning else (int(at.ports), int(at.ports))
            cidr = scope(topology, at.remote, coarse=coarse)
            egress = at.direction == "egress"
            yield AclEntry(0, egress, allow=True, protocol=_NUMBERS[at.protocol], block=cidr, ports=ports)


def place(acl: Acl, entries: Sequence[AclEntry], before: int) -> Iterator[tuple[Change, ...]]:
    """The entries, of one direction, with numbers that are evaluated before rule `before`; none if nothing is free."""
    if not entries:
        return
    egress = entries[0].egress
    taken = {entry.number for entry in acl.entries if entry.egress is egress}
    below = [number for number in range(min(before, _LAST_RULE + 1) - 1, 0, -1) if number not in taken]
    if len(below) >= len(entries):
        yield tuple(
            AclRuleChange(acl.id, _numbered(entry, number)) for entry, number in zip(entries, below, strict=False)
        )
        return
    if before not in STAR:
        yield from _shifted(acl, entries, before, below)


def _shifted(acl: Acl, entries: Sequence[AclEntry], before: int, below: Sequence[int]) -> Iterator[tuple[Change, ...]]:
    """Rule `before` and as few of those behind it as possible get higher numbers, in the same order; the entries get
    the places that become free. The highest moves first, so that what is allowed is the same after each command.
    """
    egress, more = entries[0].egress, len(entries) - len(below)
    following = sorted(
        (entry for entry in acl.entries if entry.egress is egress and before <= entry.number <= _LAST_RULE),
        key=lambda entry: entry.number,
    )
    moved: list[tuple[AclEntry, int]] = []
    number = before + more
    for entry in following:
        if entry.number >= number:
            break
        moved.append((entry, number))
        number += 1
    if not moved or number > _LAST_RULE:
        return
    taken = {entry.number for entry in following}
    changes = [AclRuleChange(acl.id, _numbered(entry, to), replace=to in taken) for entry, to in reversed(moved)]
    places = [*sorted(below), *range(before, before + more)]
    for entry, place_number in zip(entries, places, strict=True):
        occupied = place_number in taken or any(to == place_number for _, to in moved)
        changes.append(AclRuleChange(acl.id, _numbered(entry, place_number), replace=occupied))
    yield tuple(changes)


def _numbered(entry: AclEntry, number: int) -> AclEntry:
    return AclEntry(number, entry.egress, entry.allow, entry.protocol, entry.block, entry.ports)
