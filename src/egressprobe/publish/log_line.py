"""The properties of a target's line in the log."""

from typing import Any

from egressprobe.model.report import Report, Result
from egressprobe.model.target import Verdict
from egressprobe.publish.counting import failing, moves

_MAX_TEXT = 1000


def properties(report: Report, result: Result, *, counts: bool = True) -> dict[str, Any]:
    """What Logs Insights asks for: one query finds the failing target, its cause and its times.

    counts: whether its failure does (counting.py).
    """
    values: dict[str, Any] = {
        "runId": report.run_id,
        "Target": result.target.name,
        "kind": result.target.kind,
        "SubnetId": report.vantage.subnet_id,
        "availabilityZone": report.vantage.availability_zone,
        "verdict": result.verdict,
        "impact": result.impact,
        "code": result.failure.code if result.failure else None,
        "phase": result.failure.phase if result.failure else None,
        "cause": result.failure.message[:_MAX_TEXT] if result.failure else None,
        "apiServerError": ((result.failure.api_server_error or "")[:_MAX_TEXT] or None) if result.failure else None,
        "findings": [finding.code for finding in result.findings] or None,
        "callSeconds": result.forecast.seconds if result.forecast else None,
        "share": result.forecast.share if result.forecast else None,
        "dnsMs": max((r.ms for r in result.resolutions if r.view == "system"), default=None),
        "addresses": [attempt.address for attempt in result.attempts[:16]] or None,
        "durationMs": result.duration_ms,
        # Pods and nodes move: the stack's subscription filter has the Planner look where they are now.
        "discoveredAddresses": True if moves(result) else None,
    }
    if result.verdict is Verdict.FAIL and moves(result):
        values |= {"failing": list(failing(result)), "dialled": len(set(result.target.addresses)), "counted": counts}
    best = next((a for a in result.attempts if a.failure is None), None)
    if best:
        values |= {"connectMs": best.connect_ms, "exchangeMs": best.exchange_ms}
        values |= {"tlsMs": best.tls.duration_ms, "daysRemaining": best.tls.days_remaining} if best.tls else {}
    return {key: str(value) if isinstance(value, str) else value for key, value in values.items() if value is not None}
