"""Why a target fails: the live failure joined with the configuration and with the other subnets. Pure.

What the failure says of the packets decides where to look:

- No name: the VPC's DNS rules, then the path to its own name servers.
- No reply: the path to the address. Closed: that element. Partly open: that one. Open: the configuration allows the
  call, and no reply arrives. Unknown: what cannot be determined.
- A TLS handshake that is cut: a network firewall that drops it, if there is one; else as a reply.
- A reply (refused, TLS, HTTP): the path is open whatever the configuration says, so what the probe found is the cause.

What follows from a cause is on its row of the catalogue (`hides`).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType

from egressprobe.audit.cause_elements import element_of, element_of_dns, ids_of
from egressprobe.audit.dialled_names import dialled_name
from egressprobe.audit.findings import names_of
from egressprobe.audit.fixes.problem import Problem
from egressprobe.audit.fixes.proof import propose
from egressprobe.audit.fixes.proposal import Proposals, with_proposal, without_fixes
from egressprobe.audit.paths.destinations import custom_servers, families_of, plain
from egressprobe.audit.paths.paths import Paths
from egressprobe.audit.paths.reachability import Path
from egressprobe.audit.rules.rule import evaluate
from egressprobe.audit.run import RULES
from egressprobe.audit.vpc.blockers import Blame
from egressprobe.audit.vpc.cidr import address
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.topology import Topology
from egressprobe.catalog.entry import FindingEntry, named
from egressprobe.catalog.findings_vpc_config import CONFIG_ALLOWS_BUT_NO_REPLY, FIREWALL_DROPS_TLS
from egressprobe.catalog.findings_vpc_path import PATH_UNKNOWN
from egressprobe.catalog.registry import lookup, visible
from egressprobe.model.failure import HANDSHAKE_CUT, NO_REPLY, Phase
from egressprobe.model.joined_report import Cause, Joined, Row
from egressprobe.model.measurement import Attempt
from egressprobe.model.remedy import RemedySteps
from egressprobe.model.report import Finding, Result
from egressprobe.model.target import Verdict

_DNS = 53


class _Explanation(NamedTuple):
    """What explains one failure. key: causes with the same are one. blame: what the configuration blocks.

    element: as of `Cause`.
    """

    key: tuple[Any, ...]
    code: str
    summary: str
    remedy: str
    evidence: dict[str, Any]
    path: Path | None = None
    blame: Blame | None = None
    remedy_steps: RemedySteps | UnsetType = UNSET
    element: str = ""


class _Failing(NamedTuple):
    subnet: str
    result: Result
    explanation: _Explanation


def causes(joined: Joined, snapshot: VpcSnapshot) -> tuple[Cause, ...]:
    """One for each target and reason, in the order of the rows; none for what passes. Raises ValueError as Topology."""
    topology = Topology(snapshot)
    paths = Paths(topology)
    results = [result for report in joined.reports for result in report.results]
    hosts = {result.resolutions[0].host for result in results if result.resolutions}
    beside = evaluate(RULES, topology, hosts)
    groups = [(row, group) for row in joined.rows for group in _groups(row, joined, paths, beside)]
    proposals = _proposals(paths, [failing for _, group in groups for failing in group])
    return tuple(_cause(row, group, _passing(row, joined), paths, proposals) for row, group in groups)


def _results(row: Row, joined: Joined) -> dict[str, Result]:
    """Subnet -> the target's result."""
    return {
        report.vantage.subnet_id or "": result
        for report in joined.reports
        for result in report.results
        if result.target.name == row.target.name
    }


def _passing(row: Row, joined: Joined) -> list[tuple[str, Result]]:
    return [(name, result) for name, result in _results(row, joined).items() if result.verdict is Verdict.PASS]


def _groups(row: Row, joined: Joined, paths: Paths, beside: Sequence[Finding]) -> Iterator[list[_Failing]]:
    """The subnets in which the target fails, by cause."""
    groups: dict[tuple[Any, ...], list[_Failing]] = {}
    for subnet, result in _results(row, joined).items():
        explanation = _explain(subnet, result, paths, beside) if _fails(result) else None
        if explanation is not None:
            key = (explanation.code, *explanation.key)
            groups.setdefault(key, []).append(_Failing(subnet, result, explanation))
    yield from groups.values()


