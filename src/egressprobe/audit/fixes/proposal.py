"""What is proposed for the problems of one report."""

from collections.abc import Sequence
from typing import NamedTuple

from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.paths.reachability import Path

type Key = tuple[str | int, ...]


class Proposal(NamedTuple):
    """commands: proven, in order; words: why there are none, or what they need besides."""

    commands: tuple[str, ...] = ()
    words: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of a remedy before the catalogue's own."""
        return (*self.commands, *([self.words] if self.words else []))


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
