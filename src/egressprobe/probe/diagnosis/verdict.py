"""From measurement and forecast to a verdict, with what a person should know beside it.

Rules:
- `fail`: fewer than two thirds of the equally likely calls pass. `unknown`: we could not measure.
- `degraded`: it passes, but not always, not fast, or not for long; each reason is a finding.
- The verdict follows the share, not the one order seen: it does not flap when DNS rotates.
- A target that must be blocked passes only while something else works from the same place.
"""

from collections.abc import Iterable

from msgspec import UNSET
from msgspec.structs import replace

from egressprobe.apiserver.availability import availability
from egressprobe.apiserver.client_rules import RULES
from egressprobe.apiserver.forecast import Client
from egressprobe.apiserver.log_messages import sentence
from egressprobe.catalog.findings_cluster import CLUSTER_ISSUER_UNREACHABLE
from egressprobe.catalog.findings_probe import NO_POSITIVE_CONTROL
from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.failure import HANDSHAKE_CUT, NOT_MEASURED, Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Hop, Measurement
from egressprobe.model.report import Availability, Finding, Forecast, Result, view
from egressprobe.model.target import Expect, FailurePolicy, Impact, Target, Verdict
from egressprobe.probe.diagnosis.rule_input import Case, Neighbours
from egressprobe.probe.diagnosis.rules import FINDING_RULES

LEAST_SHARE = 2 / 3  # a fail-closed webhook that fails every third call is an outage
_DELAY_SECONDS = 1.0  # a fail-open call that fails slower than this delays every request


def result(
    target: Target, measured: Measurement, predicted: Forecast | None, client: Client, others: Neighbours
) -> Result:
    """One target's answer."""
    available = availability(measured.availability)
    if target.expect is Expect.BLOCKED:
        verdict, failure, findings = _blocked(target, measured, control=others.control)
        predicted = None
    else:
        case = Case(target, measured, predicted, client, others, available)
        findings = tuple(found for rule in FINDING_RULES for found in rule(case))
        verdict = _verdict(predicted, findings)
        failure = _failure(target, measured, predicted)
        if available is not None and available.outcome == "fail" and verdict is not Verdict.FAIL:
            verdict, failure = Verdict.FAIL, _unavailable(available) or failure
        if target.advisory and verdict is Verdict.FAIL:
            verdict, findings = Verdict.DEGRADED, (*findings, _warning(target, failure))
    return Result(
        target=view(target),
        verdict=verdict,
        impact=_impact(target, predicted),
        switch_relevant=RULES[target.kind].switch_relevant and target.service is None,
        failure=failure,
        forecast=_rounded(predicted),
        resolutions=(*(h.resolution for h in measured.hops if h.resolution), *measured.views),
        attempts=tuple(attempt for hop in measured.hops for attempt in hop.attempts),
        http=tuple(hop.http for hop in measured.hops if hop.http),
        findings=findings,
        duration_ms=measured.duration_ms,
        availability=available,
    )


def _warning(target: Target, failure: Failure | None) -> Finding:
    """A prerequisite that nothing in the cluster waits for: it pages nobody and gates no switch."""
    why = failure.message if failure else "it cannot be called"
    evidence = {"url": target.url, "code": str(failure.code) if failure else None}
    return CLUSTER_ISSUER_UNREACHABLE.found(f"{target.host} fails, which stops nothing by itself: {why}", evidence)


def _unavailable(available: Availability) -> Failure | None:
    """Requests could be proxied, but the API server does not send any to an APIService that is not Available."""
    failure = next((attempt.failure for attempt in available.attempts if attempt.failure), None)
    return replace(failure, message=f"the APIService is not Available: {failure.message}") if failure else None


def _rounded(predicted: Forecast | None) -> Forecast | None:
    if predicted is None:
        return None
    return replace(
        predicted,
        share=round(predicted.share, 4),
        share_unknown=round(predicted.share_unknown, 4),
        failure=UNSET,
    )


