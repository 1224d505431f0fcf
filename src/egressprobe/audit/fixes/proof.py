"""Fixes searched and proven: a command is printed only if it is shown on the snapshot to open what it is for.

The problems of one report are fixed one after the other on the same snapshot, so that all commands fit each other: rule
numbers never collide, and nothing is created twice. A candidate (candidates.py) is accepted if

1. AWS would accept it (changes/apply.py),
2. the problem is gone from every path that it is for, and
3. nothing that was open is closed by it: no path of a target, no other use of the same route table, ACL or group
   (uses.py); and nothing that must be blocked is opened.

What a fix uncovers behind it (an ACL behind a missing route) is fixed right after it. At the end a path counts only
if it is open. Of the others the fixes are withdrawn and the rest is done again, until every path that is left opens. A
problem whose paths open only in part is split: commands for those that open, words for the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from egressprobe.audit.changes.change import Change, commands
from egressprobe.audit.fixes.blocking import blocking
from egressprobe.audit.fixes.candidates import candidates
from egressprobe.audit.fixes.cluster_subnets import other_subnets
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.proposal import Key, Part, Proposal, Proposals
from egressprobe.audit.fixes.trial import Trial
from egressprobe.audit.paths.destination import TargetRow
from egressprobe.audit.paths.destinations import plain
from egressprobe.audit.paths.paths import PathKey, Paths
from egressprobe.audit.vpc.blockers import Blame
from egressprobe.audit.vpc.reachability import Path

# Rounds behind each other: groups, ACL, route, NAT gateway, its route, its ACL.
_MOST_ROUNDS = 6
_MOST_REASONS, _MOST_WORDS = 2, 3


class _Plan(NamedTuple):
    """changes: those accepted, by problem, in order. failed: why a problem has none. trial: the VPC after all."""

    changes: dict[Key, list[Change]]
    failed: dict[Key, str]
    trial: Trial


def propose(paths: Paths, problems: Sequence[Problem], rows: Sequence[TargetRow] = ()) -> Proposals:
    """What to do about each problem, and about each row of a target that must be blocked and is not."""
    keys = {id(path): key for key, path in paths.known.items()}
    wanted = {keys[id(path)] for problem in problems for path in problem.paths}
    hopeless: dict[PathKey, str] = {}
    while True:
        left = wanted - hopeless.keys()
        plan = _plan(paths, problems, keys, left)
        closed = {key: _why(plan, key, paths.known[key]) for key in left if plan.trial.paths[key].state != "open"}
        if not closed:
            break
        hopeless |= closed
    parts = {problem.key: tuple(_parts(problem, keys, plan, hopeless)) for problem in problems}
    return Proposals(parts, blocking(plan.trial, rows))


def _plan(paths: Paths, problems: Sequence[Problem], keys: dict[int, PathKey], left: set[PathKey]) -> _Plan:
    """Fixes for the paths in `left`, one problem after the other, each with what it uncovers: the order of printing."""
    plan = _Plan({}, {}, Trial(paths.topology, dict(paths.known), paths.expected))
    pending = [problem.key for problem in problems]
    for problem in problems:
        pending.remove(problem.key)
        listed = dict.fromkeys(keys[id(path)] for path in problem.paths)
        uncovered = _blamed(plan.trial, sorted(left - listed.keys())).get(problem.key, [])
        own = [*(key for key in listed if key in left), *uncovered]
        blamed = {problem.key: own} if own else {}
        for i in range(_MOST_ROUNDS):
            before = plan
            for key, affected in blamed.items():
                plan = _fix(plan, key, problem.key, affected)
            if plan is before and i > 0:
                break
            blamed = {key: affected for key, affected in _blamed(plan.trial, own).items() if key not in pending}
    return plan


def _blamed(trial: Trial, path_keys: Sequence[PathKey]) -> dict[Key, list[PathKey]]:
    """What blocks the paths now."""
    blamed: dict[Key, list[PathKey]] = {}
    for path_key in path_keys:
        for blame in trial.paths[path_key].blames:
            blamed.setdefault(blame.key, []).append(path_key)
    return blamed


def _fix(plan: _Plan, key: Key, owner: Key, path_keys: Sequence[PathKey]) -> _Plan:
    """The plan with the first candidate that is accepted; without one the reason.

    owner: the problem that the commands go to; another than `key` where its fix uncovered this one.
    """
    trial = plan.trial
    now = [(path_key, trial.paths[path_key]) for path_key in path_keys]
    pairs = [(path_key, path, blame) for path_key, path in now for blame in path.blames if blame.key == key]
    if not pairs:  # another fix has opened it
        return plan
    problem = Problem(tuple((path, blame) for _, path, blame in pairs))
    reason = ""
    for changes in candidates(trial.topology, problem):
        attempt = trial.attempt(changes, [path_key for path_key, _, _ in pairs])
        words = _words(changes)
        if attempt.refused:
            reason = reason or f"to {words}: AWS would refuse it ({attempt.refused})"
        elif any(blame.key == key for path in attempt.targets.values() for blame in path.blames):
            reason = reason or f"to {words} does not help"
        elif attempt.side_effects:
            reason = reason or f"to {words} also {attempt.harm}"
        else:
            accepted = {name: list(listed) for name, listed in plan.changes.items()}
            accepted.setdefault(owner, []).extend(changes)
            return _Plan(accepted, plan.failed, attempt.trial)
    return plan if key in plan.failed else _Plan(plan.changes, plan.failed | {key: reason}, trial)


def _why(plan: _Plan, path_key: PathKey, before: Path) -> str:
    """Why a path is not open after all fixes."""
    path = plan.trial.paths[path_key]
    for blame in path.blames:
        if plan.failed.get(blame.key):
            return plan.failed[blame.key]
    if path.blames:
        own = {blame.key for blame in before.blames}
        return next((blame.said for blame in path.blames if blame.key not in own), "")
    tried = _words(change for blame in before.blames for change in plan.changes.get(blame.key, ()))
    unknown = f"whether the path is then open is unknown: {'; '.join(path.knowledge_ends)}"
    return f"to {tried} removes what is known to block it, but {unknown}" if tried else unknown


def _words(changes: Iterable[Change]) -> str:
    words = list(dict.fromkeys(change.words for change in changes))
    more = len(words) - _MOST_WORDS
    return "; ".join(words[:_MOST_WORDS]) + (f" and {more} more changes" if more > 0 else "")


def _parts(problem: Problem, keys: dict[int, PathKey], plan: _Plan, hopeless: dict[PathKey, str]) -> Iterator[Part]:
    """The paths that the commands open; the others, with words instead."""
    opened = tuple(pair for pair in problem.pairs if keys[id(pair[0])] not in hopeless)
    if opened:
        yield Part(Problem(opened), _opening(problem.key, opened, plan))
    rest = tuple(pair for pair in problem.pairs if keys[id(pair[0])] in hopeless)
    if rest:
        part = Problem(rest)
        reasons = dict.fromkeys(plain(hopeless[keys[id(path)]]) for path in part.paths)
        known = "; ".join([reason for reason in reasons if reason][:_MOST_REASONS])
        words = f"No command is proven to open this: {known}." if known else ""
        yield Part(
            part, other_subnets(plan.trial, part, [keys[id(path)] for path in part.paths]) or Proposal((), words)
        )


def _opening(key: Key, pairs: Sequence[tuple[Path, Blame]], plan: _Plan) -> Proposal:
    lines = commands(plan.changes.get(key, ()))
    others = {blame.key: blame.code for path, _ in pairs for blame in path.blames if blame.key != key}
    codes = ", ".join(sorted({code for other, code in others.items() if other in plan.changes}))
    if lines:
        return Proposal(lines, f"The paths open together with the commands for {codes}." if codes else "")
    return Proposal((), f"The commands for {codes or 'the other findings'} open these paths as well.")
