"""What was not seen: as reasons against GO, and in sentences for a person. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from egressprobe.audit.result import Audit
from egressprobe.catalog.findings_cluster import (
    API_SERVER_UNREACHABLE,
    CLUSTER_DELETING,
    CLUSTER_UNREADABLE,
    DISCOVERY_FAILED,
    DISCOVERY_FORBIDDEN,
    IDENTITY_PROVIDERS_UNREADABLE,
    LIST_UNREADABLE,
    OBJECT_MALFORMED,
    OBJECT_NOT_PROBED,
    STACK_DRIFTED,
    TARGET_TOO_LARGE,
    TOKEN_REFUSED,
)
from egressprobe.catalog.findings_probe import REPORT_REDUCED
from egressprobe.model.discovered import Discovered
from egressprobe.model.joined_report import Joined
from egressprobe.readiness.matrix import ProbeRound
from egressprobe.readiness.result import Decision, DecisionReason, MatrixRow

# What may hide a target of which nothing else says that it exists.
_INCOMPLETE = frozenset(
    entry.code
    for entry in (
        API_SERVER_UNREACHABLE,
        DISCOVERY_FAILED,
        DISCOVERY_FORBIDDEN,
        IDENTITY_PROVIDERS_UNREADABLE,
        LIST_UNREADABLE,
        OBJECT_MALFORMED,
        OBJECT_NOT_PROBED,
        TARGET_TOO_LARGE,
        TOKEN_REFUSED,
    )
)
# A Planner that cannot read the cluster does not see that its probes are in other subnets, or have other groups.
_OF_THE_STACK = frozenset(entry.code for entry in (STACK_DRIFTED, CLUSTER_UNREADABLE, CLUSTER_DELETING, REPORT_REDUCED))
_DISCOVERY = "discovery"
_MOST_NAMED = 8


def gap(subject: str, summary: str, code: str = "") -> DecisionReason:
    """Something that was not seen."""
    return DecisionReason(Decision.UNKNOWN, subject, summary, code)


def is_discovered(reasons: Iterable[DecisionReason]) -> bool:
    """Whether discovery was complete: no reason is a gap of it."""
    return all(reason.subject != _DISCOVERY for reason in reasons)


def discovery_gaps(discovered: Discovered | None, error: str) -> Iterator[DecisionReason]:
    """error: why there is no result."""
    if discovered is None:
        yield gap(_DISCOVERY, f"the webhooks, APIs and issuers of the cluster are not known: {error}")
        return
    incomplete = [finding for finding in discovered.findings if finding.code in _INCOMPLETE]
    for finding in incomplete:
        yield gap(_DISCOVERY, finding.summary, finding.code)
    if discovered.unread and not incomplete:
        yield gap(_DISCOVERY, f"not read completely: {', '.join(discovered.unread)}")


def round_gaps(rounds: Sequence[ProbeRound], planned: int, subnets: Sequence[str]) -> Iterator[DecisionReason]:
    """Rounds and subnets without a report. planned: how many rounds there were to be; subnets: where probes belong."""
    for number, probed in enumerate(rounds, 1):
        if probed.joined is None:
            yield gap(f"round {number} of {planned}", f"there is no report: {probed.error}")
    if len(rounds) < planned:
        yield gap("rounds", f"only {len(rounds)} of {planned} were made")
    errors: dict[tuple[str, str], list[int]] = {}
    for number, probed in enumerate(rounds, 1):
        for view in probed.joined.views if probed.joined else ():
            if view.error:
                errors.setdefault((view.subnet_id, view.error), []).append(number)
    for (subnet, error), numbers in errors.items():
        yield gap(subnet, f"no answer from its probe in {_rounds(numbers, planned)}: {error}")
    yield from _without_probe(rounds, subnets)
    seen: set[tuple[str, str]] = set()
    for joined in (probed.joined for probed in rounds if probed.joined):
        for code, summary in _findings(joined):
            if (code, summary) not in seen:
                seen.add((code, summary))
                yield gap("the stack", summary, code)


def _findings(joined: Joined) -> Iterator[tuple[str, str]]:
    for finding in (*joined.findings, *(finding for report in joined.reports for finding in report.findings)):
        if finding.code in _OF_THE_STACK:
            yield finding.code, finding.summary


def _without_probe(rounds: Sequence[ProbeRound], subnets: Sequence[str]) -> Iterator[DecisionReason]:
    reports = [probed.joined for probed in rounds if probed.joined]
    probed_subnets = {view.subnet_id for joined in reports for view in joined.views}
    missing = [subnet for subnet in subnets if subnet not in probed_subnets]
    if reports and missing:
        yield gap("the stack", f"there is no probe in {', '.join(missing)}")


def _rounds(numbers: Sequence[int], planned: int) -> str:
    if len(numbers) == planned:
        return "every round"
    return f"round{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def sentences(
    rows: Sequence[MatrixRow],
    discovered: Discovered | None,
    audit: Audit | None,
    audit_error: str,
    rounds: Sequence[ProbeRound],
) -> Iterator[str]:
    """What the decision does not cover although nothing is wrong with it, and what costs evidence beside the paths."""
    never = [row.target.name for row in rows if not any(cell.times_ms for cell in row.cells) and _unprobed(row)]
    if never:
        yield f"Not probed at all: {_some(never)}."
    if discovered is not None and discovered.left:
        yield f"Left out on purpose: {_some([f'{left.object} ({left.why})' for left in discovered.left])}."
    if audit is None:
        yield f"The VPC's configuration was not audited: {audit_error}."
    elif audit.not_audited:
        yield f"Not audited: {_some([f'{target.name} ({target.reason})' for target in audit.not_audited])}."
    refused = {entry.name: entry.why for probed in rounds if probed.joined for entry in probed.joined.refused}
    if refused:
        yield f"Refused by the stack: {_some([f'{name} ({why})' for name, why in refused.items()])}."


def _unprobed(row: MatrixRow) -> bool:
    return all(verdict == "unknown" and cell.code is None for cell in row.cells for verdict in cell.rounds)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
