"""From measurements and forecasts to verdicts, with what a person should know beside them.

Rules:
- `fail`: fewer than two thirds of the equally likely calls pass. `unknown`: we could not measure.
- `degraded`: it passes, but not always, not fast, or not for long; each reason is a finding.
- The verdict follows the share, not the one order seen: it does not change when DNS rotates.
- A target that must be blocked passes only while something else can be reached from the same place.
- A server that refuses only for lack of the API server's own credentials is reached: no failure, and a finding.
- From a place where the control plane is not, every verdict is unknown.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from egressprobe.apiserver.authentication import reached
from egressprobe.apiserver.availability import availability, proxied
from egressprobe.apiserver.client_rules import RULES
from egressprobe.apiserver.forecast import client_for, forecast
from egressprobe.apiserver.log_messages import sentence
from egressprobe.catalog.findings_cluster import CLUSTER_ISSUER_UNREACHABLE
from egressprobe.catalog.registry import FINDINGS
from egressprobe.model.failure import NOT_MEASURED, Code, Failure, Phase
from egressprobe.model.measurement import Measurement
from egressprobe.model.report import Finding, Forecast, Result, view
from egressprobe.model.target import LEAST_SHARE, Expect, FailurePolicy, Impact, Plan, Target, Verdict
from egressprobe.probe.diagnosis.blocked import blocked, connected, connected_by_name
from egressprobe.probe.diagnosis.interception import shared_issuers
from egressprobe.probe.diagnosis.rule_input import Case, Neighbours
from egressprobe.probe.diagnosis.rules import FINDING_RULES

_ROUNDING = 1e-9
_DELAY_SECONDS = 1.0  # a fail-open call that fails slower than this delays every request


def judge(plan: Plan, measured: Mapping[str, Measurement]) -> tuple[Result, ...]:
    """Forecast and diagnose every target, in the plan's order. measured: by target name."""
    reachable = [target.name for target in plan.targets if target.expect is Expect.REACHABLE]
    connecting = {name for name in reachable if connected(measured[name].hops)}
    by_name = {name for name in connecting if connected_by_name(measured[name].hops)}
    issuers = shared_issuers((target, measured[target.name]) for target in plan.targets)
    results = []
    for target in plan.targets:
        measurement, refusing = reached(target, measured[target.name])
        client = client_for(target, plan.sources, ipv6_expected=plan.ip_family == "ipv6")
        others = Neighbours(
            control=bool(connecting - {target.name}),
            control_by_name=bool(by_name - {target.name}),
            issuers=issuers,
            misplaced=plan.misplaced is not None,
        )
        available = availability(measurement.availability, target, plan.kube_version)
        prediction = proxied(forecast(measurement, client), available)
        results.append(result(Case(target, measurement, prediction, client, others, available, refusing)))
    return tuple(results)


def result(case: Case) -> Result:
    """One target's answer."""
    target, measured, available = case.target, case.measured, case.available
    predicted = case.forecast
    if target.expect is Expect.BLOCKED:
        verdict, failure, findings = blocked(target, measured, case.others)
        predicted = None
    else:
        findings = tuple(finding for rule in FINDING_RULES for finding in rule(case))
        verdict = _verdict(predicted, findings)
        failure = _failure(case)
        if target.advisory and verdict is Verdict.FAIL:
            verdict, findings = Verdict.DEGRADED, (*findings, _warning(target, failure))
    return Result(
        target=view(target),
        verdict=Verdict.UNKNOWN if case.others.misplaced else verdict,
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
        authentication="not checked" if case.refusing else None,
    )


def _warning(target: Target, failure: Failure | None) -> Finding:
    """A prerequisite on which nothing in the cluster depends: no alarm, and no NO-GO."""
    why = failure.message if failure else "it cannot be called"
    evidence = {"url": target.url, "code": str(failure.code) if failure else None}
    return CLUSTER_ISSUER_UNREACHABLE.found(f"{target.host} fails, which stops nothing by itself: {why}", evidence)


def _rounded(predicted: Forecast | None) -> Forecast | None:
    if predicted is None:
        return None
    return replace(predicted, share=round(predicted.share, 4), share_unknown=round(predicted.share_unknown, 4))


def _verdict(predicted: Forecast | None, findings: tuple[Finding, ...]) -> Verdict:
    if predicted is None:
        return Verdict.UNKNOWN
    if predicted.share + predicted.share_unknown < LEAST_SHARE - _ROUNDING:
        return Verdict.FAIL
    if predicted.share_unknown:
        return Verdict.UNKNOWN
    if predicted.share < 1 or any(FINDINGS[finding.code].degrades for finding in findings):
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


def _failure(case: Case) -> Failure | None:
    """The one failure to show: of our own, or of the call that fails, in kube-apiserver's words."""
    measured, prediction = case.measured, case.prediction
    if prediction is None:
        return measured.failure or _unmeasured(measured)
    cause = prediction.failure
    if cause is None:
        return None
    hop = measured.hops[-1] if prediction.forecast.outcome == "fail" else measured.hops[0]
    error = cause.api_server_error
    text = sentence(case.target, hop, cause.code, error) if error else None
    if hop.role == "jwks" and cause.code is not Code.OIDC_JWKS_INVALID:
        message = f"discovery works, but the JWKS at {hop.host} cannot be fetched: {cause.message}"
        return Failure(cause.phase, Code.OIDC_JWKS_UNREACHABLE, message, text)
    return replace(cause, api_server_error=text)


def _unmeasured(measured: Measurement) -> Failure:
    """Why there is no forecast: the first thing that was not measured."""
    for hop in measured.hops:
        parts = (hop.resolution, *hop.attempts, hop)
        for part in parts:
            failure = part.failure if part else None
            if failure is not None and failure.code in NOT_MEASURED:
                return failure
    failed = next((a.failure for hop in measured.hops for a in hop.attempts if a.failure), None)
    message = "not everything that decides the outcome could be measured from here"
    return Failure(failed.phase if failed else Phase.RESOLVE, Code.DEADLINE_EXCEEDED, message)
