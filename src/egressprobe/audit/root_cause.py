"""Why it fails: the live failure joined with the configuration and with the other subnets. Pure.

What the failure says of the packets decides where to look:

- No name: the VPC's DNS rules, then the way to its own name servers.
- Nobody answered: the way to the address. Closed: that element. Partly open: that one. Open: packets die where the
  configuration is open. Unknown: where knowledge ends.
- Somebody answered (refused, TLS, HTTP): the way is open whatever the configuration says, so what the probe found
  on it is the cause.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from egressprobe.audit import dns_rules
from egressprobe.audit import vpc_rules as cluster_rules
from egressprobe.audit.destinations import custom_servers
from egressprobe.audit.fix_commands import commands
from egressprobe.audit.run import Ways
from egressprobe.audit.vpc.path import Blame, Path
from egressprobe.audit.vpc.snapshot import VpcSnapshot
from egressprobe.audit.vpc.topology import Network
from egressprobe.catalog.findings_vpc_config import CONFIG_ALLOWS_BUT_NO_REPLY
from egressprobe.catalog.findings_vpc_path import PATH_UNKNOWN
from egressprobe.catalog.registry import FINDINGS, lookup
from egressprobe.model.failure import NO_REPLY, Phase
from egressprobe.model.joined_report import Cause, Joined, Row
from egressprobe.model.measurement import Attempt
from egressprobe.model.report import Finding, Result
from egressprobe.model.target import Verdict

# Codes of rules beside the way that explain a name which does not resolve, in the order of likelihood.
_NAMELESS = ("VPC_DNS_SUPPORT_OFF", "DNS_FIREWALL_BLOCKS", "EKS_ENDPOINT_HIDES_OIDC", "RESOLVER_RULE_SHADOWS_ZONE")


class _Why(NamedTuple):
    """What explains one failure. key: causes with the same are one."""

    key: tuple[Any, ...]
    code: str
    summary: str
    remedy: str
    evidence: dict[str, Any]
    way: Path | None = None


def causes(joined: Joined, snapshot: VpcSnapshot) -> tuple[Cause, ...]:
    """One for each target and reason, in the order of the rows; none for what passes. Raises ValueError as Network."""
    network = Network(snapshot)
    ways = Ways(network)
    hosts = {result.resolutions[0].host for result in _all_results(joined) if result.resolutions}
    beside = [*dns_rules.rules(network, hosts), *cluster_rules.rules(network)]
    return tuple(cause for row in joined.rows for cause in _of_row(row, joined, ways, beside))


def _all_results(joined: Joined) -> Iterator[Result]:
    for report in joined.reports:
        yield from report.results


def _of_row(row: Row, joined: Joined, ways: Ways, beside: Sequence[Finding]) -> Iterator[Cause]:
    seen = {
        report.vantage.subnet_id or "": result
        for report in joined.reports
        for result in report.results
        if result.target.name == row.target.name
    }
    groups: dict[tuple[Any, ...], list[tuple[str, Result, _Why]]] = {}
    for subnet, result in seen.items():
        why = _why(subnet, result, ways, beside) if _fails(result) else None
        if why is not None:
            groups.setdefault((why.code, *why.key), []).append((subnet, result, why))
    well = [(subnet, result) for subnet, result in seen.items() if result.verdict is Verdict.PASS]
    for held in groups.values():
        yield _cause(row, held, well, ways)


def _fails(result: Result) -> bool:
    return result.verdict is Verdict.FAIL or (result.verdict is Verdict.DEGRADED and result.failure is not None)


def _cause(row: Row, held: Sequence[tuple[str, Result, _Why]], well: Sequence[tuple[str, Result]], ways: Ways) -> Cause:
    why = held[0][2]
    follows = dict.fromkeys(
        code
        for _, result, _ in held
        for code in ([str(result.failure.code)] if result.failure else []) + [one.code for one in result.findings]
        if code != why.code
    )
    return Cause(
        target=row.target.name,
        subnets=tuple(subnet for subnet, _, _ in held),
        code=why.code,
        summary=why.summary,
        remedy=why.remedy,
        evidence=why.evidence,
        consequences=tuple(follows),
        differs=tuple(_differs(held, well, ways)),
    )


def _why(subnet: str, result: Result, ways: Ways, beside: Sequence[Finding]) -> _Why | None:
    failure = result.failure
    if failure is None:
        return None
    if failure.phase is Phase.RESOLVE:
        found = _nameless(subnet, result, ways, beside)
        if found is not None:
            return found
    if failure.code in NO_REPLY:
        silent = [one for one in result.attempts if one.failure and one.failure.code in NO_REPLY]
        return _way(subnet, silent, ways) or _itself(result)
    return _itself(result)


def _itself(result: Result) -> _Why:
    """What the probe found on the way, else the failure."""
    for one in result.findings:
        if one.severity == "error":
            return _found(one)
    failure = result.failure
    assert failure is not None  # noqa: S101
    entry = lookup(failure.code)
    return _Why((), str(failure.code), failure.message, entry.remedy if entry else "", {"phase": str(failure.phase)})


def _nameless(subnet: str, result: Result, ways: Ways, beside: Sequence[Finding]) -> _Why | None:
    host = (result.resolutions[0].host if result.resolutions else "").lower().rstrip(".")
    for code in _NAMELESS:
        for one in beside:
            if one.code != code or one.evidence.get("name", host) != host:
                continue
            if code == "EKS_ENDPOINT_HIDES_OIDC" and not host.startswith("oidc.eks."):
                continue
            return _found(one)
    snapshot = ways.network.snapshot
    if snapshot.dhcp is None:
        return None
    servers = custom_servers(snapshot.dhcp, snapshot)
    paths = [ways.way(subnet, server, 53, "udp") for server in servers]
    first = paths[0].blame if paths else None
    if first is not None and len(servers) == len(snapshot.dhcp.servers) and all(path.blame for path in paths):
        return _blamed(paths[0], first, ways.network)  # a lookup fails only when every server does
    nobody = next((one for one in beside if one.code == "DHCP_WITHOUT_AMAZON_DNS"), None)
    return _found(nobody) if nobody and not snapshot.dhcp.servers else None


def _way(subnet: str, silent: Iterable[Attempt], ways: Ways) -> _Why | None:
    """Of the addresses that stay silent the one whose way explains it best."""
    paths = [ways.way(subnet, one.address, one.port) for one in silent]
    for state in ("closed", "partial", "unknown", "open"):
        path = next((one for one in paths if one.state == state), None)
        if path is None:
            continue
        blame = path.blame or next(iter(path.narrowed), None)
        if blame is not None:
            return _blamed(path, blame, ways.network)
        to = f"{path.address} port {path.port}"
        if state == "unknown":
            why = "; ".join(path.knowledge_ends)
            said = f"{to} does not answer; nothing in the VPC's configuration closes the way, which leads through {why}"
            one = PATH_UNKNOWN.found(said, {"why": list(path.knowledge_ends), "address": path.address})
            return _found(one, path)
        said = f"{to} does not answer, and the configuration is open both ways: {' -> '.join(path.elements)}"
        one = CONFIG_ALLOWS_BUT_NO_REPLY.found(said, {"address": path.address, "elements": list(path.elements)})
        return _found(one, path)
    return None


def _blamed(path: Path, blame: Blame, network: Network) -> _Why:
    said = FINDINGS[blame.code].found(blame.said, blame.evidence, commands(network, blame.code, blame.evidence))
    return _found(said, path)._replace(key=(blame.element,))


def _found(one: Finding, way: Path | None = None) -> _Why:
    return _Why((), one.code, one.summary, one.remedy, one.evidence, way)


def _differs(held: Sequence[tuple[str, Result, _Why]], well: Sequence[tuple[str, Result]], ways: Ways) -> Iterator[str]:
    """What the failing subnet's way has and a healthy one's has not, for the same address where there is one."""
    if not well:
        return
    bad, result, why = held[0]
    attempts = result.attempts or well[0][1].attempts
    if not attempts:
        return
    to, port = (why.way.address, why.way.port) if why.way else (attempts[0].address, attempts[0].port)
    one = ways.way(bad, to, port)
    for good, _ in well:
        other = ways.way(good, to, port)
        mine = [name for name in one.elements if name not in other.elements]
        theirs = [name for name in other.elements if name not in one.elements]
        if one.state == "closed":  # it ends there, and the other's goes on
            theirs = theirs[: max(len(mine), 1)]
        if mine or theirs:
            ours, others = ", ".join(mine) or "nothing else", ", ".join(theirs) or "nothing else"
            yield f"{bad} goes by {ours}; {good}, which works, by {others}"
        return
