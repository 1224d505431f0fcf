"""Calls that the API server fails before it connects: no endpoint behind the Service, or an unusable caBundle. Pure.

Sources: k8s.io/apiserver/pkg/util/proxy/proxy.go ResolveEndpoint, pkg/util/webhook/client.go and
pkg/admission/plugin/webhook/validating/dispatcher.go.
"""

from egressprobe.error_texts import calls
from egressprobe.error_texts.http import STATUS_TEXTS
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Hop
from egressprobe.model.target import CallRefusal, Target

# Finding -> phase and code of the failure.
REFUSALS: dict[str, tuple[Phase, Code]] = {
    "CA_BUNDLE_UNUSABLE": (Phase.TLS, Code.CA_BUNDLE_INVALID),
    "ADDRESS_NOT_ALLOWED": (Phase.CONNECT, Code.SERVICE_UNRESOLVED),
    "SERVICE_IS_THE_API_SERVER": (Phase.HTTP, Code.HTTP_STATUS),
    "SERVICE_NOT_FOUND": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
    "SERVICE_PORT_NOT_FOUND": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
    "SERVICE_TYPE_UNSUPPORTED": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
    "SERVICE_WITHOUT_ENDPOINTS": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
    "URL_PORT_INVALID": (Phase.CONNECT, Code.TARGET_INVALID),
}
NO_CLIENT = calls.NO_CLIENT.of(problem="")
# The API server's answer to its own call of itself: a response, not a network error.
NOT_FOUND = STATUS_TEXTS[404]
NO_CONVERTER = calls.NO_CONVERTER.text


def refused(target: Target, refusal: CallRefusal) -> Hop:
    """The hop of such a call: it fails at once, and no connection was made."""
    phase, code = REFUSALS[refusal.finding]
    message = f"the API server does not connect to {target.host}: {refusal.error}"
    failure = Failure(phase, code, message, refusal.error)
    return Hop(role="call", url=target.url, host=target.host, port=target.port, failure=failure)
