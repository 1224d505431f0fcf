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

Of several candidates the least change is taken: nothing is created where something that exists will do (`_cost`). Where
a choice turns out not to open its paths, the next one is tried.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from egressprobe.audit.changes.association_changes import CreateRouteTable
from egressprobe.audit.changes.change import Change, CreateGateway, CreateNat, commands, printed
from egressprobe.audit.fixes.blocking import blocking
from egressprobe.audit.fixes.candidates import candidates
from egressprobe.audit.fixes.cluster_subnets import other_subnets
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.proposal import FixPart, Key, Proposal, Proposals, Step, proposal
from egressprobe.audit.fixes.trial import Trial
from egressprobe.audit.paths.destination import TargetRow
from egressprobe.audit.paths.destinations import plain
from egressprobe.audit.paths.paths import PathKey, Paths
from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.vpc.blockers import Blame
from egressprobe.catalog.findings_vpc_path import ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS

# Rounds behind each other: groups, ACL, route, NAT gateway, its route, its ACL.
_MOST_ROUNDS = 6
# Plans until no path is left that does not open; then nothing is printed.
_MOST_PLANS = 12
_MOST_REASONS, _MOST_WORDS = 2, 3


# A problem and the commands that were chosen for it.
type Choice = tuple[Key, tuple[str, ...]]


class _ProofPlan(NamedTuple):
    """changes: those accepted, by problem, in order. failed: why a problem has none. trial: the VPC after all.

    doubtful: of each path the choices that did not open it at once; another one may.
    """

    changes: dict[Key, list[Step]]
    failed: dict[Key, str]
    trial: Trial
    doubtful: dict[PathKey, tuple[Choice, ...]]


def propose(paths: Paths, problems: Sequence[Problem], rows: Sequence[TargetRow] = ()) -> Proposals:
    """What to do about each problem, and about each row of a target that must be blocked and is not."""
    # Another route table may open much else.
    problems = sorted(problems, key=lambda problem: problem.blame.finding is not ROUTE_TO_IGW_WITHOUT_PUBLIC_ADDRESS)
    keys = {id(path): key for key, path in paths.known.items()}
    wanted = {keys[id(path)] for problem in problems for path in problem.paths}
    hopeless: dict[PathKey, str] = {}
    rejected: set[Choice] = set()
    for i in range(_MOST_PLANS + 1):
        left = wanted - hopeless.keys() if i < _MOST_PLANS else set()
        plan = _plan(paths, problems, keys, left, rejected)
        closed = [key for key in left if plan.trial.paths[key].state != "open"]
        if not closed:
            break
        choices = {choice for key in closed for choice in plan.doubtful.get(key, ())} - rejected
        rejected |= choices
        if not choices:  # the choices for the other paths start again
            hopeless |= {key: _why(plan, key, paths.known[key]) for key in closed}
            rejected = set()
    hopeless = {key: hopeless.get(key, "") for key in wanted - left}
    parts = {problem.key: tuple(_parts(problem, keys, plan, hopeless)) for problem in problems}
    return Proposals(parts, blocking(plan.trial, rows))


def _plan(
    paths: Paths, problems: Sequence[Problem], keys: dict[int, PathKey], left: set[PathKey], rejected: set[Choice]
) -> _ProofPlan:
    """Fixes for the paths in `left`, one problem after the other, each with what it uncovers: the order of printing."""
    plan = _ProofPlan({}, {}, Trial(paths.topology, dict(paths.known), paths.expected), {})
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
                plan = _fix(plan, key, problem.key, affected, rejected)
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


