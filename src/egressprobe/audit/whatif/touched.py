"""Which steps of a plan may change a path: by the ids of what the path consults, before and after."""

from collections.abc import Iterable, Iterator
from functools import cache

from egressprobe.audit.changes.resource_changes import CreateEndpoint, ModifyEndpoint
from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.whatif.carry_out import StepOutcome
from egressprobe.audit.whatif.plan import EVERYTHING, NAMES, Unmodelled

# In `Change.touches` of what is not on a path itself, but changes which paths there are, or all of them.
_WHOLE = frozenset({"cluster", "dhcp"})


class StepsOfPaths:
    """The steps of one plan, by what they touch."""

    def __init__(self, steps: Iterable[StepOutcome], states: tuple[VpcSnapshot, VpcSnapshot]) -> None:
        self._states = states
        self._vpc = states[0].vpc.id
        self._members = cache(self._members_of)
        listed = tuple(steps)
        self._changes = [(step.name, frozenset(self._expanded(step))) for step in listed if step.changes]
        self._unmodelled: list[tuple[str, Unmodelled, frozenset[str]]] = [
            (step.name, unmodelled, frozenset(self._all(unmodelled.touches)))
            for step in listed
            for unmodelled in step.unmodelled
        ]

    def _expanded(self, step: StepOutcome) -> Iterator[str]:
        yield from self._all(step.touches)
        if any(isinstance(change, CreateEndpoint | ModifyEndpoint) for change in step.changes):
            yield NAMES

    def _all(self, touches: Iterable[str]) -> Iterator[str]:
        for name in touches:
            yield name
            if name == self._vpc or name in _WHOLE:
                yield EVERYTHING
            elif name.startswith("pl-"):
                yield from self._members(name)

    def _members_of(self, prefix_list: str) -> tuple[str, ...]:
        """The tables and groups that name a prefix list."""
        names = []
        for state in self._states:
            for table in state.route_tables or ():
                names += [table.id for route in table.routes if route.destination == prefix_list]
            for group in state.groups or ():
                rules = (*group.ingress, *group.egress)
                names += [group.id for rule in rules if prefix_list in rule.prefix_lists]
        return tuple(dict.fromkeys(names))

    def unmodelled(self, paths: Iterable[Path], host: str, *, closed: bool) -> tuple[str, ...]:
        """Why the paths may end otherwise than as evaluated. closed: some are not open, so what only opens counts."""
        if not self._unmodelled:
            return ()
        consulted = _consulted(paths, host)
        return tuple(
            dict.fromkeys(
                f"{name}: {unmodelled.why}"
                for name, unmodelled, touches in self._unmodelled
                if touches & consulted and (closed or not unmodelled.only_opens)
            )
        )

    def steps(self, paths: Iterable[Path], host: str, element: str) -> tuple[str, ...]:
        """Names of the steps; those that change what blocks, if there are any."""
        consulted = _consulted(paths, host)
        rows = [*self._changes, *((name, touches) for name, _, touches in self._unmodelled)]
        names = dict.fromkeys(name for name, touches in rows if touches & consulted)
        blocking = [name for name, touches in rows if element in touches]
        return tuple(dict.fromkeys(blocking)) or tuple(names)


def _consulted(paths: Iterable[Path], host: str) -> frozenset[str]:
    names = frozenset[str]().union(*(path.consulted | {path.subnet} for path in paths))
    return names | {EVERYTHING} | _of_name(host)


def _of_name(host: str) -> set[str]:
    """What decides the addresses of a name: the name, and every domain that it is in."""
    if not host:
        return set()
    labels = host.lower().rstrip(".").split(".")
    return {NAMES, f"name:{'.'.join(labels)}", *(f"domain:{'.'.join(labels[i:])}" for i in range(len(labels)))}