def _fails(result: Result) -> bool:
    return result.verdict is Verdict.FAIL or (result.verdict is Verdict.DEGRADED and result.failure is not None)


def _proposals(paths: Paths, failing: Sequence[_Failing]) -> Proposals:
    """Fixes for everything that the configuration blocks, consistent with each other."""
    pairs: dict[tuple[str | int, ...], list[tuple[Path, Blame]]] = {}
    for explanation in (case.explanation for case in failing):
        if explanation.path is not None and explanation.blame is not None:
            for blame in explanation.path.blames:
                pairs.setdefault(blame.key, []).append((explanation.path, blame))
    problems = [Problem(tuple(group)) for group in pairs.values()]
    try:
        return propose(paths, problems)
    except Exception as error:
        return without_fixes(problems, f"the search for a fix failed ({type(error).__name__}: {error})")


def _cause(
    row: Row,
    failing: Sequence[_Failing],
    passing: Sequence[tuple[str, Result]],
    paths: Paths,
    proposals: Proposals,
) -> Cause:
    why = failing[0].explanation
    remedy, remedy_steps = why.remedy, why.remedy_steps
    if why.blame is not None and why.path is not None:
        proposal = proposals.of_path(why.blame.key, why.path)
        finding = with_proposal(why.blame.finding, "", why.evidence, proposal)
        remedy, remedy_steps = finding.remedy, finding.remedy_steps
    return Cause(
        target=row.target.name,
        subnets=tuple(case.subnet for case in failing),
        code=why.code,
        summary=why.summary,
        remedy=remedy,
        remedy_steps=named(remedy_steps, names_of(paths.topology.snapshot)),
        evidence=why.evidence,
        consequences=tuple(_consequences(why.code, [case.result for case in failing])),
        differs=tuple(_differs(failing[0], passing, paths)),
        element=why.element,
        path=tuple(ids_of([case.explanation.path for case in failing])),
    )


def _consequences(code: str, results: Iterable[Result]) -> Iterator[str]:
    """The other codes of the same results, those first that the cause's row of the catalogue hides."""
    others = dict.fromkeys(
        other
        for result in results
        for other in ([str(result.failure.code)] if result.failure else [])
        + [finding.code for finding in result.findings]
        if other != code
    )
    hidden = _hidden_codes(code)
    yield from sorted(others, key=lambda other: other not in hidden)


def _hidden_codes(code: str) -> frozenset[str]:
    entry = lookup(code)
    return entry.hidden_codes if isinstance(entry, FindingEntry) else frozenset()


def _explain(subnet: str, result: Result, paths: Paths, beside: Sequence[Finding]) -> _Explanation | None:
    failure = result.failure
    if failure is None:
        return None
    if failure.phase is Phase.RESOLVE:
        explanation = _dns_cause(subnet, result, paths, beside)
        if explanation is not None:
            return explanation
    if failure.code in NO_REPLY:
        silent = [attempt for attempt in result.attempts if attempt.failure and attempt.failure.code in NO_REPLY]
        return _path_cause(subnet, silent, paths, result) or _measured(result)
    if failure.code in HANDSHAKE_CUT:
        return _handshake_cause(subnet, result, paths) or _measured(result)
    return _measured(result)


def _handshake_cause(subnet: str, result: Result, paths: Paths) -> _Explanation | None:
    """TCP connected: only a firewall that looks at what follows can be the configuration's part."""
    for attempt in result.attempts:
        if attempt.failure and attempt.failure.code in HANDSHAKE_CUT:
            path = paths.path(subnet, attempt.address, attempt.port, server_name=dialled_name(result, attempt))
            if path.blame is not None and path.blame.finding is FIREWALL_DROPS_TLS:
                return _blamed(path, path.blame)
    return None


def _measured(result: Result) -> _Explanation:
    """The error that the probe found, else the failure."""
    error = next((finding for finding in result.findings if finding.severity == "error"), None)
    if error is not None:
        return _found(error)
    failure = result.failure
    assert failure is not None  # noqa: S101
    entry = lookup(failure.code)
    remedy = entry.remedy if entry else ""
    evidence = {"phase": str(failure.phase)}
    return _Explanation((), str(failure.code), failure.message, remedy, evidence, remedy_steps=failure.remedy_steps)


