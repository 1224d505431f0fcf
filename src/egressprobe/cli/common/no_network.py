"""A computer without a network knows nothing of the targets: unknown, not fail, and no advice about AWS."""

import errno
import socket

from msgspec.structs import replace

from egressprobe.catalog.findings_probe import NO_NETWORK
from egressprobe.model.failure import Code
from egressprobe.model.report import Report, Result, count, worst
from egressprobe.model.target import Verdict

# What a lookup or a dial meets where the kernel has no route at all.
_LOCAL = frozenset({Code.DNS_UNREACHABLE, Code.NETWORK_UNREACHABLE})
# Documentation prefixes (RFC 5737, RFC 3849). Connecting a datagram socket chooses a route and sends nothing.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def has_network() -> bool:
    """Whether this computer has a route to anywhere else, by either family."""
    return any(_routed(family, address) for family, address in _ELSEWHERE)


def _routed(family: socket.AddressFamily, address: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            datagrams.connect((address, 9))
    except OSError as error:
        return error.errno not in _NO_ROUTE
    return True


def without_network(report: Report) -> Report:
    """`report` of a computer without a network: what failed for that reason alone is unknown."""
    results = tuple(map(_judged, report.results))
    if results == report.results:
        return report
    verdicts = [result.verdict for result in results]
    return replace(report, results=results, verdict=worst(verdicts), summary=count(verdicts))


def _judged(result: Result) -> Result:
    if result.verdict is not Verdict.FAIL or result.failure is None or result.failure.code not in _LOCAL:
        return result
    finding = NO_NETWORK.found(
        "this computer has no network: no route to any address", {"failure": result.failure.code}
    )
    return replace(result, verdict=Verdict.UNKNOWN, failure=None, forecast=None, findings=(finding,))
