"""Flow logs in CloudWatch Logs: two queries of Logs Insights, for requests and for what returned.

Fields are parsed by the flow log's own format: Logs Insights discovers those of the default format only.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Parse.html
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from egressprobe.aws.observability.insights import InsightsAnswer
from egressprobe.net.addresses import canonical
from egressprobe.observability.flows.records import REQUEST, RETURN, FlowCount, FlowGap, FlowScope

# A query string has at most 10,000 characters.
_MAX_PORTS, _MAX_INTERFACES = 200, 40


class FlowQueries(NamedTuple):
    requests: str
    returns: str


def flow_queries(fields: Sequence[str], scope: FlowScope) -> FlowQueries:
    """The queries for interfaces and ports of the scope, which may have 40 and 200 of them."""
    interfaces = _texts(sorted(scope.interfaces))
    addresses = _texts(sorted({address for own in scope.interfaces.values() for address in own}))
    ports = ", ".join(str(port) for port in sorted(scope.ports)[:_MAX_PORTS])
    stars = " ".join("*" * len(fields))
    names = ", ".join(map(_name, fields))
    parsed = f'parse @message "{stars}" as {names} | filter {_name("interface-id")} in [{interfaces}]'
    status = _name("log-status")
    gaps = f' or {status} = "NODATA" or {status} = "SKIPDATA"' if "log-status" in fields else ""
    request = f"({_name('srcaddr')} in [{addresses}] and {_name('dstport')} in [{ports}])"
    returned = (
        f"{_name('dstaddr')} in [{addresses}] and {_name('srcport')} in [{ports}]"
        f" and not ({_name('dstport')} in [{ports}])"
    )
    sums = [f"sum({_name(field)}) as {field}" for field in ("packets", "bytes") if field in fields]
    stats = ", ".join((*sums, f"min({_name('start')}) as first", f"max({_name('end')}) as last", "count(*) as records"))
    also = [_name(field) for field in ("log-status", "tcp-flags", "reject-reason") if field in fields]
    by, place = ", ".join((_name("interface-id"), _name("action"), *also)), f"{_name('srcaddr')}, {_name('dstaddr')}"
    return FlowQueries(
        f"{parsed} | filter {request}{gaps} | stats {stats} by {by}, {place}, {_name('dstport')}",
        f"{parsed} | filter {returned} | stats {stats} by {by}, {place}, {_name('srcport')}",
    )


def parts(scope: FlowScope) -> Iterator[FlowScope]:
    """The scope in parts that fit into a query."""
    ids = sorted(scope.interfaces)
    for i in range(0, len(ids), _MAX_INTERFACES):
        yield scope._replace(interfaces={name: scope.interfaces[name] for name in ids[i : i + _MAX_INTERFACES]})


def counts_of(
    requests: InsightsAnswer, returns: InsightsAnswer, scope: FlowScope
) -> tuple[list[FlowCount], list[FlowGap]]:
    """The rows of both queries."""
    counts, gaps = [], []
    for row in requests.rows:
        if row.get(_name("log-status"), "OK") != "OK":
            gaps.append(
                FlowGap(
                    row[_name("interface-id")], row[_name("log-status")], *_numbers(row, "records", "first", "last")
                )
            )
        else:
            counts += _count(row, REQUEST, "dstport", scope)
    for row in returns.rows:
        counts += _count(row, RETURN, "srcport", scope)
    return counts, gaps


def _count(row: dict[str, str], direction: str, port: str, scope: FlowScope) -> list[FlowCount]:
    """Nothing for a record of another address: between two of our interfaces both have a record of each direction."""
    theirs, own = ("dstaddr", "srcaddr") if direction == REQUEST else ("srcaddr", "dstaddr")
    try:
        place, mine = canonical(row[_name(theirs)]), canonical(row[_name(own)])
    except (KeyError, ValueError):
        return []
    if mine not in scope.interfaces.get(row[_name("interface-id")], ()):
        return []
    flags, reason = row.get(_name("tcp-flags")), row.get(_name("reject-reason"), "-")
    [port_number, records, packets, size, first, last] = _numbers(
        row, _name(port), "records", "packets", "bytes", "first", "last"
    )
    return [
        FlowCount(
            interface=row[_name("interface-id")],
            direction=direction,
            address=place,
            port=port_number,
            action=row.get(_name("action"), ""),
            flags=int(float(flags)) if flags and flags != "-" else None,
            reason="" if reason == "-" else reason,
            records=records,
            packets=packets,
            bytes=size,
            first=first,
            last=last,
        )
    ]


def _numbers(row: dict[str, str], *names: str) -> list[int]:
    """Logs Insights writes numbers as text, also as `6.0` or `1.7E9`."""
    return [int(float(row.get(name) or 0)) for name in names]


def _name(field: str) -> str:
    """Not the discovered fields' names: those of the default format exist beside what is parsed."""
    return f"flow_{field.replace('-', '_')}"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)
