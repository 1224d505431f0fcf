"""Whether an incident is over: only evidence ends it. Pure.

Over is what was measured just now from everywhere that it was seen to fail from, and does not fail, while no alarm is
on for it. What could not be measured or read keeps it open, with the reason.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from egressprobe.incidents.alarms import OF_SUBNETS, OF_TARGETS, AlarmFacts, AlarmKind
from egressprobe.incidents.causes.members import connected
from egressprobe.incidents.model import Incident, Tier
from egressprobe.model.joined_report import Joined
from egressprobe.model.series import ALL_TARGETS
from egressprobe.model.target import Verdict

# In Incident.failing: everything outside the VPC.
OUTSIDE = ""


class IncidentEvidence(NamedTuple):
    """What is known now. verdicts: by target, then by subnet.

    outside: by subnet, whether something outside the VPC could be reached. subnets: those that the cluster's probes are
    in. planned: names of the plan's targets; None: not known.
    """

    verdicts: Mapping[str, Mapping[str, Verdict]]
    outside: Mapping[str, bool]
    subnets: Collection[str]
    alarms: AlarmFacts
    planned: Collection[str] | None = None


def evidence_of(joined: Joined | None, alarms: AlarmFacts, planned: Collection[str] | None = None) -> IncidentEvidence:
    """joined: None where probing failed: nothing is known then. planned: names of all targets of the plan."""
    if joined is None:
        return IncidentEvidence({}, {}, (), alarms, planned)
    verdicts = {row.target.name: {cell.subnet_id: cell.verdict for cell in row.cells} for row in joined.rows}
    outside: dict[str, bool] = {}
    for report in joined.reports:
        for result in report.results:
            if result.switch_relevant and result.verdict is not Verdict.UNKNOWN:
                subnet = report.vantage.subnet_id or ""
                outside[subnet] = outside.get(subnet, False) or connected(result)
    return IncidentEvidence(verdicts, outside, [view.subnet_id for view in joined.views], alarms, planned)


def still_open(incident: Incident, evidence: IncidentEvidence, targets: Collection[str] | None = None) -> str:
    """Why it is not over, in words; empty if all evidence is that it is. targets: only these of its targets."""
    return next(_reasons(incident, evidence, targets), "")


def _reasons(incident: Incident, evidence: IncidentEvidence, only: Collection[str] | None) -> Iterator[str]:
    failing = {name: at for name, at in incident.failing.items() if only is None or name in only}
    alarms = evidence.alarms
    kinds = [*(OF_SUBNETS if OUTSIDE in failing else ()), *(OF_TARGETS if failing.keys() - {OUTSIDE} else ())]
    for alarm in map(alarms.of, kinds):
        if not alarm.known:
            yield f"the alarm `{alarm.kind}` could not be read: {alarm.unread}"
    for name, subnets in failing.items():
        if name == OUTSIDE:
            yield from _outside(subnets, evidence)
        else:
            yield from _target(name, subnets, incident.tier, evidence)
    if not failing or incident.more:
        yield from _path_broken(alarms)


def _target(name: str, subnets: Collection[str], tier: Tier, evidence: IncidentEvidence) -> Iterator[str]:
    for kind, _ in evidence.alarms.for_target(name):
        yield f"the alarm `{kind}` is on for {name}"
    over = (Verdict.PASS, Verdict.DEGRADED) if tier is Tier.PAGE else (Verdict.PASS,)
    if name == ALL_TARGETS:
        for target, measured in evidence.verdicts.items():
            yield from (f"{target} from {at}: {verdict}" for at, verdict in measured.items() if verdict not in over)
        if not evidence.verdicts:
            yield "no target was probed"
        return
    measured = evidence.verdicts.get(name, {})
    if not measured:
        if evidence.planned is None or name in evidence.planned:
            yield f"{name} was not probed"
        else:  # it has left the plan: there is nothing to measure
            yield from _path_broken(evidence.alarms)
        return
    for subnet in subnets or measured:
        if subnet not in measured:  # the probe of this subnet is gone
            yield from _path_broken(evidence.alarms)
        elif measured[subnet] not in over:
            yield f"{name} from {subnet}: {measured[subnet]}"


def _outside(subnets: Collection[str], evidence: IncidentEvidence) -> Iterator[str]:
    for subnet in subnets:
        for kind, _ in evidence.alarms.for_subnet(subnet):
            yield f"the alarm `{kind}` is on for {subnet}"
        if subnet in evidence.subnets or not evidence.subnets:
            if not evidence.outside.get(subnet, False):
                yield f"nothing outside the VPC was seen to pass from {subnet}"
        else:
            yield from _path_broken(evidence.alarms)


def _path_broken(alarms: AlarmFacts) -> Iterator[str]:
    alarm = alarms.of(AlarmKind.PATH_BROKEN)
    if alarm.state != "OK":
        yield f"the alarm `{alarm.kind}` is {alarm.state or 'not known: ' + alarm.unread}"
