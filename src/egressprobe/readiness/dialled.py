"""The audit of the addresses that the probes dialled, where it had others: names may resolve otherwise in the VPC, in a
private zone only there, and an issuer's key set may be at another host. Pure.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from egressprobe.audit.result import Audit
from egressprobe.model.report import view
from egressprobe.model.target import Endpoint, Expect, Target
from egressprobe.readiness.matrix import ProbeRound, moves

# Of one name behind a large pool of addresses.
_MOST_ADDRESSES = 50


def by_dialled_addresses(
    targets: Sequence[Target], rounds: Sequence[ProbeRound], audit: Audit
) -> tuple[Target, ...] | None:
    """The targets with what was dialled as their addresses; None where the audit has these addresses already."""
    dialled: dict[str, dict[tuple[str, int], Endpoint]] = {}
    for probed in rounds:
        for report in probed.joined.reports if probed.joined else ():
            for result in report.results:
                places = dialled.setdefault(result.target.name, {})
                for attempt in result.attempts:
                    places.setdefault((attempt.address, attempt.port), Endpoint(attempt.address, attempt.port))
    audited: dict[str, set[tuple[str, int]]] = {}
    for row in audit.rows:
        audited.setdefault(row.target.name, set()).update((text, row.target.port) for text in row.target.addresses)
    changed = {
        target.name: tuple(places.values())[:_MOST_ADDRESSES]
        for target in targets
        if moves(view(target)) and target.expect is Expect.REACHABLE and target.service is None
        if (places := dialled.get(target.name, {})) and not places.keys() <= audited.get(target.name, set())
    }
    if not changed:
        return None
    return tuple(
        replace(target, endpoints=changed[target.name]) if target.name in changed else target for target in targets
    )


def with_findings_on_names(audit: Audit, first: Audit) -> Audit:
    """The audit of addresses, with what the first one found on names."""
    known = {(finding.code, finding.summary) for finding in audit.findings}
    on_names = [
        finding
        for finding in first.findings
        if finding.evidence.get("name") and (finding.code, finding.summary) not in known
    ]
    return replace(audit, findings=(*audit.findings, *on_names))
