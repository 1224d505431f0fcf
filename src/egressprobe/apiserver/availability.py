"""The condition Available of an APIService: k8s.io/kube-aggregator remote_available_controller.go. Pure.

The controller and the proxy call the same pods in different ways: the check does not verify TLS and sends no
server name, the proxy verifies the caBundle and the name. So Available=True says nothing about requests.
"""

from egressprobe.model.failure import NOT_MEASURED, Code
from egressprobe.model.measurement import Attempt, Hop
from egressprobe.model.report import Availability

CHECK_LIMIT = 5.0  # seconds, http.Client.Timeout of the controller's discovery client
_PICKS = 5  # checks at once, each of one endpoint picked at random; one success is enough
_LEAST_SHARE = 2 / 3
# Our request is anonymous; the API server's carries its front-proxy certificate. What it would get is unknown.
_REFUSED = frozenset({401, 403})


def availability(hop: Hop | None) -> Availability | None:
    """The condition that the controller would set; None for other kinds of target."""
    if hop is None:
        return None
    known = [attempt for attempt in hop.attempts if not _unknown(attempt)]
    failed = [attempt for attempt in known if attempt.failure]
    good = (len(known) - len(failed)) / len(known) if known else 0.0
    share = round(1 - (1 - good) ** _PICKS, 4)
    if not known or (not good and len(known) < len(hop.attempts)):
        first = next((a.failure for a in hop.attempts if a.failure), None)
        return Availability("unknown", None, 0.0, first.message if first else None, hop.url, hop.attempts)
    error = failed[0].failure.api_server_error if failed and failed[0].failure else None
    if share >= _LEAST_SHARE:
        return Availability("pass", "Passed", share, None, hop.url, hop.attempts)
    return Availability("fail", "FailedDiscoveryCheck", share, error, hop.url, hop.attempts)


def _unknown(attempt: Attempt) -> bool:
    failure = attempt.failure
    if failure is None:
        return False
    return failure.code in NOT_MEASURED or (failure.code is Code.HTTP_STATUS and attempt.exchange_status in _REFUSED)
