"""A plan on one page: the snapshot before and after it, every path of both, and what differs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.audit.paths.destination import Destination
from egressprobe.audit.paths.destinations import calls_of, plain
from egressprobe.audit.paths.paths import Paths, together
from egressprobe.audit.paths.private_dns import answered_privately
from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.rules.rule import evaluate
from egressprobe.audit.run import LIMITS, RULES
from egressprobe.audit.vpc.blockers import Blame
from egressprobe.audit.vpc.flow import Protocol
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.topology import Topology
from egressprobe.audit.whatif.carry_out import CarriedOut, StepOutcome, carry_out
from egressprobe.audit.whatif.plan import ChangePlan
from egressprobe.audit.whatif.result import WHATIF_SCHEMA, Effect, PathCounts, PathEffect, PlanStep, WhatIf
from egressprobe.audit.whatif.touched import StepsOfPaths
from egressprobe.model.report import Finding
from egressprobe.model.target import Expect, Target, Verdict

_CUSTOMER_ROUTED = "CUSTOMER_ROUTED"
_RANK = {"closed": 0, "partial": 1, "open": 2}
# Target, host, port, protocol, family, expectation.
type RowKey = tuple[str, str, int, str, str, Expect]


class TargetCell(NamedTuple):
    """The calls of one target from one subnet. state: empty where there are none."""

    paths: tuple[Path, ...] = ()
    state: str = ""


def whatif(snapshot: VpcSnapshot, plan: ChangePlan, targets: Iterable[Target] = (), skip: Iterable[str] = ()) -> WhatIf:
    """targets, skip: as in run.audit. Raises ValueError for a snapshot with an invalid CIDR."""
    listed = tuple(targets)
    carried = carry_out(snapshot, plan)
    after = _with_names_of(snapshot, carried.after)
    before, now = _VpcPaths(snapshot, listed), _VpcPaths(after, listed)
    touched = StepsOfPaths(carried.steps, (snapshot, after))
    effects, unchanged = [], Counter[str]()
    for key, subnet in _cells(before, now):
        effect = _effect(key, subnet, before, now, touched)
        if effect is None:
            unchanged[now.cell(key, subnet).state] += 1
        else:
            effects.append(effect)
    skipped = frozenset(skip)
    added, resolved = (
        tuple(finding for finding in findings if finding.code not in skipped)
        for findings in (_new(now.findings, before.findings), _new(before.findings, now.findings))
    )
    hidden = _Hidden(plan.secrets)
    return WhatIf(
        schema_version=WHATIF_SCHEMA,
        taken_at=snapshot.taken_at,
        region=snapshot.region,
        cluster_name=snapshot.cluster.name,
        vpc=snapshot.vpc.id,
        plan=plan.kind,
        verdict=_verdict(effects, added, carried.steps),
        summary=PathCounts(
            **Counter(str(effect.effect) for effect in effects),
            unchanged={state: unchanged[state] for state in sorted(unchanged) if state},
        ),
        paths=tuple(map(hidden.path, effects)),
        steps=tuple(hidden.step(_step(outcome)) for outcome in carried.steps),
        findings=added,
        resolved=resolved,
        ignored=plan.ignored,
        notes=(*plan.notes, *_notes(snapshot, carried)),
        not_audited=tuple(now.not_audited),
        limits=LIMITS,
    )


class _Hidden:
    """Takes what the plan marks as sensitive out of texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted(secrets, key=len, reverse=True)

    def path(self, effect: PathEffect) -> PathEffect:
        if not self._secrets:
            return effect
        return replace(
            effect, cause=self._text(effect.cause), why=self._texts(effect.why), evidence=self._value(effect.evidence)
        )

    def step(self, step: PlanStep) -> PlanStep:
        return replace(step, why=self._texts(step.why), changes=self._texts(step.changes)) if self._secrets else step

    def _texts(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self._text, texts))

    def _text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "(sensitive)")
        return text

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._value(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(each) for each in value]
        return self._text(value) if isinstance(value, str) else value


class _VpcPaths:
    """The paths and findings of one state of the VPC."""

    def __init__(self, snapshot: VpcSnapshot, targets: Iterable[Target]) -> None:
        calls, self.not_audited = calls_of(targets, snapshot)
        self.topology = Topology(snapshot)
        self.paths = Paths(self.topology)
        self.rows: dict[RowKey, tuple[Destination, Protocol]] = {}
        for destination, protocol in calls:
            for family, part in _families(destination):
                key = (part.name, part.host, part.port, protocol, family, part.expect)
                self.rows.setdefault(key, (part, protocol))
        self.used, self.mode = frozenset(snapshot.cluster.subnets), snapshot.cluster.mode
        self._cells: dict[tuple[RowKey, str], TargetCell] = {}
        hosts = (destination.host for destination, _ in calls if destination.host)
        self.findings = evaluate(RULES, self.topology, hosts)

    def cell(self, key: RowKey, subnet: str) -> TargetCell:
        """Of a target that the control plane calls from the subnet; else without paths and state."""
        if key not in self.rows or subnet not in self.used:
            return TargetCell()
        if (key, subnet) not in self._cells:
            paths = tuple(self.paths.of(subnet, *self.rows[key]))
            self._cells[key, subnet] = TargetCell(paths, together([path.state for path in paths]))
        return self._cells[key, subnet]


