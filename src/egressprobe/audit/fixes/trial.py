"""One state of the VPC while fixes are tried: the snapshot, its paths and other uses, and the effects of a change."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

from egressprobe.audit.changes.apply import apply_all
from egressprobe.audit.changes.change import Change
from egressprobe.audit.changes.refusal import ChangeRefused
from egressprobe.audit.fixes.uses import Outcome, Use, outcome, uses
from egressprobe.audit.paths.paths import PathKey, evaluate
from egressprobe.audit.paths.reachability import Path, State
from egressprobe.audit.vpc.sources import sources
from egressprobe.audit.vpc.topology import Topology
from egressprobe.model.target import Expect

_RANK: dict[State, int] = {"closed": 0, "unknown": 1, "partial": 1, "open": 2}
_MOST_NAMED = 3


class Trial:
    """The VPC after some changes. paths: of every target, as they are now; expected: what the targets want of them.

    uses: None until the first change that could close something is tried.
    """

    def __init__(
        self,
        topology: Topology,
        paths: dict[PathKey, Path],
        expected: dict[PathKey, set[Expect]],
        other_uses: dict[Use, Outcome] | None = None,
    ) -> None:
        self.topology, self.paths, self.expected, self.uses = topology, paths, expected, other_uses

    def must_be_blocked(self, key: PathKey) -> bool:
        """Whether every target of the path has `expect: blocked`."""
        return Expect.REACHABLE not in self.expected.get(key, {Expect.REACHABLE})

    def attempt(self, changes: Sequence[Change], keys: Iterable[PathKey]) -> "FixTrial":
        """What the changes do: to the paths that they are for, and to everything else that they touch."""
        try:
            topology = Topology(apply_all(self.topology.snapshot, changes), self.topology)
        except ChangeRefused as refused:
            return FixTrial(self, {}, [], str(refused))
        touched = frozenset().union(*(change.touches for change in changes))
        starts = cache(partial(sources, topology))

        def evaluated(key: PathKey) -> Path:
            return evaluate(topology, key, starts)

        targets = {key: evaluated(key) for key in keys}
        after = Trial(topology, self.paths | targets, self.expected, self.uses)
        attempt = FixTrial(after, targets, [])
        only_allows = all(change.only_allows for change in changes)
        for key, path in self.paths.items():
            if key in targets or not touched & path.consulted:
                continue
            if only_allows and path.state == "open" and not self.must_be_blocked(key):
                continue
            after.paths[key] = evaluated(key)
            attempt.side_effects.extend(_effects(path, after.paths[key], blocked=self.must_be_blocked(key)))
        if not only_allows:
            attempt.side_effects.extend(self._broken_uses(after, touched))
        return attempt

    def _broken_uses(self, after: "Trial", touched: frozenset[str]) -> Iterator[str]:
        if self.uses is None:
            self.uses = {use: outcome(self.topology, use) for use in uses(self.topology)}
        before = self.uses
        changed = {use: outcome(after.topology, use) for use in before if touched & before[use].path.consulted}
        after.uses = before | changed
        for use, now in changed.items():
            if _RANK[now.state] < _RANK[before[use].state]:
                yield f"closes {use.words}"


class FixTrial(NamedTuple):
    """trial: the state after. targets: the paths that the changes are for. side_effects: in words, why not to do it."""

    trial: Trial
    targets: dict[PathKey, Path]
    side_effects: list[str]
    refused: str = ""

    @property
    def harm(self) -> str:
        """The side effects in one phrase; empty for none."""
        effects = list(dict.fromkeys(self.side_effects))
        more = len(effects) - _MOST_NAMED
        return ", ".join(effects[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _effects(before: Path, after: Path, *, blocked: bool) -> Iterator[str]:
    name = f"{after.subnet} to {after.address} port {after.port}"
    if blocked and before.state == "closed" and after.state != "closed":
        yield f"opens {name}, which must be blocked"
    elif not blocked and _RANK[after.state] < _RANK[before.state]:
        yield f"closes {name}"
