"""One fix for all members of a cause. Pure.

The fixes of one report are consistent with each other (audit/fixes/proposal.py), so their commands may be made one
after the other, each once.
"""

from collections.abc import Iterable, Sequence

from msgspec import UNSET, UnsetType

from egressprobe.incidents.causes.members import FailingMember
from egressprobe.model.remedy import RemedySteps, Touched


def merged_remedy(members: Sequence[FailingMember]) -> tuple[str, RemedySteps | UnsetType]:
    """The text and the steps. proven: only if those of every member are."""
    text = "\n".join(dict.fromkeys(part for member in members for part in member.cause.remedy.split("\n") if part))
    known = [member.cause.remedy_steps for member in members if member.cause.remedy_steps]
    steps = [step for step in known if isinstance(step, RemedySteps)]
    if not steps:
        return text, UNSET
    touches: dict[str, Touched] = {}
    for step in steps:
        touches |= {item.id: item for item in step.touches if item.id not in touches}
    with_fix = [step for step in steps if step.fix]
    proven = bool(with_fix) and all(step.proven for step in with_fix)
    return text, RemedySteps(
        check=_once(step.check for step in steps),
        fix=_once(step.fix for step in steps),
        undo=_once(step.undo for step in reversed(steps)),
        touches=tuple(touches.values()),
        placeholders=_once(step.placeholders for step in steps),
        notes=_once(step.notes for step in steps),
        proven=proven,
        proven_by=with_fix[0].proven_by if proven else "",
    )


def _once(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for items in lists for item in items))
