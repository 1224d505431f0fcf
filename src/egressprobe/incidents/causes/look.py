"""What one look knows beside the report, and what follows from the alarms alone: tier and time. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from egressprobe.incidents.alarms import OF_SUBNETS, PAGES, AlarmFacts, AlarmKind, Contributor
from egressprobe.incidents.model import Tier
from egressprobe.model.report import TargetView

type AlarmsOn = Sequence[tuple[AlarmKind, Contributor]]


class LookContext(NamedTuple):
    """targets: of the plan, by name. since: first failing minutes, by target's name or subnet's id.

    not_probed: why there is no report, or not of every target.
    """

    alarms: AlarmFacts
    targets: Mapping[str, TargetView]
    since: Mapping[str, str]
    egress_pages: bool
    not_probed: str


def tier_of(on: AlarmsOn, context: LookContext, *, pages: bool = False) -> Tier:
    """By the alarms that are on; where none is, by the impact."""
    paging = PAGES | ({AlarmKind.EGRESS_DOWN} if context.egress_pages else set())
    kinds = {kind for kind, _ in on}
    return Tier.PAGE if (paging & kinds if kinds else pages) else Tier.NOTICE


def since_of(
    names: Sequence[str], where: Sequence[str], on: AlarmsOn, context: LookContext
) -> tuple[str, tuple[str, ...]]:
    """The first failing minute; where it was not read, when the first alarm turned on, and that it is only that."""
    keys = [*names, *(where if any(kind in OF_SUBNETS for kind, _ in on) else ())]
    minutes = [context.since[key] for key in keys if context.since.get(key)]
    if minutes:
        return min(minutes), ()
    turned_on = alarm_since(on)
    unknown = "the first failing minute: the time is that of the alarm, some minutes later"
    return turned_on, (unknown,) if on else ()


def alarm_since(on: AlarmsOn) -> str:
    """When the first of the alarms turned on."""
    return min((contributor.since for _, contributor in on if contributor.since), default="")