def _verdict(predicted: Forecast | None, findings: tuple[Finding, ...]) -> Verdict:
    if predicted is None:
        return Verdict.UNKNOWN
    if predicted.share + predicted.share_unknown < LEAST_SHARE - 1e-9:
        return Verdict.FAIL
    if predicted.share_unknown:
        return Verdict.UNKNOWN
    if predicted.share < 1 or any(FINDINGS[found.code].degrades for found in findings):
        return Verdict.DEGRADED
    return Verdict.PASS


def _impact(target: Target, predicted: Forecast | None) -> Impact:
    """What breaks in the cluster while this target fails."""
    if target.impact is not None:
        return target.impact
    if target.failure_policy is FailurePolicy.IGNORE:
        slow = predicted is not None and predicted.outcome == "fail" and predicted.seconds >= _DELAY_SECONDS
        return Impact.DELAYS if slow else Impact.BYPASSES
    return RULES[target.kind].impact


def _failure(target: Target, measured: Measurement, predicted: Forecast | None) -> Failure | None:
    """The one failure to show: of our own, or of the call that fails, in kube-apiserver's words."""
    if predicted is None:
        return measured.failure or _unmeasured(measured)
    cause = predicted.failure
    if not cause:
        return None
    hop = measured.hops[-1] if predicted.outcome == "fail" else measured.hops[0]
    error = cause.api_server_error
    said = sentence(target, hop, cause.code, error) if error else None
    if hop.role == "jwks" and cause.code is not Code.OIDC_JWKS_INVALID:
        message = f"discovery works, the key set at {hop.host} cannot be had: {cause.message}"
        return Failure(cause.phase, Code.OIDC_JWKS_UNREACHABLE, message, said)
    return replace(cause, api_server_error=said)


def _unmeasured(measured: Measurement) -> Failure:
    """Why there is no forecast: the first thing that was not measured."""
    for hop in measured.hops:
        parts = (hop.resolution, *hop.attempts, hop)
        for part in parts:
            failure = part.failure if part else None
            if failure is not None and failure.code in NOT_MEASURED:
                return failure
    dead = next((a.failure for hop in measured.hops for a in hop.attempts if a.failure), None)
    said = "not everything that decides could be measured from here"
    return Failure(dead.phase if dead else Phase.RESOLVE, Code.DEADLINE_EXCEEDED, said)


def connected(hops: Iterable[Hop]) -> bool:
    """Whether any address took a TCP connection: what proves that this vantage reaches something."""
    return any(attempt.connect_ms is not None for hop in hops for attempt in hop.attempts)


def _blocked(
    target: Target, measured: Measurement, *, control: bool
) -> tuple[Verdict, Failure | None, tuple[Finding, ...]]:
    attempts = [attempt for hop in measured.hops for attempt in hop.attempts]
    reached = [attempt for attempt in attempts if _reached(attempt)]
    if reached:
        where = ", ".join(f"{a.address}:{a.port}" for a in reached)
        said = f"{target.host} must be blocked and can be reached at {where}"
        return Verdict.FAIL, Failure(Phase.CONNECT, Code.BLOCKED_TARGET_REACHED, said), ()
    failures = [attempt.failure for attempt in attempts if attempt.failure]
    if not failures or any(failure.code in NOT_MEASURED for failure in failures):
        resolution = measured.hops[0].resolution if measured.hops else None
        return Verdict.UNKNOWN, measured.failure or (resolution.failure if resolution else None), ()
    if measured.control is not None:
        control = connected([measured.control])
    if control:
        return Verdict.PASS, None, ()
    said = f"{target.host} looks blocked, but nothing shows that this vantage reaches anything at all"
    return Verdict.UNKNOWN, failures[0], (NO_POSITIVE_CONTROL.found(said, {"control": target.control}),)


def _reached(attempt: Attempt) -> bool:
    if attempt.connect_ms is None:
        return False
    return attempt.failure is None or attempt.failure.code not in HANDSHAKE_CUT
