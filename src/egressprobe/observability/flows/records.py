"""Flow log records: the fields of a format, and records counted by interface, direction, place and action.

A record is about one flow (interface, addresses, ports, protocol) in one aggregation interval. A request is what our
interface sent to a port of a target; a return packet came from such a port, to another. Which side opened the
connection is not in the default format, so the ports decide.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from egressprobe.net.addresses import canonical

# Version 2, the default: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html#flow-logs-default
DEFAULT_FIELDS = (
    *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol"),
    *("packets", "bytes", "start", "end", "action", "log-status"),
)
# Without these no record can be given to an interface, a place and a time.
NEEDED = ("interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "action", "start", "end")
REQUEST, RETURN = "request", "return"
ACCEPT, REJECT = "ACCEPT", "REJECT"
NODATA, SKIPDATA = "NODATA", "SKIPDATA"
_FIELD = re.compile(r"\$\{([a-z0-9-]+)\}")


class FlowCount(NamedTuple):
    """Records of one kind. address, port: of the other side. flags: TCP flags, or-ed; None where they are not recorded.

    reason: `reject-reason` where it is recorded and set. first, last: start of the first record, end of the last, Unix
    time in seconds.
    """

    interface: str
    direction: str
    address: str
    port: int
    action: str
    flags: int | None
    reason: str
    records: int
    packets: int
    bytes: int
    first: int
    last: int


class FlowGap(NamedTuple):
    """Intervals of an interface without records. status: NODATA, no traffic; SKIPDATA, records were lost."""

    interface: str
    status: str
    records: int
    first: int
    last: int


class FlowScope(NamedTuple):
    """What is counted. interfaces: addresses by id. ports: of the targets. since, until: Unix time in seconds."""

    interfaces: Mapping[str, frozenset[str]]
    ports: frozenset[int]
    since: int
    until: int


def fields_of(log_format: str) -> tuple[str, ...]:
    """The fields of a flow log's LogFormat, `${version} ${account-id} ...`; the default ones where it names none."""
    return tuple(_FIELD.findall(log_format)) or DEFAULT_FIELDS


def lacking(fields: Iterable[str]) -> list[str]:
    """The fields without which a format cannot be used, and that it does not have."""
    there = set(fields)
    return [name for name in NEEDED if name not in there]


def count_records(
    lines: Iterable[str], fields: tuple[str, ...], scope: FlowScope
) -> tuple[list[FlowCount], list[FlowGap]]:
    """Counts the lines of a text file, as the queries of Logs Insights and Athena do. Others' lines are skipped."""
    counts: dict[tuple[object, ...], FlowCount] = {}
    gaps: dict[tuple[str, str], FlowGap] = {}
    for line in lines:
        values = line.split()
        if len(values) != len(fields):
            continue
        record = dict(zip(fields, values, strict=True))
        if record["interface-id"] not in scope.interfaces or not scope.since <= _number(record["start"]) <= scope.until:
            continue
        status = record.get("log-status", "OK")
        if status in (NODATA, SKIPDATA):
            gap = FlowGap(record["interface-id"], status, 1, _number(record["start"]), _number(record["end"]))
            known = gaps.get(gap[:2])
            gaps[gap[:2]] = _joined_gaps(known, gap) if known else gap
        elif (count := _count(record, scope)) is not None:
            there = counts.get(count[:7])
            counts[count[:7]] = joined_counts(there, count) if there else count
    return list(counts.values()), list(gaps.values())


def _count(record: Mapping[str, str], scope: FlowScope) -> FlowCount | None:
    try:
        source, target = canonical(record["srcaddr"]), canonical(record["dstaddr"])
    except ValueError:
        return None
    own = scope.interfaces[record["interface-id"]]
    source_port, target_port = _number(record["srcport"]), _number(record["dstport"])
    if source in own and target_port in scope.ports:
        direction, address, port = REQUEST, target, target_port
    elif target in own and source_port in scope.ports and target_port not in scope.ports:
        direction, address, port = RETURN, source, source_port
    else:
        return None
    flags, reason = record.get("tcp-flags"), record.get("reject-reason", "-")
    return FlowCount(
        interface=record["interface-id"],
        direction=direction,
        address=address,
        port=port,
        action=record["action"],
        flags=_number(flags) if flags is not None else None,
        reason="" if reason == "-" else reason,
        records=1,
        packets=_number(record.get("packets", "0")),
        bytes=_number(record.get("bytes", "0")),
        first=_number(record["start"]),
        last=_number(record["end"]),
    )


def joined_counts(count: FlowCount, other: FlowCount) -> FlowCount:
    """Both together; they are of the same kind, except for the flags."""
    flags = [part.flags for part in (count, other) if part.flags is not None]
    return count._replace(
        flags=flags[0] | flags[-1] if flags else None,
        records=count.records + other.records,
        packets=count.packets + other.packets,
        bytes=count.bytes + other.bytes,
        first=min(count.first, other.first),
        last=max(count.last, other.last),
    )


def _joined_gaps(gap: FlowGap, other: FlowGap) -> FlowGap:
    return gap._replace(
        records=gap.records + other.records, first=min(gap.first, other.first), last=max(gap.last, other.last)
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
