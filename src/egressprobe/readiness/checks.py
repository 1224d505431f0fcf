"""The prerequisites of the switch, one by one, and the five steps of its verification. Pure.

Each names the page of the EKS user guide that asks for it. A check is met on evidence only: of the configuration, or of
probes that passed where the configuration does not show it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from egressprobe.audit.result import Audit
from egressprobe.catalog.findings_vpc_config import (
    DHCP_CHANGED_RECENTLY,
    DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE,
    DHCP_WITHOUT_AMAZON_DNS,
    DNS_FIREWALL_BLOCKS,
    SUBNET_ADDRESSES_LOW,
    VPC_DNS_HOSTNAMES_OFF,
    VPC_DNS_SUPPORT_OFF,
)
from egressprobe.model.report import Finding
from egressprobe.model.target import Kind, Verdict
from egressprobe.readiness.decision import MANAGED, ROUTED
from egressprobe.readiness.matrix import ProbeRound, fails
from egressprobe.readiness.path_checks import NOT_DISCOVERED, PathEvidence, path_checks
from egressprobe.readiness.result import CheckState, ClusterState, MatrixRow, SwitchCheck

_GUIDE = "https://docs.aws.amazon.com/eks/latest/userguide"
EGRESS = f"{_GUIDE}/control-plane-egress.html"
PREREQUISITES = f"{EGRESS}#control-plane-egress-prerequisites"
NETWORK = f"{_GUIDE}/network-reqs.html"
VERIFY = f"{EGRESS}#control-plane-egress-verify"
UPDATE = f"{EGRESS}#control-plane-egress-update"
UNKNOWN, _INCOMPLETE = "unknown", "discovery is incomplete"
# network-reqs, "Subnet requirements": at least 6 addresses in each subnet, 16 recommended.
_FREE_NEEDED = 6
MET, NOT_MET, NOT_KNOWN = CheckState.MET, CheckState.NOT_MET, CheckState.UNKNOWN


class CheckInput(NamedTuple):
    """audit: None where it failed, and audit_error says why. discovered: whether discovery was complete."""

    cluster: ClusterState
    rows: Sequence[MatrixRow]
    rounds: Sequence[ProbeRound]
    audit: Audit | None
    audit_error: str = ""
    discovered: bool = True


def prerequisites(given: CheckInput) -> tuple[SwitchCheck, ...]:
    """In the order in which they are shown."""
    paths = PathEvidence(given.cluster, given.rows, given.audit, given.audit_error, given.discovered)
    return (
        _active(given.cluster),
        _no_update(given.cluster),
        _mode(given.cluster),
        _zones(given),
        _free_addresses(given),
        *path_checks(paths, PREREQUISITES, f"{EGRESS}#control-plane-egress-ipv6"),
        _dhcp(given),
        _attribute(given, "dns-support", "DNS resolution is on (enableDnsSupport)", VPC_DNS_SUPPORT_OFF.code),
        _attribute(given, "dns-hostnames", "DNS hostnames are on (enableDnsHostnames)", VPC_DNS_HOSTNAMES_OFF.code),
        _public_names(given),
        *_endpoint(given.cluster),
    )


def verification(
    cluster: ClusterState, rows: Sequence[MatrixRow], *, expected_mode: str | None = None, discovered: bool = True
) -> tuple[SwitchCheck, ...]:
    """The steps of "Verify connectivity". expected_mode: after the switch; before it any known mode is as expected.

    discovered: whether discovery was complete: otherwise there may be webhooks and issuers that have no row.
    """
    wanted = (MANAGED, ROUTED) if expected_mode is None else (expected_mode,)
    state = MET if cluster.mode in wanted else NOT_KNOWN if cluster.mode in (UNKNOWN, "") else NOT_MET
    mode = f"it is {cluster.mode}" + (f", not {expected_mode}" if state is NOT_MET and expected_mode else "")
    active = _active(cluster)
    steps = (
        _of_kind(rows, Kind.WEBHOOK, "verify-webhooks", "Webhooks", "webhooks answer; no object was created"),
        _of_kind(rows, Kind.KUBELET, "verify-nodes", "Nodes", "kubelets answer; no new node was launched"),
        _of_kind(rows, Kind.OIDC, "verify-oidc", "OIDC issuers", "issuers answer; no pod assumed its IAM role"),
    )
    return (
        _step("verify-mode", "Egress mode", state, mode),
        _step("verify-status", "Cluster status", active.state, active.summary),
        *(steps if discovered else map(_of_some, steps)),
    )


def _of_some(step: SwitchCheck) -> SwitchCheck:
    """What the targets that an incomplete discovery knows meet is not known of all."""
    return step if step.state is not MET else _step(step.id, step.title, NOT_KNOWN, f"{step.summary}; {_INCOMPLETE}")


def _step(name: str, title: str, state: CheckState, summary: str) -> SwitchCheck:
    return SwitchCheck(name, title, state, summary, source=VERIFY, part="verification")


def _of_kind(rows: Sequence[MatrixRow], kind: Kind, name: str, title: str, passing: str) -> SwitchCheck:
    mine = [row for row in rows if row.target.kind is kind]
    failing = [row.target.name for row in mine if any(map(fails, row.cells))]
    unknown = [row.target.name for row in mine if row.verdict is Verdict.UNKNOWN]
    if failing:
        return _step(name, title, NOT_MET, f"{_some(failing)} fail{'s' if len(failing) == 1 else ''}")
    if unknown:
        return _step(name, title, NOT_KNOWN, f"{_some(unknown)}: not measured")
    if not mine:
        state = NOT_KNOWN if kind is Kind.KUBELET else MET
        return _step(name, title, state, "discovery knows none")
    return _step(name, title, MET, f"all {len(mine)} {passing}")


def _active(cluster: ClusterState) -> SwitchCheck:
    state = NOT_KNOWN if not cluster.status else MET if cluster.status == "ACTIVE" else NOT_MET
    summary = f"it is {cluster.status}" if cluster.status else "EKS does not report its status"
    return SwitchCheck("cluster-active", "The cluster is ACTIVE", state, summary, source=VERIFY)


def _no_update(cluster: ClusterState) -> SwitchCheck:
    if cluster.update == UNKNOWN:
        state, summary = NOT_KNOWN, "; ".join(cluster.unread) or "its updates could not be read"
    elif cluster.update:
        state, summary = NOT_MET, f"the update {cluster.update} is in progress; wait until it has ended"
    else:
        state, summary = MET, "none is in progress"
    return SwitchCheck("no-update", "No update is in progress", state, summary, source=UPDATE)


def _mode(cluster: ClusterState) -> SwitchCheck:
    if cluster.mode == MANAGED:
        state, summary = MET, MANAGED
    elif cluster.mode == ROUTED:
        state, summary = MET, f"it is {ROUTED} already: the paths are judged as they are"
    else:
        state, summary = NOT_KNOWN, f"it is {cluster.mode or UNKNOWN}"
    return SwitchCheck(
        "egress-mode", "The egress mode is known", state, summary, source=f"{EGRESS}#control-plane-egress-modes"
    )


def _zones(given: CheckInput) -> SwitchCheck:
    subnets = given.cluster.subnets
    zones = {column.id: column.zone for column in given.audit.subnets} if given.audit else {}
    distinct = {zones.get(subnet, "") for subnet in subnets}
    summary = f"{len(subnets)} subnets in {len(distinct)} zones"
    if len(subnets) < 2:
        state = NOT_MET if subnets else NOT_KNOWN
        summary = f"it has {len(subnets)}"
    elif "" in distinct:
        state, summary = NOT_KNOWN, given.audit_error or "the zones of its subnets could not be read"
    else:
        state = MET if len(distinct) > 1 else NOT_MET
    return SwitchCheck("subnets", "Two subnets or more, in different zones", state, summary, source=NETWORK)


def _free_addresses(given: CheckInput) -> SwitchCheck:
    name, title = "free-addresses", "Free addresses in each subnet"
    if given.audit is None:
        return SwitchCheck(name, title, NOT_KNOWN, given.audit_error, source=NETWORK)
    low = {
        str(finding.evidence.get("subnet")): finding
        for finding in given.audit.findings
        if finding.code == SUBNET_ADDRESSES_LOW.code
    }
    unread = [column.id for column in given.audit.subnets if not column.zone]
    needed = [finding for finding in low.values() if int(finding.evidence.get("free", 0)) < _FREE_NEEDED]
    if needed:
        return _of_findings(name, title, NOT_MET, needed, NETWORK)
    if unread or not given.audit.subnets:
        words = f"{', '.join(unread) or 'the subnets'} could not be read"
        return SwitchCheck(name, title, NOT_KNOWN, words, source=NETWORK)
    if low:
        return _of_findings(name, title, MET, list(low.values()), NETWORK)
    return SwitchCheck(name, title, MET, "16 or more", source=NETWORK)


def _of_findings(name: str, title: str, state: CheckState, findings: Sequence[Finding], source: str) -> SwitchCheck:
    steps = findings[0].remedy_steps if len(findings) == 1 and state is not MET else None
    summary = "; ".join(dict.fromkeys(finding.summary for finding in findings))
    return SwitchCheck(name, title, state, summary, findings[0].code, source, steps or None)


def _dhcp(given: CheckInput) -> SwitchCheck:
    name, title = "dhcp-options", "The DHCP options name AmazonProvidedDNS"
    unknown = _unread(given, "dhcp")
    if unknown:
        return SwitchCheck(name, title, NOT_KNOWN, unknown, source=PREREQUISITES)
    codes = {
        DHCP_WITHOUT_AMAZON_DNS.code: NOT_MET,
        DHCP_OPTIONS_UNREADABLE_BY_CLUSTER_ROLE.code: NOT_KNOWN,
        DHCP_CHANGED_RECENTLY.code: NOT_KNOWN,
    }
    for code, state in codes.items():
        findings = [finding for finding in _findings(given) if finding.code == code]
        if findings:
            return _of_findings(name, title, state, findings, PREREQUISITES)
    return SwitchCheck(name, title, MET, "AmazonProvidedDNS is among the name servers", source=PREREQUISITES)


def _attribute(given: CheckInput, name: str, title: str, code: str) -> SwitchCheck:
    unknown = _unread(given, f"vpc.{name.replace('-', '_')}")
    if unknown:
        return SwitchCheck(name, title, NOT_KNOWN, unknown, source=NETWORK)
    findings = [finding for finding in _findings(given) if finding.code == code]
    if findings:
        return _of_findings(name, title, NOT_MET, findings, NETWORK)
    return SwitchCheck(name, title, MET, "it is on", source=NETWORK)


def _findings(given: CheckInput) -> tuple[Finding, ...]:
    return given.audit.findings if given.audit else ()


def _unread(given: CheckInput, part: str) -> str:
    """Why a part of the snapshot is not known; empty where it is. Rules name the parts that they could not read."""
    if given.audit is None:
        return given.audit_error or "the VPC's configuration was not audited"
    for finding in given.audit.findings:
        if part in finding.evidence.get("unread", ()):
            return finding.summary
    return ""


def _public_names(given: CheckInput) -> SwitchCheck:
    """Evidence is a lookup from each subnet: AWS asks for it where targets have public names."""
    name, title = "public-names", "Public names resolve from each subnet"

    def check(state: CheckState, summary: str) -> SwitchCheck:
        return SwitchCheck(name, title, state, summary, source=PREREQUISITES)

    wanted = [row for row in given.rows if row.switch_relevant and not row.advisory]
    hosts = {urlsplit(row.target.url).hostname for row in wanted}
    blocking = [
        finding
        for finding in _findings(given)
        if finding.code == DNS_FIREWALL_BLOCKS.code and finding.evidence.get("name") in hosts
    ]
    if blocking:
        return _of_findings(name, title, NOT_MET, blocking, PREREQUISITES)
    outcomes = _lookups(given.rounds, {row.target.name for row in given.rows if row.switch_relevant})
    needed = {name for of_subnet in outcomes.values() for name in of_subnet} & {row.target.name for row in wanted}
    subnets = given.cluster.subnets
    good = [subnet for subnet in subnets if any(outcomes.get(subnet, {}).values())]
    if subnets and len(good) == len(subnets):
        return check(MET, f"a name resolved from each of the {len(subnets)} subnets")
    if not wanted and not given.discovered:
        return check(NOT_KNOWN, NOT_DISCOVERED)
    if not wanted:
        return check(MET, "no target on the switched path needs one")
    bad = [subnet for subnet in subnets if needed & outcomes.get(subnet, {}).keys() and subnet not in good]
    if bad:
        return check(NOT_MET, f"no name resolved from {', '.join(bad)}")
    if given.rounds and all(probed.joined for probed in given.rounds) and not needed and not _some_unreported(given):
        return check(MET, "no target on the switched path has a name to resolve")
    missing = [subnet for subnet in subnets if subnet not in good]
    return check(NOT_KNOWN, f"no lookup was seen from {', '.join(missing) or 'the subnets'}")


def _some_unreported(given: CheckInput) -> bool:
    """Whether a subnet of the cluster has no result at all."""
    seen = {
        report.vantage.subnet_id
        for probed in given.rounds
        if probed.joined
        for report in probed.joined.reports
        if report.results
    }
    return not set(given.cluster.subnets) <= seen


def _lookups(rounds: Sequence[ProbeRound], names: Iterable[str]) -> Mapping[str, dict[str, bool]]:
    """Subnet -> target -> whether its name resolved in every round; only those that were asked of name servers."""
    wanted, outcomes = set(names), dict[str, dict[str, bool]]()
    for probed in rounds:
        for report in probed.joined.reports if probed.joined else ():
            of_subnet = outcomes.setdefault(report.vantage.subnet_id or "", {})
            for result in report.results:
                lookups = [
                    lookup for lookup in result.resolutions if lookup.origin == "dns" and lookup.view == "system"
                ]
                if result.target.name in wanted and lookups:
                    resolved = all(lookup.addresses and lookup.failure is None for lookup in lookups)
                    of_subnet[result.target.name] = of_subnet.get(result.target.name, True) and resolved
    return outcomes


def _endpoint(cluster: ClusterState) -> Iterator[SwitchCheck]:
    """Where the private endpoint is off, nodes use the same egress device: worth knowing, not required."""
    if cluster.private_access is False:
        summary = "off: nodes reach the API server's public address, by the VPC's egress path as well"
        source = f"{_GUIDE}/cluster-endpoint.html"
        yield SwitchCheck("private-endpoint", "The private endpoint", MET, summary, source=source)


def _some(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
