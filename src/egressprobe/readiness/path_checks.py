"""The prerequisites on paths: routes, security groups, network ACLs, and both families of an IPv6 cluster. Pure."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from egressprobe.audit.result import Audit, PathBlame, PathReport
from egressprobe.catalog.findings_vpc_config import OWNED_BY_ANOTHER_ACCOUNT
from egressprobe.catalog.findings_vpc_path import (
    NACL_EGRESS_DENIED,
    NACL_EPHEMERAL_DENIED,
    NACL_INGRESS_DENIED,
    SG_EGRESS_DENIED,
    SG_INGRESS_DENIED,
    SUBNET_WITHOUT_IPV6,
)
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.target import Expect, Kind, Target, Verdict
from egressprobe.readiness.matrix import fails
from egressprobe.readiness.result import CheckState, ClusterState, MatrixCell, MatrixRow, SwitchCheck

_GROUPS = frozenset((SG_EGRESS_DENIED.code, SG_INGRESS_DENIED.code))
_ACLS = frozenset((NACL_EGRESS_DENIED.code, NACL_EPHEMERAL_DENIED.code, NACL_INGRESS_DENIED.code))
_SEEN = frozenset({Verdict.PASS, Verdict.DEGRADED})
NOT_DISCOVERED = "discovery is incomplete, and knows no target on the switched path"
# RFC 5737 and RFC 3849: of no network, so a route that matches them matches all of the internet.
_INTERNET = {"the internet by IPv4": "192.0.2.1", "the internet by IPv6": "2001:db8::1"}


class PathEvidence(NamedTuple):
    """audit: of the targets and, in an IPv6 cluster, of `default_routes`.

    discovered: whether discovery was complete: only then no row shows that there is no target.
    """

    cluster: ClusterState
    rows: Sequence[MatrixRow]
    audit: Audit | None
    audit_error: str
    discovered: bool = True


class _PathCheck(NamedTuple):
    """codes: that decide it, None for all that no other has. part: of the snapshot that it needs.

    probes_show_it: a call that passes proves it. ACLs are stateless: it proves one of 64,512 client ports.
    """

    id: str
    title: str
    codes: frozenset[str] | None
    part: str
    probes_show_it: bool


_CHECKS = (
    _PathCheck("routes", "Routes to the targets", None, "route_tables", probes_show_it=True),
    _PathCheck("security-groups", "Security groups allow the calls", _GROUPS, "groups", probes_show_it=True),
    _PathCheck("network-acls", "Network ACLs allow calls and return traffic", _ACLS, "acls", probes_show_it=False),
)


def default_routes(cluster: ClusterState) -> tuple[Target, ...]:
    """What an IPv6 cluster must be able to reach beside its targets: the internet by both families.

    Control plane egress, IPv6 considerations: "You must configure both IPv4 and IPv6 egress paths".
    """
    if cluster.ip_family != "ipv6":
        return ()
    return tuple(
        Target(Kind.ENDPOINT, name, f"tcp://{host}:443", host, 443, scheme="tcp", advisory=True)
        for name, host in _INTERNET.items()
    )


def path_checks(given: PathEvidence, source: str, ipv6_source: str) -> Iterator[SwitchCheck]:
    """One a kind of element on the path."""
    rows = [row for row in given.rows if row.switch_relevant and not row.advisory]
    rows = [row for row in rows if row.target.expect is Expect.REACHABLE]
    for check in _CHECKS:
        state, summary, blame = _state(check, rows, given)
        steps = _steps(blame, given.audit) if state is CheckState.NOT_MET else None
        yield SwitchCheck(check.id, check.title, state, summary, blame.code if blame else "", source, steps)
    if given.cluster.ip_family == "ipv6":
        yield _both_families(given, ipv6_source)


def _state(
    check: _PathCheck, rows: Sequence[MatrixRow], given: PathEvidence
) -> tuple[CheckState, str, PathBlame | None]:
    if not rows and not given.discovered:
        return CheckState.UNKNOWN, NOT_DISCOVERED, None
    if not rows:
        return CheckState.MET, "no target is on the switched path", None
    paths = list(paths_of(rows, given.audit))
    blames = [blame for path in paths for blame in blames_of(path) if _decides(check, blame.code)]
    if blames:
        more = len({blame.element for blame in blames}) - 1
        return CheckState.NOT_MET, blames[0].said + (f", and {more} more" if more else ""), blames[0]
    shown = all(_passes(row, given.cluster.subnets) for row in rows)
    unread = _unread(check.part, given)
    if unread and not (check.probes_show_it and shown):
        return CheckState.UNKNOWN, unread, None
    audited = {row.target.name for row in given.audit.rows if row.target.addresses} if given.audit else set()
    unaudited = sorted({row.target.name for row in rows} - audited)
    if (unaudited or any(path.state == "unknown" for path in paths)) and not shown:
        return CheckState.UNKNOWN, "the configuration does not show it, and not all probes passed", None
    if unaudited and not check.probes_show_it:
        return CheckState.UNKNOWN, f"the addresses of {unaudited[0]} are not known", None
    how = "the probes pass; the configuration does not show it" if unread else "nothing on the paths blocks them"
    return CheckState.MET, how, None


def _decides(check: _PathCheck, code: str) -> bool:
    if check.codes is not None:
        return code in check.codes
    return not any(code in other.codes for other in _CHECKS if other.codes is not None)


def blames_of(path: PathReport) -> tuple[PathBlame, ...]:
    """Everything that keeps a path from being open."""
    return (*((path.blame,) if path.blame else ()), *path.also, *path.narrowed)


def paths_of(rows: Sequence[MatrixRow], audit: Audit | None) -> Iterator[PathReport]:
    """The paths to the rows' targets, by address and port; none to addresses that the probes do not meet there."""
    elsewhere = {
        (row.target.name, cell.subnet_id) for row in rows for cell in row.cells if cell.configured == "unknown"
    }
    elsewhere -= {(row.target.name, cell.subnet_id) for row in rows for cell in row.cells if not _shown(cell)}
    yield from _of_targets({row.target.name for row in rows}, audit, elsewhere)


