"""`egressprobe flows`: the interfaces, the flow logs that record them, their records, and what these prove.

One flow log that cannot be read costs its own records only: it is named with the reason, and what it alone would have
shown is unknown.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.aws.observability.flow_logs import (
    DELIVERY_SECONDS,
    FlowLog,
    FoundInterfaces,
    covers,
    find_flow_logs,
    find_interfaces,
)
from egressprobe.aws.observability.insights import run_query
from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.target import Target, Verdict
from egressprobe.observability.flows.judge import Watched, as_time
from egressprobe.observability.flows.records import SKIPDATA, FlowCount, FlowGap, FlowScope
from egressprobe.observability.flows.report import JoinedFlows, accepts, join_flows, verdict_of_rows
from egressprobe.observability.flows.result import (
    FLOWS_SCHEMA,
    PROBE,
    FlowInterface,
    Flows,
    FlowSource,
    ObservedSubnet,
)
from egressprobe.stack.aws_answers import failures_as_lines
from egressprobe.stack.deployment import Deployment, deployment_of, probe_groups
from egressprobe.stack.observing.create import create_command, creation_cost
from egressprobe.stack.observing.dialled import DIALLED_QUERY, from_lines, from_probe, known_targets
from egressprobe.stack.observing.plan import chosen_targets, planned_targets, some
from egressprobe.stack.observing.reading import FlowReaders, read_flow_log

# All queries of one command.
_SECONDS = 300.0
type Say = Callable[[str], None]


class FlowsRequest(NamedTuple):
    """seconds: how far back. athena: DATABASE.TABLE. probes: whether the Planner may be asked to probe now."""

    stack: str
    names: tuple[str, ...]
    seconds: int
    athena: str = ""
    workgroup: str = ""
    probes: bool = True


class _ReadLogs(NamedTuple):
    counts: list[FlowCount]
    gaps: list[FlowGap]
    sources: list[FlowSource]
    watched: dict[str, Watched]
    by_interface: dict[str, list[str]]


def flows(session: Any, request: FlowsRequest, say: Say = lambda _: None) -> Flows:
    """say: what is done, for a terminal. Raises InputError and AwsError."""
    began, now = time.monotonic(), int(datetime.now(UTC).timestamp())
    deadline = began + _SECONDS
    deployment = deployment_of(session, request.stack)
    say("reading the plan, the interfaces and their flow logs")
    plan = planned_targets(session, deployment.settings.group)
    targets = chosen_targets(plan.targets, request.names)
    notes = [f"This version cannot read these targets of the plan: {some(plan.unreadable)}."] if plan.unreadable else []
    with failures_as_lines():
        ec2 = session.client("ec2")
        subnet_ids = [subnet.id for subnet in deployment.subnets]
        found_interfaces = find_interfaces(ec2, deployment.cluster, subnet_ids, probe_groups(session, deployment))
        logs = find_flow_logs(ec2, found_interfaces.vpc, found_interfaces.interfaces) if found_interfaces.vpc else []
    since = now - request.seconds
    logged = _logged(session, deployment, since, now, deadline, notes) if logs else {}
    known = known_targets(targets, logged, _asker(session, deployment, notes, say) if logs and request.probes else None)
    ports = {port for target in known for _, port in target.places} | {target.port for target in known}
    scope = FlowScope({i.id: frozenset(i.addresses) for i in found_interfaces.interfaces}, frozenset(ports), since, now)
    readers = FlowReaders(session, request.athena, request.workgroup, deadline)
    read = _read(readers, logs, found_interfaces, scope, say)
    interfaces = tuple(_with_gaps(interface, read) for interface in found_interfaces.interfaces)
    joined = join_flows(known, read.counts, interfaces, read.watched, deployment.subnets)
    unplaced = [target.name for target in known if not target.places]
    notes += _notes(targets, deployment, interfaces, read, unplaced)
    create = () if logs else create_command(interfaces, deployment.cluster, session.region_name)
    if create:
        notes.append(creation_cost(len(targets), len(deployment.subnets)))
    return Flows(
        schema_version=FLOWS_SCHEMA,
        started_at=as_time(now),
        duration_ms=round((time.monotonic() - began) * 1e3, 1),
        stack=deployment.name,
        cluster_name=deployment.cluster,
        since=as_time(since),
        until=as_time(now),
        verdict=_verdict(joined, read.sources),
        subnets=deployment.subnets,
        interfaces=interfaces,
        sources=tuple(read.sources),
        rows=joined.rows,
        others=() if request.names else joined.others,
        more_others=0 if request.names else joined.left_out,
        notes=tuple(notes),
        create=create,
    )


def _verdict(joined: JoinedFlows, sources: Iterable[FlowSource]) -> Verdict:
    """Unknown where no flow log was read."""
    if not any(source.method for source in sources):
        return Verdict.UNKNOWN
    return verdict_of_rows(joined.rows)


def _logged(
    session: Any, deployment: Deployment, since: int, until: int, deadline: float, notes: list[str]
) -> dict[str, tuple[str, ...]]:
    """The addresses that the probes logged; where the log cannot be read a note says so."""
    try:
        with failures_as_lines():
            logs = session.client("logs")
            return from_lines(run_query(logs, deployment.probe_logs, DIALLED_QUERY, since, until, deadline=deadline))
    except AwsError as error:
        notes.append(f"The probes' log was not read, so addresses that names had meanwhile are not known: {error}")
        return {}


def _asker(
    session: Any, deployment: Deployment, notes: list[str], say: Say
) -> Callable[[Sequence[str]], Mapping[str, tuple[str, ...]]]:
    """Asks the Planner; where it does not answer a note says so."""

    def ask(names: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        say(f"asking the Planner to probe {len(names)} names now, for their addresses")
        try:
            return from_probe(session, deployment.planner, names)
        except (AwsError, InputError) as error:
            notes.append(f"The Planner was asked for addresses of names, and did not answer: {error}")
            return {}

    return ask


def _read(
    readers: FlowReaders, logs: Sequence[FlowLog], there: FoundInterfaces, scope: FlowScope, say: Say
) -> _ReadLogs:
    """Each interface from one flow log, or from two where one has accepted and the other rejected traffic."""
    read = _ReadLogs([], [], [], {}, {})
    seen: dict[str, set[str]] = {}
    for log in logs:
        wanted = {"ACCEPT", "REJECT"} if log.traffic == "ALL" else {log.traffic}
        # One that was read already is not counted twice, whichever flow log has it.
        mine = [
            interface
            for interface in there.interfaces
            if covers(log, interface, there.vpc) and not wanted & seen.get(interface.id, set())
        ]
        if not mine:
            continue
        say(f"reading {log.id}: {log.place}")
        part = scope._replace(interfaces={interface.id: scope.interfaces[interface.id] for interface in mine})
        source, counts, gaps = read_flow_log(readers, log, part)
        read.sources.append(source)
        if not source.method:
            continue
        read.counts.extend(counts)
        read.gaps.extend(gaps)
        skipped = {gap.interface for gap in gaps if gap.status == SKIPDATA}
        settled = scope.until - DELIVERY_SECONDS[log.kind] - log.interval
        for interface in mine:
            seen.setdefault(interface.id, set()).update(wanted)
            read.by_interface.setdefault(interface.id, []).append(log.id)
            before = read.watched.get(interface.id, Watched(False, settled, log.interval, False))
            read.watched[interface.id] = Watched(
                before.accepts or accepts(log.traffic),
                min(before.settled, settled),
                max(before.interval, log.interval),
                before.skipped or interface.id in skipped or bool(source.problem),
            )
    return read


def _with_gaps(interface: FlowInterface, read: _ReadLogs) -> FlowInterface:
    gaps = [gap for gap in read.gaps if gap.interface == interface.id]
    skipped = sum(gap.records for gap in gaps if gap.status == SKIPDATA)
    return replace(
        interface,
        flow_logs=tuple(read.by_interface.get(interface.id, ())),
        no_data=sum(gap.records for gap in gaps) - skipped,
        skipped=skipped,
    )


def _notes(
    targets: Sequence[Target],
    deployment: Deployment,
    interfaces: Sequence[FlowInterface],
    read: _ReadLogs,
    unplaced: Sequence[str],
) -> Iterable[str]:
    """What was not seen, and why."""
    if not targets:
        yield "The stack's plan has no targets."
    without = [subnet.id for subnet in deployment.subnets if not _has_probe(subnet, interfaces)]
    if without:
        yield f"No interface of the probes was found in {', '.join(without)}: Lambda makes one at the first deployment."
    unread = [interface.id for interface in interfaces if interface.id not in read.watched]
    if read.sources and unread:
        yield f"No flow log that could be read records {', '.join(unread)}."
    if unplaced:
        yield f"The addresses of these targets are not known, so their flows are among the others: {some(unplaced)}."
    if any(interface.skipped for interface in interfaces):
        yield "SKIPDATA: AWS lost records of an interface, so that nothing returned is not proven there."
    partial = {interface for interface, seen in read.watched.items() if not seen.accepts}
    if partial:
        yield f"Only rejected traffic of {', '.join(sorted(partial))} is recorded (TrafficType REJECT)."


def _has_probe(subnet: ObservedSubnet, interfaces: Iterable[FlowInterface]) -> bool:
    return any(interface.kind == PROBE and interface.subnet_id == subnet.id for interface in interfaces)
