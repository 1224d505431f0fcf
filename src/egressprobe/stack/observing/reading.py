"""Reads one flow log, wherever it is delivered to: Logs Insights, Athena, objects in S3."""

from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.aws.observability.calls import called
from egressprobe.aws.observability.flow_athena import ask_athena, find_table, find_workgroup
from egressprobe.aws.observability.flow_insights import counts_of, flow_queries, parts
from egressprobe.aws.observability.flow_logs import CLOUDWATCH, FIREHOSE, FlowLog
from egressprobe.aws.observability.flow_objects import read_objects
from egressprobe.aws.observability.insights import run_query
from egressprobe.model.errors import AwsError
from egressprobe.observability.flows.records import FlowCount, FlowGap, FlowScope, lacking
from egressprobe.observability.flows.result import FlowSource
from egressprobe.stack.aws_answers import failures_as_lines

INSIGHTS, ATHENA, OBJECTS = "Logs Insights", "Athena", "S3 objects"
_CUT = "its answer has more than 10,000 rows: some are missing; ask for a shorter time"


class FlowReaders(NamedTuple):
    """athena: DATABASE.TABLE, workgroup: as given, or empty. deadline: of time.monotonic."""

    session: Any
    athena: str
    workgroup: str
    deadline: float


class _FlowRead(NamedTuple):
    method: str
    counts: list[FlowCount]
    gaps: list[FlowGap]
    scanned: int
    dollars: float
    problem: str = ""
    note: str = ""


def read_flow_log(
    readers: FlowReaders, log: FlowLog, scope: FlowScope
) -> tuple[FlowSource, list[FlowCount], list[FlowGap]]:
    """The flow log as a source of the report, and its records. AWS's errors are its problem. Raises InputError."""
    source = FlowSource(log.id, log.resource, f"{log.kind} {log.place}", "", log.traffic, log.interval, log.fields)
    try:
        with failures_as_lines():
            read = _read(readers, log, scope)
    except AwsError as error:
        return _of(source, _FlowRead("", [], [], 0, 0.0, str(error))), [], []
    also = "; ".join(filter(None, (log.problem, read.problem)))
    return _of(source, read._replace(problem=also)), read.counts, read.gaps


def _of(source: FlowSource, read: _FlowRead) -> FlowSource:
    return replace(
        source,
        method=read.method,
        bytes_scanned=read.scanned,
        dollars=round(read.dollars, 6),
        problem=read.problem,
        note=read.note,
    )


def _read(readers: FlowReaders, log: FlowLog, scope: FlowScope) -> _FlowRead:
    missing = lacking(log.fields)
    if missing:
        raise AwsError(f"its format lacks {', '.join(missing)}; a flow log's format cannot be changed: create another")
    if log.kind == CLOUDWATCH:
        return _by_insights(readers, log, scope)
    if log.kind == FIREHOSE and not readers.athena:
        raise AwsError(
            "it is delivered to Amazon Data Firehose, which cannot be queried; if the stream delivers to S3, name a "
            "table over that: --athena DATABASE.TABLE"
        )
    return _by_s3(readers, log, scope)


def _by_insights(readers: FlowReaders, log: FlowLog, scope: FlowScope) -> _FlowRead:
    logs = readers.session.client("logs")
    read = _FlowRead(INSIGHTS, [], [], 0, 0.0)
    for part in parts(scope):
        answers = [
            run_query(logs, log.place, query, part.since, part.until, deadline=readers.deadline)
            for query in flow_queries(log.fields, part)
        ]
        counts, gaps = counts_of(answers[0], answers[1], part)
        read = _FlowRead(
            INSIGHTS,
            [*read.counts, *counts],
            [*read.gaps, *gaps],
            read.scanned + sum(answer.bytes_scanned for answer in answers),
            read.dollars + sum(answer.dollars for answer in answers),
            read.problem or (_CUT if any(answer.cut for answer in answers) else ""),
        )
    return read


def _by_s3(readers: FlowReaders, log: FlowLog, scope: FlowScope) -> _FlowRead:
    """By Athena where there is a table; else text objects are read as they are."""
    session, why = readers.session, ""
    try:
        table = find_table(session.client("glue"), readers.athena, log.place)
    except AwsError as error:
        if readers.athena or log.parquet:
            raise
        table, why = None, str(error)
    if table:
        athena = session.client("athena")
        workgroup = find_workgroup(athena, readers.workgroup)
        answer = ask_athena(athena, table, workgroup, scope, deadline=readers.deadline)
        return _FlowRead(ATHENA, answer.counts, answer.gaps, answer.bytes_scanned, answer.dollars, answer.problem)
    if log.parquet:
        raise AwsError(
            "its objects are Parquet, which needs Athena, and no table of the Glue Data Catalog is over them; create "
            "one (https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs.html), or name it: --athena DATABASE.TABLE"
        )
    account = called(session.client("sts"), "get_caller_identity")["Account"]
    objects = read_objects(session.client("s3"), log, scope, account, session.region_name)
    return _FlowRead(OBJECTS, objects.counts, objects.gaps, objects.compressed, 0.0, objects.problem, why)
