"""Targets that must be blocked and are open: entries of network ACLs that deny them."""

from collections.abc import Sequence

from egressprobe.audit.changes.change import Change
from egressprobe.audit.fixes.filter_changes import place
from egressprobe.audit.fixes.proposal import Proposal, Step, proposal
from egressprobe.audit.fixes.trial import Trial
from egressprobe.audit.paths.destination import TargetRow
from egressprobe.audit.paths.paths import PathKey
from egressprobe.audit.vpc.cidr import address, block
from egressprobe.audit.vpc.packet_filters import ALL, STAR, TCP, UDP
from egressprobe.audit.vpc.snapshot import Acl, AclEntry
from egressprobe.model.target import Expect

_NUMBERS = {"tcp": TCP, "udp": UDP}
_MOST_ADDRESSES = 8


def blocking(trial: Trial, rows: Sequence[TargetRow]) -> dict[tuple[str, int], Proposal]:
    """By name and port of the target. The commands fit each other: one VPC for all."""
    proposals: dict[tuple[str, int], Proposal] = {}
    for row in rows:
        target = row.target
        if target.expect is not Expect.BLOCKED or all(cell.state in ("closed", "unknown") for cell in row.cells):
            continue
        if target.assumed or len(target.addresses) > _MOST_ADDRESSES:
            words = "No command: the target's addresses are not known here, or are too many for a network ACL."
            proposals[target.name, target.port] = Proposal((), words)
            continue
        keys = [
            key
            for key, path in trial.paths.items()
            if key[1] in target.addresses and key[2] == target.port and path.state in ("open", "partial")
            if path.server_name in ("", target.server_name)
        ]
        if not all(trial.must_be_blocked(key) for key in keys):
            words = "No command: another target needs the same address and port."
            proposals[target.name, target.port] = Proposal((), words)
            continue
        proposals[target.name, target.port], trial = _deny(trial, keys)
    return proposals


def _deny(trial: Trial, keys: Sequence[PathKey]) -> tuple[Proposal, Trial]:
    """Denies each address in the ACL of each subnet that reaches it, before the first rule that allows it."""
    changes: dict[Change, None] = {}
    acls: dict[str, Acl] = {}
    for subnet, to, port, protocol, _, _ in keys:
        acl = trial.topology.acls.get(subnet)
        if acl is None:
            return Proposal((), f"No command: the network ACL of {subnet} cannot be read."), trial
        acl = acls.setdefault(acl.id, acl)
        cidr = f"{to}/{128 if ':' in to else 32}"
        entry = AclEntry(0, egress=True, allow=False, protocol=_NUMBERS[protocol], block=cidr, ports=(port, port))
        if any(_same(listed, entry) for listed in acl.entries):
            continue
        placed = next(place(acl, [entry], _first_allowing(acl, entry)), ())
        for change in placed:
            changes[change] = None
            added = (*acl.entries, change.entry)  # type: ignore[attr-defined]
            acls[acl.id] = Acl(acl.id, acl.subnets, added)
    attempt = trial.attempt(tuple(changes), keys)
    if attempt.refused:
        return Proposal((), f"No command: AWS would refuse the rules ({attempt.refused})."), trial
    if not changes or any(path.state != "closed" for path in attempt.targets.values()):
        return Proposal(
            (), "No command is proven to close this in the network ACLs of the control plane's subnets."
        ), trial
    if attempt.side_effects:
        return Proposal((), f"No command: to deny the address in the network ACL also {attempt.harm}."), trial
    sharing = sorted({name for acl in acls.values() for name in acl.subnets} - {key[0] for key in keys})
    words = f"The ACL denies the address for {', '.join(sharing)} as well." if sharing else ""
    effect = "every path of the target closes, and no other that is open"
    return proposal([Step(tuple(changes), trial.topology)], words, effect=effect), attempt.trial


def _same(listed: AclEntry, other: AclEntry) -> bool:
    return (listed.egress, listed.allow, listed.protocol, listed.block, listed.ports) == (
        other.egress,
        other.allow,
        other.protocol,
        other.block,
        other.ports,
    )


def _first_allowing(acl: Acl, entry: AclEntry) -> int:
    """The number of the first rule that allows what the entry denies."""
    target = address(entry.block.partition("/")[0])
    numbers = [
        listed.number
        for listed in acl.entries
        if listed.egress and listed.allow and listed.protocol in (ALL, entry.protocol) and target in block(listed.block)
    ]
    return min(numbers, default=STAR[0])
