"""The condition Available of an APIService: k8s.io/kube-aggregator remote_available_controller.go (1.35). Pure.

The controller and the proxy call the same pods in different ways: the check does not verify TLS and sends no
server name, the proxy verifies the caBundle and the name. So Available=True says nothing about requests. While the
condition is False the aggregator proxies nothing: every request gets 503 `service unavailable` at once
(kube-aggregator/pkg/apiserver/handler_proxy.go).

The outcome is ours where the check could be repeated; what the API server's own condition says, as discovery read it,
is beside it and decides where it is False.
"""

import re

from msgspec.structs import replace

from egressprobe.apiserver.authentication import refusal as refused_by
from egressprobe.apiserver.forecast import Prediction
from egressprobe.error_texts import services
from egressprobe.error_texts.network import CANCELED_CONNECTING, DEADLINE
from egressprobe.model.failure import NOT_MEASURED, Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Hop
from egressprobe.model.report import Availability, Forecast
from egressprobe.model.target import DEFAULT_KUBE_VERSION, LEAST_SHARE, CallRefusal, Kind, Target

CHECK_LIMIT = 5.0  # seconds, http.Client.Timeout of the controller's discovery client
UNAVAILABLE = services.UNAVAILABLE.text  # what every request gets meanwhile
# Go's texts for a check that its 5 s ended before it had a connection: either of the two, by chance.
CONNECTING_TIMED_OUT = (DEADLINE.text, CANCELED_CONNECTING.text)
_PICKS = 5  # checks at once, each of one endpoint picked at random; one success is enough
# Finding of a refused call -> reason of the condition. With an unusable caBundle the check, which does not verify,
# passes: `CA_BUNDLE_UNUSABLE` makes no condition False.
_REASONS = {
    "ADDRESS_NOT_ALLOWED": "FailedDiscoveryCheck",
    "SERVICE_NOT_FOUND": "ServiceNotFound",
    "SERVICE_PORT_NOT_FOUND": "ServicePortError",
    "SERVICE_TYPE_UNSUPPORTED": "FailedDiscoveryCheck",
    "SERVICE_WITHOUT_ENDPOINTS": "MissingEndpoints",
}
_NO_SLICES = re.compile(r"cannot find endpoint(s|slices) for ")
# kube-aggregator reads EndpointSlices since 1.33; before, its messages say `endpoints`.
_SLICES_SINCE = (1, 33)


def availability(
    hop: Hop | None, target: Target | None = None, kube_version: str = DEFAULT_KUBE_VERSION
) -> Availability | None:
    """The condition that the controller would set; None for other kinds of target.

    hop: the check, None where none was made. target: its own condition and refusal, where it has them.
    """
    if target is not None and target.refusal is not None and target.kind is Kind.AGGREGATED_API:
        return _refused(target, target.refusal, kube_version)
    if hop is None:
        return None
    known = [attempt for attempt in hop.attempts if not _unknown(attempt)]
    failed = [attempt for attempt in known if attempt.failure]
    good = (len(known) - len(failed)) / len(known) if known else 0.0
    share = round(1 - (1 - good) ** _PICKS, 4)
    condition = target.condition if target else None
    if not known or (not good and len(known) < len(hop.attempts)):
        first = next((a.failure for a in hop.attempts if a.failure), None)
        error = first.message if first else None
        return Availability("unknown", None, 0.0, error, hop.url, hop.attempts, condition)
    error = failed[0].failure.api_server_error if failed and failed[0].failure else None
    if share >= LEAST_SHARE:
        return Availability("pass", "Passed", share, None, hop.url, hop.attempts, condition)
    others = _alternatives(error or "")
    return Availability("fail", "FailedDiscoveryCheck", share, error, hop.url, hop.attempts, condition, others)


def _alternatives(error: str) -> tuple[str, ...]:
    """The message with the other text of a check that timed out while it connected."""
    for text, other in (CONNECTING_TIMED_OUT, CONNECTING_TIMED_OUT[::-1]):
        if error.endswith(f": {text}"):
            return (error.removesuffix(text) + other,)
    return ()


def unavailable(available: Availability | None) -> bool:
    """Whether requests get 503 at once: the check fails, or the API server itself says that it does."""
    if available is None:
        return False
    return available.outcome == "fail" or (available.condition is not None and available.condition.status == "False")


def proxied(prediction: Prediction | None, available: Availability | None) -> Prediction | None:
    """The prediction for a request: 503 at once while the APIService is not Available, whatever the path is like."""
    if available is None or not unavailable(available):
        return prediction
    failure = prediction.failure if prediction and prediction.forecast.outcome == "fail" else None
    failure = failure or next((attempt.failure for attempt in available.attempts if attempt.failure), None)
    condition = available.condition
    if available.outcome != "fail" and condition is not None:
        since = f" since {condition.since}" if condition.since else ""
        message = f"the API server reports Available=False{since} ({condition.reason}): {condition.message}"
        failure = Failure(Phase.HTTP, Code.APISERVICE_UNAVAILABLE, message)
    elif failure is not None:
        failure = replace(failure, message=f"the APIService is not Available: {failure.message}")
    else:
        failure = Failure(
            Phase.HTTP, Code.APISERVICE_UNAVAILABLE, f"the APIService is not Available: {available.error}"
        )
    answer = Forecast(outcome="fail", seconds=0.0, error=UNAVAILABLE, share=0.0)
    return Prediction(answer, replace(failure, api_server_error=UNAVAILABLE))


def _refused(target: Target, refusal: CallRefusal, kube_version: str) -> Availability | None:
    """The condition where the controller finds no endpoint: nothing is called."""
    reason = _REASONS.get(refusal.finding)
    if reason is None:
        return None
    message = refusal.error
    if reason == "MissingEndpoints":
        if _NO_SLICES.match(message):
            reason = "EndpointsNotFound"
        kind = "endpointslices" if tuple(map(int, kube_version.split("."))) >= _SLICES_SINCE else "endpoints"
        message = re.sub(r"^(cannot find )?endpoint(s|slices) for ", rf"\g<1>{kind} for ", message)
    return Availability("fail", reason, 0.0, message, "", (), target.condition)


def _unknown(attempt: Attempt) -> bool:
    """Not measured, or refused for lack of the front-proxy certificate: what the API server would get is unknown."""
    unmeasured = attempt.failure is not None and attempt.failure.code in NOT_MEASURED
    return unmeasured or refused_by(Kind.AGGREGATED_API, attempt) is not None
