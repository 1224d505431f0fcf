"""Calls that the API server gives up before it dials: its Service leads nowhere, or its caBundle is of no use. Pure.

Sources: k8s.io/apiserver/pkg/util/proxy/proxy.go ResolveEndpoint, pkg/util/webhook/client.go and
pkg/admission/plugin/webhook/validating/dispatcher.go.
"""

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Hop
from egressprobe.model.target import CallRefusal, Target

# The finding that says why -> where and as what the call fails.
REFUSALS: dict[str, tuple[Phase, Code]] = {
    "CA_BUNDLE_UNUSABLE": (Phase.TLS, Code.CA_BUNDLE_INVALID),
    "SERVICE_NOT_FOUND": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
    "SERVICE_PORT_NOT_FOUND": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
    "SERVICE_TYPE_UNSUPPORTED": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
    "SERVICE_WITHOUT_ENDPOINTS": (Phase.RESOLVE, Code.SERVICE_UNRESOLVED),
}
# What client-go says where no client can be made: there is no request to put into the sentence.
NO_CLIENT = "could not get REST client: "


def refused(target: Target, refusal: CallRefusal) -> Hop:
    """What there is to see: a call that ends at once. Nothing was dialled."""
    phase, code = REFUSALS[refusal.finding]
    said = f"the API server does not get as far as dialling {target.host}: {refusal.error}"
    failure = Failure(phase, code, said, refusal.error)
    return Hop(role="call", url=target.url, host=target.host, port=target.port, failure=failure)