def _of_targets(
    names: set[str], audit: Audit | None, without: AbstractSet[tuple[str, str]] = frozenset()
) -> Iterator[PathReport]:
    users: dict[tuple[str, int], list[str]] = {}
    for row in audit.rows if audit else ():
        if row.target.name in names:
            for address in row.target.addresses:
                users.setdefault((address, row.target.port), []).append(row.target.name)
    for path in audit.paths if audit else ():
        targets = users.get((path.address, path.port), ()) if path.protocol == "tcp" else ()
        if any((name, path.subnet) not in without or path.state == "unknown" for name in targets):
            yield path


def _shown(cell: MatrixCell) -> bool:
    return not fails(cell) and bool(cell.rounds) and all(verdict in _SEEN for verdict in cell.rounds)


def _passes(row: MatrixRow, subnets: Sequence[str]) -> bool:
    """Whether the probes show the path from each subnet in each round."""
    missing = {cell.subnet_id for cell in row.cells if not _shown(cell)}
    return set(subnets) <= {cell.subnet_id for cell in row.cells} - missing


def _unread(part: str, given: PathEvidence) -> str:
    """Why a part of the configuration is not known; empty where it is."""
    if given.audit is None:
        return given.audit_error or "the VPC's configuration was not audited"
    for finding in given.audit.findings:
        # A participant of a shared VPC gets empty lists instead of the owner's.
        if finding.evidence.get("part") in (part, "subnets") or finding.code == OWNED_BY_ANOTHER_ACCOUNT.code:
            return finding.summary
    return ""


def _steps(blame: PathBlame | None, audit: Audit | None) -> RemedySteps | None:
    """The fix, where one finding alone has this code: several are among the causes."""
    findings = [finding for finding in audit.findings if finding.code == blame.code] if audit and blame else []
    return findings[0].remedy_steps or None if len(findings) == 1 else None


def _both_families(given: PathEvidence, source: str) -> SwitchCheck:
    name, title = "ipv6", "Egress paths by IPv4 and by IPv6"
    if given.audit is None:
        return SwitchCheck(name, title, CheckState.UNKNOWN, given.audit_error, source=source)
    for finding in given.audit.findings:
        if finding.code == SUBNET_WITHOUT_IPV6.code:
            steps = finding.remedy_steps or None
            return SwitchCheck(name, title, CheckState.NOT_MET, finding.summary, finding.code, source, steps)
    paths = {words: list(_of_targets({words}, given.audit)) for words in _INTERNET}
    for words, of_family in paths.items():
        closed = [path for path in of_family if path.state in ("closed", "partial")]
        if closed:
            blame = next(iter(blames_of(closed[0])), None)
            from_subnets = ", ".join(dict.fromkeys(path.subnet for path in closed))
            summary = f"no path to {words} from {from_subnets}"
            code, steps = (blame.code, _steps(blame, given.audit)) if blame else ("", None)
            return SwitchCheck(name, title, CheckState.NOT_MET, summary, code, source, steps)
    unknown = [words for words, of_family in paths.items() if {path.state for path in of_family} != {"open"}]
    if unknown:
        return SwitchCheck(name, title, CheckState.UNKNOWN, f"not known: {', '.join(unknown)}", source=source)
    return SwitchCheck(name, title, CheckState.MET, "both lead to the internet", source=source)
