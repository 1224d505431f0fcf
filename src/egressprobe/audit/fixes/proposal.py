"""What is proposed for the problems of one report."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.audit.changes.change import Change, commands
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.remedies.touched import touched
from egressprobe.audit.remedies.undo import undo
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.entry import FindingEntry
from egressprobe.model.remedy import Touched
from egressprobe.model.report import Finding

type Key = tuple[str | int, ...]
_OPENS = "every path that it is for opens, and no path that is open closes"


class Proposal(NamedTuple):
    """commands: proven, in order; words: why there are none, or what they need besides.

    undo: commands that take them back; undo_words: what they do not restore. touches: what is changed, and its users.
    proven_by: how they were proven; empty without commands.
    """

    commands: tuple[str, ...] = ()
    words: str = ""
    undo: tuple[str, ...] = ()
    undo_words: str = ""
    touches: tuple[Touched, ...] = ()
    proven_by: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a remedy before the catalogue's own."""
        return (*self.commands, *(words for words in (self.words, self.undo_words) if words))


class Step(NamedTuple):
    """Changes that were accepted, and the VPC that they were made on."""

    changes: tuple[Change, ...]
    before: Topology


def proposal(steps: Sequence[Step], words: str = "", *, effect: str = _OPENS) -> Proposal:
    """The proven commands of the steps, in their order. effect: what they were proven to do."""
    if not steps:
        return Proposal((), words)
    inverses: list[Change] = []
    not_restored: list[str] = []
    users: dict[str, Touched] = {}
    for changes, before in steps:
        inverse = undo(changes, before.snapshot)
        inverses[:0] = inverse.changes
        not_restored += [inverse.words] if inverse.words else []
        users |= {item.id: item for item in touched(changes, before) if item.id not in users}
    return Proposal(
        commands(change for step in steps for change in step.changes),
        words,
        commands(inverses),
        f"Undo: {'; '.join(dict.fromkeys(not_restored))}." if not_restored else "",
        tuple(users.values()),
        f"applied to the snapshot of {steps[0].before.snapshot.taken_at}: {effect}",
    )


class FixPart(NamedTuple):
    """Paths of one problem that have one proposal."""

    problem: Problem
    proposal: Proposal


class Proposals(NamedTuple):
    """parts: of each problem, by its key. blocking: for targets that must be blocked, by name and port."""

    parts: dict[Key, tuple[FixPart, ...]]
    blocking: dict[tuple[str, int], Proposal]

    def of_path(self, key: Key, path: Path) -> Proposal:
        """For one path of a problem."""
        parts = self.parts.get(key, ())
        return next(
            (part.proposal for part in parts if any(path is listed for listed in part.problem.paths)), Proposal()
        )


def without_fixes(problems: Sequence[Problem], why: str) -> Proposals:
    """The problems alone, with the reason why nothing is proposed."""
    words = Proposal((), f"No command: {why}.")
    return Proposals({problem.key: (FixPart(problem, words),) for problem in problems}, {})


def with_proposal(entry: FindingEntry, message: str, evidence: Mapping[str, Any], proposed: Proposal) -> Finding:
    """A finding with the commands that are proven to fix it, or with the reason why there are none."""
    finding = entry.found(message, evidence, proposed.lines, proposed.undo)
    if not proposed.commands or not finding.remedy_steps:
        return finding
    proven = replace(
        finding.remedy_steps, touches=proposed.touches, proven=bool(proposed.proven_by), proven_by=proposed.proven_by
    )
    return replace(finding, remedy_steps=proven)