def _dns_cause(subnet: str, result: Result, paths: Paths, beside: Sequence[Finding]) -> _Explanation | None:
    """A rule that hides this failure, for this name; else the path to the name servers, if none of them is reached."""
    host = (result.resolutions[0].host if result.resolutions else "").lower().rstrip(".")
    code = str(result.failure.code) if result.failure else ""
    explaining = visible(
        finding
        for finding in beside
        if code in _hidden_codes(finding.code)
        and finding.evidence.get("name", host) == host
        and not finding.evidence.get("servers")
    )
    if explaining:
        return _found(explaining[0])._replace(element=element_of_dns(explaining[0]))
    snapshot = paths.topology.snapshot
    servers = custom_servers(snapshot.dhcp, snapshot)
    if snapshot.dhcp is None or not servers or len(servers) < len(snapshot.dhcp.servers):
        return None
    to_servers = [paths.path(subnet, server, _DNS, "udp") for server in servers]
    first = to_servers[0].blame
    if first is not None and all(path.blame for path in to_servers):  # a lookup fails only when every server does
        return _blamed(to_servers[0], first)
    return None


def _path_cause(subnet: str, silent: Sequence[Attempt], paths: Paths, result: Result) -> _Explanation | None:
    """Of the addresses without reply the one whose path explains it best."""
    families = families_of(paths.topology.snapshot)
    dialled = [attempt for attempt in silent if address(attempt.address).version in families] or silent
    tried = [
        paths.path(subnet, attempt.address, attempt.port, server_name=dialled_name(result, attempt))
        for attempt in dialled
    ]
    for state in ("closed", "partial", "unknown", "open"):
        path = next((path for path in tried if path.state == state), None)
        if path is None:
            continue
        if path.blames:
            return _blamed(path, path.blames[0])
        target = f"{path.address} port {path.port}"
        if state == "unknown":
            why = "; ".join(path.knowledge_ends)
            message = f"{target} does not answer; nothing that is known closes the path, but unknown: {why}"
            evidence = {"why": list(path.knowledge_ends), "address": path.address}
            return _found(PATH_UNKNOWN.found(message, evidence), path)
        message = (
            f"{target} does not answer, and the configuration allows the call and its return traffic: "
            f"{' -> '.join(path.elements)}"
        )
        evidence = {"address": path.address, "elements": list(path.elements)}
        return _found(CONFIG_ALLOWS_BUT_NO_REPLY.found(message, evidence), path)
    return None


def _blamed(path: Path, blame: Blame) -> _Explanation:
    return _Explanation(
        (blame.element,), blame.code, plain(blame.said), "", blame.evidence, path, blame, element=element_of(blame)
    )


def _found(finding: Finding, path: Path | None = None) -> _Explanation:
    steps = finding.remedy_steps
    return _Explanation((), finding.code, finding.summary, finding.remedy, finding.evidence, path, remedy_steps=steps)


def _differs(failing: _Failing, passing: Sequence[tuple[str, Result]], paths: Paths) -> Iterator[str]:
    """What the failing subnet's path has and a healthy one's has not, for the same address where there is one."""
    if not passing:
        return
    why = failing.explanation
    attempts = failing.result.attempts or passing[0][1].attempts
    if not attempts:
        return
    to, port = (why.path.address, why.path.port) if why.path else (attempts[0].address, attempts[0].port)
    server_name = dialled_name(failing.result, attempts[0])
    path = paths.path(failing.subnet, to, port, server_name=server_name)
    for name, _ in passing:
        other = paths.path(name, to, port, server_name=server_name)
        own = [element for element in path.elements if element not in other.elements]
        others = [element for element in other.elements if element not in path.elements]
        if path.state == "closed":  # it ends there, and the other's goes on
            others = others[: max(len(own), 1)]
        if own or others:
            ours, theirs = ", ".join(own) or "nothing else", ", ".join(others) or "nothing else"
            yield f"{failing.subnet} goes by {ours}; {name}, which works, by {theirs}"
        return
