"""What fails now, target by target: the report's causes, and what the probes measured where it has none. Pure."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec import UNSET

from egressprobe.catalog.findings_vpc_path import PATH_UNKNOWN
from egressprobe.catalog.registry import lookup
from egressprobe.model.failure import CODES, HANDSHAKE_CUT, NO_REPLY, Code, Phase
from egressprobe.model.joined_report import Cause, Joined, Row
from egressprobe.model.report import Result, TargetView
from egressprobe.model.series import DEGRADED
from egressprobe.model.target import Impact, Kind, Verdict

_OF_NAMES = frozenset(str(code) for code, facts in CODES.items() if facts.phase is Phase.RESOLVE)
# What the VPC's configuration may explain: where it was not read, the cause may be another one.
_MAY_BE_CONFIGURED = (
    frozenset(map(str, NO_REPLY | HANDSHAKE_CUT)) | (_OF_NAMES - {str(Code.SERVICE_UNRESOLVED)}) | {PATH_UNKNOWN.code}
)


class FailingMember(NamedTuple):
    """One target that fails from some subnets for one cause. results: by subnet, of those only; passing: subnets.

    explained: as of ObservedCause.
    """

    row: Row
    cause: Cause
    results: Mapping[str, Result]
    passing: tuple[str, ...]
    explained: bool

    @property
    def key(self) -> str:
        return cause_key(self.cause.code, self.cause.element, self.row.target)

    @property
    def result(self) -> Result | None:
        return next(iter(self.results.values()), None)

    @property
    def code(self) -> str:
        """Of the failure itself."""
        failure = self.result.failure if self.result else None
        return str(failure.code) if failure else self.cause.code

    @property
    def pages(self) -> bool:
        """Whether requests that the cluster needs fail (publish/emf.py decides likewise)."""
        failed = not self.results or any(result.verdict is Verdict.FAIL for result in self.results.values())
        return failed and self.row.impact is Impact.BLOCKS and self.row.target.kind is not Kind.KUBELET

    @property
    def degraded(self) -> bool:
        """Whether some of its calls pass from everywhere that it is seen from."""
        return bool(self.results) and all(result.verdict is Verdict.DEGRADED for result in self.results.values())

    @property
    def unreached(self) -> bool:
        """Whether nothing outside the VPC accepted a connection, for this target."""
        phases = {result.failure.phase for result in self.results.values() if result.failure}
        return self.row.switch_relevant and bool(phases) and phases <= {Phase.RESOLVE, Phase.CONNECT}


def connected(result: Result) -> bool:
    """Whether a connection was accepted: a wrong certificate or status came over the path."""
    return result.failure is None or result.failure.phase not in (Phase.RESOLVE, Phase.CONNECT)


def cause_key(code: str, element: str, target: TargetView) -> str:
    """The same for the same cause: by the element of the VPC's configuration, else by the server that is called."""
    return f"{code}|{element or server_of(target, code)}"


def server_of(target: TargetView, code: str = "") -> str:
    """What the API server calls: NAMESPACE/SERVICE:PORT or HOST:PORT; of a failing lookup the host alone."""
    if target.service is not None:
        return f"{target.service.namespace}/{target.service.name}:{target.service.port}"
    place = urlsplit(target.url)
    try:
        host, port = place.hostname or "", place.port or (80 if place.scheme == "http" else 443)
    except ValueError:
        return target.name
    if not host:
        return target.name
    if code in _OF_NAMES:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def failing_members(joined: Joined) -> Iterator[FailingMember]:
    """In the order of the rows; a target with several causes is several. What is unknown is not among them."""
    audited = bool(joined.causes)
    by_subnet: dict[str, dict[str, Result]] = {}
    for report in joined.reports:
        for result in report.results:
            by_subnet.setdefault(result.target.name, {})[report.vantage.subnet_id or ""] = result
    for row in joined.rows:
        results = by_subnet.get(row.target.name, {})
        failing = [cell.subnet_id for cell in row.cells if cell.verdict in (Verdict.FAIL, Verdict.DEGRADED)]
        passing = tuple(cell.subnet_id for cell in row.cells if cell.verdict is Verdict.PASS)
        explained: set[str] = set()
        for cause in joined.causes:
            if cause.target == row.target.name:
                explained |= set(cause.subnets)
                mine = {subnet: results[subnet] for subnet in cause.subnets if subnet in results}
                known = bool(cause.element) or cause.code not in _MAY_BE_CONFIGURED
                known = known or (audited and cause.code != PATH_UNKNOWN.code)
                yield FailingMember(row, cause, mine, passing, known)
        for cause in _measured(row, [subnet for subnet in failing if subnet not in explained], results):
            mine = {subnet: results[subnet] for subnet in cause.subnets if subnet in results}
            known = audited or cause.code not in _MAY_BE_CONFIGURED
            yield FailingMember(row, cause, mine, passing, known)


def _measured(row: Row, subnets: list[str], results: Mapping[str, Result]) -> Iterator[Cause]:
    """What the probes found: an error first, then the failure, then what degrades; one for each code."""
    causes: dict[str, Cause] = {}
    for subnet in subnets:
        cell = next(cell for cell in row.cells if cell.subnet_id == subnet)
        cause = _of_result(row.target.name, subnet, results.get(subnet), str(cell.code or DEGRADED))
        known = causes.get(cause.code)
        causes[cause.code] = cause if known is None else _with_subnet(known, subnet)
    yield from causes.values()


def _with_subnet(cause: Cause, subnet: str) -> Cause:
    return Cause(
        cause.target, (*cause.subnets, subnet), cause.code, cause.summary, cause.remedy, cause.evidence,
        remedy_steps=cause.remedy_steps,
    )  # fmt: skip


def _of_result(target: str, subnet: str, result: Result | None, code: str) -> Cause:
    findings = result.findings if result else ()
    failure = result.failure if result else None
    worst = next((finding for finding in findings if finding.severity == "error"), None)
    if worst is None and failure is None:
        worst = next((finding for finding in findings if finding.severity != "info"), None)
    if worst is not None:
        return Cause(
            target, (subnet,), worst.code, worst.summary, worst.remedy, worst.evidence, remedy_steps=worst.remedy_steps
        )
    if failure is not None:
        code = str(failure.code)
    entry = lookup(code)
    remedy = (failure.remedy if failure else None) or (entry.remedy if entry else "")
    summary = failure.message if failure else entry.summary if entry else "some calls fail or are slow"
    steps = failure.remedy_steps if failure else UNSET
    return Cause(target, (subnet,), code, summary, remedy, remedy_steps=steps)