def _fix(plan: _ProofPlan, key: Key, owner: Key, path_keys: Sequence[PathKey], rejected: set[Choice]) -> _ProofPlan:
    """The plan with the best candidate that is accepted; without one the reason.

    owner: the problem that the commands go to; another than `key` where its fix uncovered this one.
    """
    trial = plan.trial
    now = [(path_key, trial.paths[path_key]) for path_key in path_keys]
    pairs = [(path_key, path, blame) for path_key, path in now for blame in path.blames if blame.key == key]
    if not pairs:  # another fix has opened it
        return plan
    problem = Problem(tuple((path, blame) for _, path, blame in pairs))
    reason, best, others = "", None, 0
    for changes in candidates(trial.topology, problem):
        if (key, commands(changes)) in rejected:
            continue
        if best is not None and best[0] < _CREATES and _creates(changes):  # it costs more
            others += 1
            continue
        attempt = trial.attempt(changes, [path_key for path_key, _, _ in pairs])
        words = _words(changes)
        if attempt.refused:
            reason = reason or f"{words} would be refused by AWS ({attempt.refused})"
        elif any(blame.key == key for path in attempt.targets.values() for blame in path.blames):
            reason = reason or f"{words} does not help"
        elif attempt.side_effects:
            reason = reason or f"{words} also {attempt.harm}"
        else:
            cost = _cost(
                changes, attempt.targets.values(), {blame.key for _, path, _ in pairs for blame in path.blames}
            )
            others += best is not None
            if best is None or cost < best[0]:
                best = (cost, changes, attempt)
            if cost == 0:
                break
    if best is None:
        return plan if key in plan.failed else plan._replace(failed=plan.failed | {key: reason})
    cost, changes, attempt = best
    accepted = {name: list(listed) for name, listed in plan.changes.items()}
    accepted.setdefault(owner, []).append(Step(tuple(changes), trial.topology))
    doubtful = dict(plan.doubtful)
    for path_key in attempt.targets if cost in _DOUBTFUL and others else ():
        doubtful[path_key] = (*doubtful.get(path_key, ()), (key, commands(changes)))
    return _ProofPlan(accepted, plan.failed, attempt.trial, doubtful)


_DOUBTFUL, _CREATES = (1, 3), 2


def _creates(changes: Sequence[Change]) -> bool:
    return any(isinstance(change, CreateNat | CreateGateway | CreateRouteTable) for change in changes)


def _cost(changes: Sequence[Change], targets: Iterable[Path], known: set[Key]) -> int:
    """0: nothing new is created and no new blocker appears; 1: one appears; 2: something is created; 3: both, or the
    path becomes unknown.
    """
    targets = tuple(targets)
    uncovers = any(blame.key not in known for path in targets for blame in path.blames)
    if any(path.state == "unknown" for path in targets):
        return 3
    return _CREATES * _creates(changes) + uncovers


def _why(plan: _ProofPlan, path_key: PathKey, before: Path) -> str:
    """Why a path is not open after all fixes."""
    path = plan.trial.paths[path_key]
    for blame in path.blames:
        if plan.failed.get(blame.key):
            return plan.failed[blame.key]
    if path.blames:
        own = {blame.key for blame in before.blames}
        return next((blame.said for blame in path.blames if blame.key not in own), "")
    steps = [step for blame in before.blames for step in plan.changes.get(blame.key, ())]
    tried = _words(change for step in steps for change in step.changes)
    unknown = f"whether the path is then open is unknown, because of {'; '.join(path.knowledge_ends)}"
    return f"{tried} removes the known block, but {unknown}" if tried else unknown


def _words(changes: Iterable[Change]) -> str:
    """What is done, for a sentence: "adding rule 90 of acl-1". The words of a change begin with its verb."""
    pairs = (printed(change.words).partition(" ") for change in changes)
    words = list(dict.fromkeys(f"{verb.removesuffix('e')}ing {rest}" for verb, _, rest in pairs))
    more = len(words) - _MOST_WORDS
    return "; ".join(words[:_MOST_WORDS]) + (f" and {more} more changes" if more > 0 else "")


def _parts(
    problem: Problem, keys: dict[int, PathKey], plan: _ProofPlan, hopeless: dict[PathKey, str]
) -> Iterator[FixPart]:
    """The paths that the commands open; the others, with words instead."""
    opened = tuple(pair for pair in problem.pairs if keys[id(pair[0])] not in hopeless)
    if opened:
        yield FixPart(Problem(opened), _opening(problem.key, opened, plan))
    rest = tuple(pair for pair in problem.pairs if keys[id(pair[0])] in hopeless)
    if rest:
        part = Problem(rest)
        reasons = dict.fromkeys(plain(hopeless[keys[id(path)]]) for path in part.paths)
        known = "; ".join([reason for reason in reasons if reason][:_MOST_REASONS])
        words = f"No command is printed: {known}." if known else ""
        yield FixPart(
            part, other_subnets(plan.trial, part, [keys[id(path)] for path in part.paths]) or Proposal((), words)
        )


def _opening(key: Key, pairs: Sequence[tuple[Path, Blame]], plan: _ProofPlan) -> Proposal:
    steps = plan.changes.get(key, ())
    others = {blame.key: blame.code for path, _ in pairs for blame in path.blames if blame.key != key}
    codes = ", ".join(sorted({code for other, code in others.items() if other in plan.changes}))
    if steps:
        return proposal(steps, f"The paths open together with the commands for {codes}." if codes else "")
    return Proposal((), f"The commands for {codes or 'the other findings'} open these paths as well.")
