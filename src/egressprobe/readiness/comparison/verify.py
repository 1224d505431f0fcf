"""`verify`: a preflight now, compared with the baseline, and AWS's five steps of the verification.

https://docs.aws.amazon.com/eks/latest/userguide/control-plane-egress.html, "Verify connectivity"
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from egressprobe.model.report import worst
from egressprobe.model.target import Kind, Verdict
from egressprobe.readiness.comparison.compare import compare
from egressprobe.readiness.matrix import fails
from egressprobe.readiness.result import LOCAL, CheckState, Difference, Preflight, SwitchCheck, Trend

# The steps that repeat what the targets of a kind say; their ids are preflight's.
_KINDS: Mapping[str, Kind] = {
    "verify-webhooks": Kind.WEBHOOK,
    "verify-nodes": Kind.KUBELET,
    "verify-oidc": Kind.OIDC,
}
_MOST_NAMED = 5
_CONCERNS = frozenset({Trend.WORSE, Trend.NEW, Trend.UNKNOWN})


def verified(baseline: Preflight, now: Preflight, steps: Sequence[SwitchCheck], *, origin: str) -> Difference:
    """steps: those of the verification, with CUSTOMER_ROUTED expected. origin: the file of the baseline.

    A step that is not met for what failed before the switch as well degrades the verdict: it is not worse.
    """
    difference = compare(baseline, now, origins=(origin, "now"))
    judged = [_judged(step, difference, baseline, now) for step in steps]
    judged += [(step, Verdict.DEGRADED) for step in _others_failing(now, difference)]
    verdicts = [difference.verdict, *(verdict for _, verdict in judged)] if steps else [Verdict.UNKNOWN]
    not_compared = difference.not_compared
    if now.probed_from == LOCAL:
        verdicts.append(Verdict.UNKNOWN)
        not_compared = (*not_compared, "now: the probes ran on this computer, not in the cluster's subnets")
    return replace(
        difference,
        verdict=worst(verdicts),
        not_compared=not_compared,
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


def _others_failing(now: Preflight, difference: Difference) -> Iterator[SwitchCheck]:
    """Targets that no step is about, as aggregated APIs: one that fails as before is not worse, and no all-clear."""
    listed = {entry.target for entry in difference.differences if entry.trend in _CONCERNS}
    names = [
        row.target.name
        for row in now.rows
        if row.target.kind not in _KINDS.values() and row.target.name not in listed and any(map(fails, row.cells))
    ]
    if names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        summary = f"{', '.join(names[:_MOST_NAMED])}{more}: failing, as before the switch"
        yield SwitchCheck("verify-others", "Other targets", CheckState.NOT_MET, summary, part="verification")


def _has(report: Preflight, kind: Kind) -> bool:
    return any(row.target.kind is kind for row in report.rows)
