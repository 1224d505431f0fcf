"""Flow logs in S3 through Athena: the table over the bucket, a workgroup, and one query that scans the interval only.

A table's columns are named as in AWS's examples (`interface_id`, `srcaddr`), with `_`, `-` or neither. What is scanned
is bounded by the table's partitions: `year`, `month` and `day` of Hive prefixes, or one by date. A table without is
only asked where the workgroup limits the bytes that a query scans.

https://docs.aws.amazon.com/athena/latest/ug/vpc-flow-logs.html
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from egressprobe.aws.observability.calls import called, listed, paged
from egressprobe.aws.observability.waiting import ended
from egressprobe.model.errors import AwsError, InputError, short
from egressprobe.net.addresses import canonical
from egressprobe.observability.flows.records import (
    NEEDED,
    NODATA,
    REQUEST,
    RETURN,
    SKIPDATA,
    FlowCount,
    FlowGap,
    FlowScope,
)

# https://aws.amazon.com/athena/pricing/: us-east-1, a TB scanned, at least 10 MB a query.
DOLLARS_A_TB, _LEAST_BYTES = 5.0, 10_000_000
MAX_ROWS = 10_000
_RUNNING = frozenset({"QUEUED", "RUNNING"})
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_DATES = ("date", "day", "dt")


class FlowTable(NamedTuple):
    """columns, partitions: names as they are, by their plain names; types of the partitions. format: of a date."""

    database: str
    name: str
    columns: Mapping[str, str]
    partitions: Mapping[str, tuple[str, str]]
    format: str = ""


class AthenaAnswer(NamedTuple):
    counts: list[FlowCount]
    gaps: list[FlowGap]
    bytes_scanned: int
    problem: str = ""

    @property
    def dollars(self) -> float:
        return max(self.bytes_scanned, _LEAST_BYTES) / 1e12 * DOLLARS_A_TB


def find_table(glue: Any, named: str, place: str) -> FlowTable | None:
    """The table DATABASE.TABLE, or one over the bucket and prefix `place` (an ARN); None where there is none.

    Raises InputError for a name that is not one or does not exist, AwsError.
    """
    if named:
        database, _, table = named.partition(".")
        if not _NAME.fullmatch(database) or not _NAME.fullmatch(table):
            raise InputError("--athena", f'"{short(named)}" is not DATABASE.TABLE')
        try:
            return _table(called(glue, "get_table", DatabaseName=database, Name=table)["Table"])
        except AwsError as error:
            if "EntityNotFoundException" in str(error):
                raise InputError("--athena", f'there is no table "{short(named)}"') from None
            raise
    root = f"s3://{place.partition(':::')[2].rstrip('/')}/"
    for database in listed(glue, "get_databases", "DatabaseList"):
        for item in listed(glue, "get_tables", "TableList", DatabaseName=database["Name"]):
            location = str((item.get("StorageDescriptor") or {}).get("Location", ""))
            table_of_log = _table(item)
            if f"{location.rstrip('/')}/".startswith(root) and not _missing(table_of_log):
                return table_of_log
    return None


def _table(item: Mapping[str, Any]) -> FlowTable:
    columns = {_plain(column["Name"]): column["Name"] for column in item["StorageDescriptor"].get("Columns") or ()}
    partitions = {
        _plain(key["Name"]): (key["Name"], str(key.get("Type", "string"))) for key in item.get("PartitionKeys") or ()
    }
    parameters = item.get("Parameters") or {}
    date = next((partitions[name][0] for name in _DATES if name in partitions), "")
    return FlowTable(
        str(item.get("DatabaseName", "")),
        item["Name"],
        columns,
        partitions,
        str(parameters.get(f"projection.{date}.format", "")),
    )


def _missing(table: FlowTable) -> list[str]:
    return [field for field in NEEDED if _plain(field) not in table.columns]


def find_workgroup(athena: Any, named: str) -> tuple[str, int]:
    """The workgroup, and how many bytes a query of it may scan (0: any). Raises InputError and AwsError.

    Where none is named: `primary`, else the first one that stores results.
    """
    names = [named] if named else ["primary"]
    if not named:
        names += [group["Name"] for group in called(athena, "list_work_groups").get("WorkGroups") or ()]
    for name in dict.fromkeys(names):
        try:
            configuration = called(athena, "get_work_group", WorkGroup=name)["WorkGroup"].get("Configuration") or {}
        except AwsError as error:
            if named and "InvalidRequestException" in str(error):
                raise InputError("--workgroup", f'there is no workgroup "{short(named)}"') from None
            raise
        managed = (configuration.get("ManagedQueryResultsConfiguration") or {}).get("Enabled")
        if named or managed or (configuration.get("ResultConfiguration") or {}).get("OutputLocation"):
            return name, int(configuration.get("BytesScannedCutoffPerQuery") or 0)
    raise InputError("--workgroup", "no workgroup of Athena stores its results; name one: --workgroup NAME")


def flow_sql(table: FlowTable, scope: FlowScope) -> str:
    """The query. Ids, addresses and ports are checked by their types; names of columns are quoted."""
    column = {name: _quoted(there) for name, there in table.columns.items()}
    interfaces = ", ".join(f"'{name}'" for name in sorted(scope.interfaces))
    own = ", ".join(f"'{address}'" for address in sorted({a for group in scope.interfaces.values() for a in group}))
    ports = ", ".join(map(str, sorted(scope.ports)))
    request = f"{column['srcaddr']} IN ({own}) AND {column['dstport']} IN ({ports})"
    returned = (
        f"{column['dstaddr']} IN ({own}) AND {column['srcport']} IN ({ports}) AND {column['dstport']} NOT IN ({ports})"
    )
    flags = column.get("tcpflags", "CAST(NULL AS integer)")
    reason = column.get("rejectreason", "CAST('' AS varchar)")
    status = column.get("logstatus", "CAST('OK' AS varchar)")
    sums = [f"sum({column[name]})" if name in column else "0" for name in ("packets", "bytes")]
    return (
        f"SELECT direction, {column['interfaceid']}, {status}, {column['action']}, {flags}, {reason},"  # noqa: S608
        f" CASE direction WHEN '{RETURN}' THEN {column['srcaddr']} ELSE {column['dstaddr']} END,"
        f" CASE direction WHEN '{RETURN}' THEN {column['dstaddr']} ELSE {column['srcaddr']} END,"
        f" CASE direction WHEN '{RETURN}' THEN {column['srcport']} ELSE {column['dstport']} END,"
        f" count(*), {sums[0]}, {sums[1]}, min({column['start']}), max({column['end']})"
        f" FROM (SELECT *, CASE WHEN {request} THEN '{REQUEST}' WHEN {returned} THEN '{RETURN}' ELSE '' END"
        f" AS direction"
        f" FROM {_quoted(table.database)}.{_quoted(table.name)}"
        f" WHERE {column['interfaceid']} IN ({interfaces})"
        f" AND {column['start']} BETWEEN {scope.since} AND {scope.until}{partition_filter(table, scope)})"
        f" WHERE direction <> '' OR {status} IN ('{NODATA}', '{SKIPDATA}')"
        f" GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 LIMIT {MAX_ROWS}"
    )


def partition_filter(table: FlowTable, scope: FlowScope) -> str:
    """` AND ...` for the partitions of the interval, and of the next day: records are delivered later. Empty: none."""
    start = datetime.fromtimestamp(scope.since, UTC).date()
    end = (datetime.fromtimestamp(scope.until, UTC) + timedelta(minutes=25)).date()
    days = [start + timedelta(days=i) for i in range((end - start).days + 1)]
    keys = table.partitions
    if {"year", "month", "day"} <= keys.keys():
        parts = []
        for day in days:
            values = (("year", f"{day:%Y}"), ("month", f"{day:%m}"), ("day", f"{day:%d}"))
            parts.append(" AND ".join(f"{_quoted(keys[name][0])} = {_value(keys[name][1], v)}" for name, v in values))
        return f" AND (({') OR ('.join(parts)}))"
    for name in _DATES:
        if name in keys:
            there, kind = keys[name]
            if kind == "date":
                texts = [f"DATE '{day:%Y-%m-%d}'" for day in days]
            else:
                texts = [f"'{day:%Y/%m/%d}'" if table.format == "yyyy/MM/dd" else f"'{day:%Y-%m-%d}'" for day in days]
            return f" AND {_quoted(there)} IN ({', '.join(texts)})"
    return ""


def _value(kind: str, text: str) -> str:
    return f"'{text}'" if kind in ("string", "varchar") or kind.startswith(("varchar", "char")) else str(int(text))


def ask_athena(
    athena: Any,
    table: FlowTable,
    workgroup: tuple[str, int],
    scope: FlowScope,
    *,
    deadline: float,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> AthenaAnswer:
    """Runs the query and reads its rows; it is stopped at the deadline (of `clock`) or on Ctrl-C. Raises AwsError."""
    missing = _missing(table)
    if missing:
        raise AwsError(f"the table {table.name} lacks the columns {', '.join(missing)}")
    if not partition_filter(table, scope) and not workgroup[1]:
        raise AwsError(
            f"the table {table.database}.{table.name} has no partitions by day, and the workgroup {workgroup[0]} no "
            "limit of bytes: a query would scan all of it"
        )
    started = called(athena, "start_query_execution", QueryString=flow_sql(table, scope), WorkGroup=workgroup[0])
    query = started["QueryExecutionId"]

    def look() -> tuple[dict[str, Any], bool]:
        execution = called(athena, "get_query_execution", QueryExecutionId=query)["QueryExecution"]
        return execution, execution["Status"]["State"] in _RUNNING

    execution = ended(
        look,
        lambda: called(athena, "stop_query_execution", QueryExecutionId=query),
        "Athena's query",
        deadline=deadline,
        pause=pause,
        clock=clock,
    )
    status = execution["Status"]["State"]
    if status != "SUCCEEDED":
        raise AwsError(f"Athena's query is {status}: {execution['Status'].get('StateChangeReason', '')}")
    scanned = int((execution.get("Statistics") or {}).get("DataScannedInBytes") or 0)
    return _answer(_rows(athena, query), scope, scanned)


def _rows(athena: Any, query: str) -> list[list[str]]:
    """Without the first row, which has the columns' names."""
    pages = paged(athena, "get_query_results", QueryExecutionId=query)
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    return [[cell.get("VarCharValue", "") for cell in row] for row in rows[1:]]


def _answer(rows: Sequence[Sequence[str]], scope: FlowScope, scanned: int) -> AthenaAnswer:
    counts, gaps = [], []
    for direction, interface, status, action, flags, reason, address, own, port, *numbers in rows:
        records, packets, size, first, last = (int(float(number or 0)) for number in numbers)
        if status in (NODATA, SKIPDATA):
            gaps.append(FlowGap(interface, status, records, first, last))
            continue
        try:
            place, mine = canonical(address), canonical(own)
        except ValueError:
            continue
        if mine in scope.interfaces.get(interface, ()):
            counts.append(
                FlowCount(
                    interface,
                    direction,
                    place,
                    int(port),
                    action,
                    int(flags) if flags else None,
                    "" if reason == "-" else reason,
                    records,
                    packets,
                    size,
                    first,
                    last,
                )
            )
    cut = "its answer has more than 10,000 rows: some are missing" if len(rows) >= MAX_ROWS else ""
    return AthenaAnswer(counts, gaps, scanned, cut)


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
