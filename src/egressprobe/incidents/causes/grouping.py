"""From one look at everything to causes: many targets with one cause are one. Pure.

- A cause of the VPC's configuration is one by its element, whatever it breaks; a path or resolver on which everything
  fails, and nothing explains it, is one (shared.py); every other by the server called.
- It is reported where an alarm is on for one of its targets or subnets. What fails without an alarm waits for its own.
- An alarm for which nothing fails now, or could be probed, is a cause too: not reproduced, with the reason.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from egressprobe.catalog.findings_vpc_path import PATH_UNKNOWN
from egressprobe.incidents.alarms import OF_SUBNETS, OF_TARGETS, AlarmFacts, AlarmKind, Contributor
from egressprobe.incidents.causes.evidence_lines import evidence_lines
from egressprobe.incidents.causes.look import LookContext, alarm_since, since_of, tier_of
from egressprobe.incidents.causes.members import FailingMember, failing_members, server_of
from egressprobe.incidents.causes.merged_remedy import merged_remedy
from egressprobe.incidents.causes.shared import shared_causes
from egressprobe.incidents.causes.unseen import unseen_paths, unseen_subnet, unseen_target
from egressprobe.incidents.causes.wording import listed, unknown_element, what_of
from egressprobe.incidents.model import AffectedTarget, ObservedCause, Tier
from egressprobe.model.joined_report import Joined
from egressprobe.model.report import TargetView
from egressprobe.model.series import ALL_TARGETS, dimension_value
from egressprobe.model.target import Verdict

# Of causes that the configuration may explain, where there is none: who knows the reason puts it in its place.
CONFIGURATION_UNREAD = "the VPC's configuration could not be read, or not all of it: the cause may be in it"


def observed(
    joined: Joined | None,
    alarms: AlarmFacts,
    *,
    targets: Sequence[TargetView] = (),
    since: Mapping[str, str] | None = None,
    egress_pages: bool = True,
    not_probed: str = "",
) -> tuple[ObservedCause, ...]:
    """Everything that fails now or has an alarm on; pages first. A cause without `alarms` waits for its own.

    joined: every target that was probed, with `causes` where the configuration was read; None: probing failed.
    targets: all of the plan; alarms name those that were not probed. since: the first failing minute (RFC 3339), by
    target's name and, for the egress path, by subnet's id. egress_pages: of the stack's EgressPages.
    """
    views = {view.name: view for view in targets}
    context = LookContext(alarms, views, since or {}, egress_pages, not_probed)
    members = list(failing_members(joined)) if joined else []
    groups: dict[str, list[FailingMember]] = {}
    whats: dict[str, str] = {}
    for member, shared in zip(members, shared_causes(joined, members) if joined else (), strict=True):
        key = shared.key if shared else member.key
        groups.setdefault(key, []).append(member)
        whats |= {key: shared.what} if shared else {}
    causes = [_cause(key, group, context, whats.get(key) or what_of(group)) for key, group in groups.items()]
    causes += _unseen(joined, causes, context)
    return tuple(sorted(causes, key=lambda cause: (cause.tier is not Tier.PAGE, not cause.alarms, cause.key)))


def _cause(key: str, members: Sequence[FailingMember], context: LookContext, what: str) -> ObservedCause:
    first = members[0]
    on = tuple(_alarms(members, context))
    kinds = tuple(dict.fromkeys(kind for kind, _ in on))
    targets = _affected(members)
    where = tuple(dict.fromkeys(subnet for member in members for subnet in member.cause.subnets))
    since, unknown = since_of([target.name for target in targets], where, on, context)
    remedy, steps = merged_remedy(members)
    return ObservedCause(
        key=key,
        code=first.cause.code,
        tier=tier_of(on, context, pages=any(member.pages for member in members)),
        what=what,
        targets=targets,
        where=where,
        since=since,
        explained=all(member.explained for member in members),
        alarms=tuple(map(str, kinds)),
        alarm_since=alarm_since(_of_this_failure(on, members)),
        muted=context.alarms.muted(kinds),
        evidence=tuple(evidence_lines(members)),
        unknown=(*_unknown(members), *unknown),
        path=_path(members, where),
        remedy=f"{_ask_owner(members)}{remedy}",
        remedy_steps=steps,
    )


def _ask_owner(members: Sequence[FailingMember]) -> str:
    """Of a path that is known up to an element of another owner: a sentence and a newline, else nothing."""
    element = unknown_element(members[0].cause.evidence) if members[0].cause.code == PATH_UNKNOWN.code else ""
    servers = {server_of(member.row.target) for member in members}
    to = f" to {next(iter(servers))}" if len(servers) == 1 else ""
    return f"Ask the owner of {element} whether packets{to} pass it, and back.\n" if element else ""


def _alarms(members: Sequence[FailingMember], context: LookContext) -> Iterator[tuple[AlarmKind, Contributor]]:
    """The alarms that are on for a cause: of its targets, of its subnets' egress path, or of the cluster."""
    alarms = context.alarms
    for member in members:
        yield from alarms.for_target(member.row.target.name)
        if member.unreached:
            for subnet in member.cause.subnets:
                yield from alarms.for_subnet(subnet)
    if any(member.pages for member in members):
        for alarm in alarms.without_names():
            yield alarm.kind, Contributor(since=alarm.since)


