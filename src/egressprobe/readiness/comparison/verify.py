"""`verify`: a preflight now, compared with the baseline, and AWS's five steps of the verification.

https://docs.aws.amazon.com/eks/latest/userguide/control-plane-egress.html, "Verify connectivity"
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from egressprobe.model.report import worst
from egressprobe.model.target import Kind, Verdict
from egressprobe.readiness.comparison.compare import compare
from egressprobe.readiness.result import CheckState, Difference, Preflight, SwitchCheck, Trend

# The steps that repeat what the targets of a kind say; their ids are preflight's.
_KINDS: Mapping[str, Kind] = {
    "verify-webhooks": Kind.WEBHOOK,
    "verify-nodes": Kind.KUBELET,
    "verify-oidc": Kind.OIDC,
}
_CONCERNS = frozenset({Trend.WORSE, Trend.NEW, Trend.UNKNOWN})


def verified(baseline: Preflight, now: Preflight, steps: Sequence[SwitchCheck], *, origin: str) -> Difference:
    """steps: those of the verification, with CUSTOMER_ROUTED expected. origin: the file of the baseline.

    A step that is not met for what failed before the switch as well degrades the verdict: it is not worse.
    """
    difference = compare(baseline, now, origins=(origin, "now"))
    judged = [_judged(step, difference, baseline, now) for step in steps]
    return replace(
        difference,
        verdict=worst([difference.verdict, *(verdict for _, verdict in judged)] if judged else [Verdict.UNKNOWN]),
        checks=(*(step for step, _ in judged), *difference.checks),
        causes=difference.causes or now.causes,
        now=now,
    )


def _judged(
    step: SwitchCheck, difference: Difference, baseline: Preflight, now: Preflight
) -> tuple[SwitchCheck, Verdict]:
    kind = _KINDS.get(step.id)
    if step.state is CheckState.MET:
        return step, Verdict.PASS
    if step.state is CheckState.UNKNOWN:
        # A cluster without nodes of its own (Fargate) had none before.
        none_in_both = kind is not None and not _has(baseline, kind) and not _has(now, kind)
        return step, Verdict.PASS if none_in_both else Verdict.UNKNOWN
    if kind is None or any(entry.kind == kind and entry.trend in _CONCERNS for entry in difference.differences):
        return step, Verdict.FAIL
    return replace(step, summary=f"{step.summary}, as before the switch"), Verdict.DEGRADED


def _has(report: Preflight, kind: Kind) -> bool:
    return any(row.target.kind is kind for row in report.rows)
