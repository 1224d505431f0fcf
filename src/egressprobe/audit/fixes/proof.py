"""Proposals for all problems of one report."""

from collections.abc import Sequence

from egressprobe.audit.changes.change import commands
from egressprobe.audit.fixes.candidates import candidates
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.proposal import Proposal
from egressprobe.audit.paths.destination import TargetRow
from egressprobe.audit.paths.paths import Paths


def propose(paths: Paths, _: Sequence[TargetRow], problems: Sequence[Problem]) -> dict[tuple[str | int, ...], Proposal]:
    """The first candidate of each."""
    return {problem.key: Proposal(commands(next(candidates(paths.topology, problem), ()))) for problem in problems}
