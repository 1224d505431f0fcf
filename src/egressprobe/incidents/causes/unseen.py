"""Causes of alarms for which no probe fails now: what the alarm reports, and why it was not reproduced. Pure."""

from collections.abc import Sequence

from egressprobe.catalog.registry import lookup
from egressprobe.incidents.alarms import AlarmKind, AlarmReading, Contributor
from egressprobe.incidents.causes.drill import as_drill
from egressprobe.incidents.causes.look import AlarmsOn, LookContext, alarm_since, since_of, tier_of
from egressprobe.incidents.causes.members import cause_key
from egressprobe.incidents.causes.wording import clause_of_code, counted, listed
from egressprobe.incidents.model import AffectedTarget, ObservedCause
from egressprobe.model.joined_report import Joined, Row
from egressprobe.model.series import DEGRADED, UNCOUNTED
from egressprobe.model.target import DRILL_TARGET, Impact, Verdict

# Codes of causes that no probe sees: of alarms that report none.
NOT_LOOKED_UP, EGRESS_DOWN, PATH_BROKEN = "not_looked_up", "egress_down", "path_broken"


def unseen_target(name: str, on: AlarmsOn, joined: Joined | None, context: LookContext) -> ObservedCause:
    """Of the contributors of one target: the newest says what fails."""
    newest = max((contributor for _, contributor in on), key=lambda contributor: contributor.since)
    row = next((row for row in joined.rows if row.target.name == name), None) if joined else None
    view = row.target if row else context.targets.get(name)
    code = newest.code or NOT_LOOKED_UP
    entry = lookup(code)
    subnets = tuple(dict.fromkeys(contributor.subnet_id for _, contributor in on if contributor.subnet_id))
    since, unknown = since_of([name], (), on, context)
    target = AffectedTarget(
        name=name,
        impact=_impact([contributor.impact for _, contributor in on]),
        code=newest.code,
        subnets=subnets,
        affects=view.affects if view else "",
        objects=view.objects if view else (),
        owner=(view.owner or "") if view else "",
        severity=str(view.severity or "") if view else "",
        degraded=newest.impact == DEGRADED,
    )
    cause = ObservedCause(
        key=cause_key(code, "", view) if view else f"{code}|{name}",
        code=code,
        tier=tier_of(on, context),
        what=clause_of_code(code, view, name),
        targets=(target,),
        where=subnets,
        since=since,
        reproduced=False,
        explained=False,
        alarms=_kinds(on),
        alarm_since=alarm_since(on),
        muted=context.alarms.muted(kind for kind, _ in on),
        unknown=(_why(name, row, joined, context), *unknown),
        remedy=entry.remedy if entry else "",
    )
    return as_drill(cause) if name == DRILL_TARGET else cause


def unseen_subnet(
    kind: AlarmKind, contributor: Contributor, joined: Joined | None, context: LookContext
) -> ObservedCause:
    """Of one subnet from which nothing outside the VPC was reached, while no probe fails so now."""
    subnet, on = contributor.subnet_id, [(kind, contributor)]
    since, unknown = since_of((), [subnet], on, context)
    return ObservedCause(
        key=f"{EGRESS_DOWN}|{subnet}",
        code=EGRESS_DOWN,
        tier=tier_of(on, context),
        what=f"nothing outside the VPC could be reached from {subnet}",
        targets=(),
        where=(subnet,),
        since=since,
        reproduced=False,
        explained=False,
        alarms=_kinds(on),
        alarm_since=alarm_since(on),
        muted=context.alarms.muted([kind]),
        unknown=(_why_subnet(subnet, joined, context), *unknown),
    )


def unseen_paths(paging: Sequence[AlarmReading], joined: Joined | None, context: LookContext) -> ObservedCause:
    """Of alarms that name no target, while no probe of a target that blocks fails now."""
    on = [(alarm.kind, Contributor(since=alarm.since)) for alarm in paging]
    unread = tuple(
        f"which targets `{alarm.kind}` is on for could not be read: {alarm.unread}" for alarm in paging if alarm.unread
    )
    fails = "no target that blocks fails when probed again" if joined else _not_probed(context)
    since, unknown = since_of((), (), on, context)
    return ObservedCause(
        key=f"{PATH_BROKEN}|",
        code=PATH_BROKEN,
        tier=tier_of(on, context),
        what="targets that block requests fail, and no alarm names them",
        targets=(),
        since=since,
        reproduced=False,
        explained=False,
        alarms=_kinds(on),
        alarm_since=alarm_since(on),
        muted=context.alarms.muted(kind for kind, _ in on),
        unknown=(fails, *unread, *unknown),
    )


def _kinds(on: AlarmsOn) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(kind) for kind, _ in on))


def _impact(impacts: Sequence[str]) -> Impact:
    """The worst of the contributors'; a failure that does not count yet is one that blocks."""
    known = {Impact.BLOCKS if impact == UNCOUNTED else impact for impact in impacts}
    return next((impact for impact in Impact if impact in known), Impact.BLOCKS if known <= {""} else Impact.NONE)


def _not_probed(context: LookContext) -> str:
    return f"nothing could be probed again: {context.not_probed or 'the Planner had no answer'}"


def _why(name: str, row: Row | None, joined: Joined | None, context: LookContext) -> str:
    """Why the failure was not reproduced."""
    if joined is None:
        return _not_probed(context)
    if row is None:
        refused = next((refused.why for refused in joined.refused if refused.name == name), "")
        left = "" if name in context.targets or not context.targets else "it is not in the plan any more"
        return f"{name} was not probed again: {refused or left or context.not_probed or 'it was not among the targets'}"
    passing = [cell.subnet_id for cell in row.cells if cell.verdict is Verdict.PASS]
    unknown = [cell.subnet_id for cell in row.cells if cell.verdict is Verdict.UNKNOWN]
    parts = [f"it passes when probed again from {listed(passing, 4)}"] if passing else []
    parts += [f"unknown from {listed(unknown, 4)}{_errors(unknown, joined)}"] if unknown else []
    return "; ".join(parts) or "it was not probed again from any subnet"


def _errors(subnets: Sequence[str], joined: Joined) -> str:
    errors = {view.subnet_id: view.error for view in joined.views if view.error}
    first = next((errors[subnet] for subnet in subnets if subnet in errors), "")
    return f" ({first})" if first else ""


def _why_subnet(subnet: str, joined: Joined | None, context: LookContext) -> str:
    if joined is None:
        return _not_probed(context)
    view = next((view for view in joined.views if view.subnet_id == subnet), None)
    if view is None:
        return f"{subnet} has no probe any more"
    if view.error:
        return f"the probe of {subnet} did not answer: {view.error}"
    rows = [row for row in joined.rows if row.switch_relevant]
    passing = [
        row.target.name
        for row in rows
        for cell in row.cells
        if cell.subnet_id == subnet and cell.verdict is Verdict.PASS
    ]
    if passing:
        verb = "passes" if len(passing) == 1 else "pass"
        return f"{counted(len(passing), 'target')} outside the VPC {verb} when probed again: {listed(passing)}"
    return f"no target outside the VPC was measured from {subnet}"