def _of_this_failure(
    on: Sequence[tuple[AlarmKind, Contributor]], members: Sequence[FailingMember]
) -> Sequence[tuple[AlarmKind, Contributor]]:
    """Without contributors of what failed before otherwise: they leave soon, and the incident's id must not change."""
    codes = {member.code for member in members}
    return [pair for pair in on if pair[1].code in codes] or on


def _affected(members: Sequence[FailingMember]) -> tuple[AffectedTarget, ...]:
    """What blocks first; a target that two members have is one."""
    targets: dict[str, AffectedTarget] = {}
    for member in sorted(members, key=lambda member: not member.pages):
        view, known = member.row.target, targets.get(member.row.target.name)
        subnets = (*(known.subnets if known else ()), *member.cause.subnets)
        targets[view.name] = AffectedTarget(
            name=view.name,
            impact=member.row.impact,
            code=member.code,
            subnets=tuple(dict.fromkeys(subnets)),
            affects=view.affects,
            objects=view.objects,
            owner=view.owner or "",
            severity=str(view.severity or ""),
            degraded=member.degraded and (known is None or known.degraded),
        )
    return tuple(targets.values())


def _unknown(members: Sequence[FailingMember]) -> Iterator[str]:
    """What this look does not show of the members."""
    beyond = [member.cause for member in members if member.cause.code == PATH_UNKNOWN.code]
    yield from dict.fromkeys(f"part of the path: {why}" for cause in beyond for why in cause.evidence.get("why") or ())
    if not beyond and not all(member.explained for member in members):
        yield CONFIGURATION_UNREAD
    subnets = dict.fromkeys(
        cell.subnet_id for member in members for cell in member.row.cells if cell.verdict is Verdict.UNKNOWN
    )
    if subnets:
        yield f"from {listed(list(subnets), 4)} nothing was measured"


def with_reason(cause: ObservedCause, unread: str) -> ObservedCause:
    """The cause with why the configuration was not read, in place of the sentence that it was not."""
    known = (text for text in cause.unknown if text != CONFIGURATION_UNREAD)
    first = () if cause.reproduced else cause.unknown[:1]
    return replace(cause, unknown=tuple(dict.fromkeys((*first, unread, *known))))


def _path(members: Sequence[FailingMember], where: Sequence[str]) -> tuple[str, ...]:
    """With what the evidence names: a gateway that was deleted is on no path any more."""
    ids: dict[str, None] = dict.fromkeys(element for member in members for element in member.cause.path)
    for member in members:
        for value in (member.cause.element, *member.cause.evidence.values()):
            texts = value if isinstance(value, list | tuple) else (value,)
            ids.update(dict.fromkeys(part for text in texts if isinstance(text, str) for part in _ids(text)))
    return tuple(dict.fromkeys((*ids, *where)))


def _ids(text: str) -> Iterator[str]:
    """Words that may be ids, without the punctuation of a sentence."""
    yield from (part.strip(":;,.()") for part in text.split() if "-" in part)


def _unseen(joined: Joined | None, causes: Sequence[ObservedCause], context: LookContext) -> Iterator[ObservedCause]:
    """Causes of the alarms for which nothing fails now."""
    failing = {target.name for cause in causes for target in cause.targets}
    alarms = context.alarms
    named: dict[str, list[tuple[AlarmKind, Contributor]]] = {}
    rows = [row.target.name for row in joined.rows] if joined else []
    names = {dimension_value(name): name for name in (*context.targets, *rows)}
    for kind in OF_TARGETS:
        for contributor in alarms.of(kind).contributors:
            name = names.get(contributor.target, contributor.target)
            named.setdefault(name, []).append((kind, contributor))
    for name, on in named.items():
        if name not in failing and not (name == ALL_TARGETS and failing):
            yield unseen_target(name, on, joined, context)
    announced = {alarm for cause in causes for alarm in cause.alarms}
    for kind in OF_SUBNETS:
        for contributor in alarms.of(kind).contributors:
            explained = any(str(kind) in cause.alarms and contributor.subnet_id in cause.where for cause in causes)
            if not explained:
                yield unseen_subnet(kind, contributor, joined, context)
    paging = [alarm for alarm in alarms.without_names() if str(alarm.kind) not in announced]
    if paging:
        yield unseen_paths(paging, joined, context)
