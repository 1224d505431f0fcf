"""Which targets `-l` leaves, and what a target's failure would do as far as its definition says."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from egressprobe.apiserver.client_rules import RULES
from egressprobe.model.errors import InputError
from egressprobe.model.target import FailurePolicy, Impact, Target

_MOST_NAMED = 5


def matching(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """The names that match one of the patterns (* and ?), in any case; all without patterns. None is an InputError."""
    known = list(names)
    if not patterns:
        return known
    wanted = [pattern.lower() for pattern in patterns]
    matched = [name for name in known if any(fnmatchcase(name.lower(), pattern) for pattern in wanted)]
    if not matched:
        listed = ", ".join(known[:_MOST_NAMED]) or "none"
        more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        raise InputError("-l", f"no target is named {' or '.join(patterns)}; there are: {listed}{more}")
    return matched


def targets_named(targets: Sequence[Target], patterns: Sequence[str]) -> tuple[Target, ...]:
    """The targets whose names match. Raises InputError where none does."""
    matched = set(matching((target.name for target in targets), patterns))
    return tuple(target for target in targets if target.name in matched)


def with_impact(target: Target) -> Target:
    """With what its failure does: as written, else by its failurePolicy and its kind.

    Whether an ignored failure also delays requests is known only once it is measured.
    """
    if target.impact is not None:
        return target
    ignored = target.failure_policy is FailurePolicy.IGNORE
    return replace(target, impact=Impact.BYPASSES if ignored else RULES[target.kind].impact)