def _families(destination: Destination) -> Iterator[tuple[str, Destination]]:
    """One row for each IP family where the target has both."""
    versions = {":" in text for text in destination.addresses}
    if len(versions) < 2:
        yield "", destination
        return
    for six, family in ((False, "ipv4"), (True, "ipv6")):
        yield family, replace(destination, addresses=tuple(t for t in destination.addresses if (":" in t) is six))


def _cells(before: _VpcPaths, now: _VpcPaths) -> Iterator[tuple[RowKey, str]]:
    subnets = dict.fromkeys((*before.topology.snapshot.cluster.subnets, *now.topology.snapshot.cluster.subnets))
    for key in dict.fromkeys((*before.rows, *now.rows)):
        for subnet in subnets:
            yield key, subnet


def _with_names_of(snapshot: VpcSnapshot, after: VpcSnapshot) -> VpcSnapshot:
    """Without the addresses of names that the VPC answers for itself from now on: they are other ones."""
    kept = {
        host: addresses
        for host, addresses in after.names.items()
        if answered_privately(snapshot, host) or not answered_privately(after, host)
    }
    return replace(after, names=kept)


def _effect(key: RowKey, subnet: str, before: _VpcPaths, now: _VpcPaths, touched: StepsOfPaths) -> PathEffect | None:
    old, new = before.cell(key, subnet), now.cell(key, subnet)
    name, host, port, protocol, family, expect = key
    if now.mode == _CUSTOMER_ROUTED != before.mode and new.state:  # these calls leave by the VPC from now on
        old = old._replace(state="")
    unmodelled = touched.unmodelled((*old.paths, *new.paths), host, closed=new.state != "open")
    effect, why = _judged(old, new, unmodelled)
    if effect is None:
        return None
    state = "unknown" if effect == "unknown" else new.state
    blame = _blame(new) if state in ("closed", "partial") else None
    removed = _blame(old) if effect == "opens" else None
    deciding = next((each.element for each in (removed, blame) if each), "")
    return PathEffect(
        effect=effect,
        target=name,
        port=port,
        subnet=subnet,
        protocol=protocol,
        family=family,
        zone=_zone(subnet, now, before),
        addresses=(now.rows.get(key) or before.rows[key])[0].addresses,
        before=old.state,
        after=state if new.state else "",
        code=blame.code if blame else "",
        cause=plain(blame.said) if blame else "",
        element=blame.element if blame else "",
        evidence=blame.evidence if blame else {},
        steps=touched.steps((*old.paths, *new.paths), host, deciding),
        why=tuple(map(plain, why)),
        expect=expect,
    )


def _judged(old: TargetCell, new: TargetCell, unmodelled: tuple[str, ...]) -> tuple[Effect | None, tuple[str, ...]]:
    """What became of the calls; None for no change."""
    if not old.state and not new.state:
        return None, ()
    if not new.state:
        return "ends", ()
    if unmodelled:
        return "unknown", unmodelled
    if new.state == "unknown":
        limits = _limits(new)
        if old.state == "unknown" and limits == _limits(old):
            return None, ()
        return "unknown", limits or ("which addresses its name has in the VPC is not known",)
    if old.state == new.state:
        return None, ()
    if old.state in _RANK:
        return ("closes" if _RANK[new.state] < _RANK[old.state] else "opens"), ()
    return ("opens" if new.state == "open" else "closes"), ()


def _blame(cell: TargetCell) -> Blame | None:
    """What blocks, first of all."""
    return next((path.blames[0] for path in cell.paths if path.blames and path.state != "open"), None)


def _limits(cell: TargetCell) -> tuple[str, ...]:
    """Why it is unknown, and what blocks a part of it at least."""
    narrowed = (f"{blame.said}; some calls fail" for path in cell.paths for blame in path.narrowed)
    return tuple(dict.fromkeys((*narrowed, *(why for path in cell.paths for why in path.knowledge_ends))))


def _zone(subnet: str, *sides: _VpcPaths) -> str:
    columns = (side.topology.subnets.get(subnet) for side in sides)
    return next((column.zone for column in columns if column), "")


def _new(findings: Iterable[Finding], others: Iterable[Finding]) -> Iterator[Finding]:
    known = {(finding.code, finding.summary) for finding in others}
    return (finding for finding in findings if (finding.code, finding.summary) not in known)


def _step(outcome: StepOutcome) -> PlanStep:
    words = tuple(dict.fromkeys(change.words for change in outcome.changes))
    return PlanStep(outcome.name, outcome.action, outcome.status, outcome.whys, words)


def _notes(snapshot: VpcSnapshot, carried: CarriedOut) -> Iterator[str]:
    mode = carried.after.cluster.mode
    if mode != snapshot.cluster.mode and mode == _CUSTOMER_ROUTED:
        yield "The plan switches the cluster to CUSTOMER_ROUTED, which cannot be undone: probe the paths before."


def _verdict(effects: Iterable[PathEffect], findings: Iterable[Finding], steps: Iterable[StepOutcome]) -> Verdict:
    kinds, severities = set(), {finding.severity for finding in findings}
    for effect in effects:
        if effect.expect is Expect.BLOCKED and effect.after in ("open", "partial"):
            return Verdict.FAIL
        if effect.expect is not Expect.BLOCKED or effect.effect == "unknown":
            kinds.add(effect.effect)
    if "closes" in kinds or "error" in severities:
        return Verdict.FAIL
    if "unknown" in kinds or any(step.status == "refused" for step in steps):
        return Verdict.UNKNOWN
    return Verdict.DEGRADED if "warning" in severities else Verdict.PASS
