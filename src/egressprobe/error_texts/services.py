"""Calls that are refused before a connection, and the condition Available of an APIService.

Sources: k8s.io/apiserver/pkg/util/proxy/proxy.go ResolveEndpoint, pkg/util/webhook/client.go; k8s.io/kube-aggregator
pkg/controllers/status/remote/remote_available_controller.go, pkg/apiserver/handler_proxy.go (1.35); `Address is not
allowed` is EKS's: https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-networking.html
"""

from egressprobe.error_texts.template import ErrorText, codes
from egressprobe.model.failure import Code

_BEFORE = "the API server found nothing to connect to; no packet was sent"


def _refusal(text: str, finding: str) -> ErrorText:
    return ErrorText(text, codes(Code.SERVICE_UNRESOLVED, finding), _BEFORE)


NO_SERVICE = _refusal('service "{name}" not found', "SERVICE_NOT_FOUND")
NO_PORT = _refusal('no service port {port} found for service "{name}"', "SERVICE_PORT_NOT_FOUND")
NO_ENDPOINTS = _refusal('no endpoints available for service "{name}"', "SERVICE_WITHOUT_ENDPOINTS")
TYPE_UNSUPPORTED = _refusal('unsupported service type "{type}"', "SERVICE_TYPE_UNSUPPORTED")
NOT_ALLOWED = _refusal("Address is not allowed", "ADDRESS_NOT_ALLOWED")
NOT_PRESENT = _refusal('service/{name} in "{namespace}" is not present', "SERVICE_NOT_FOUND")
NOT_LISTENING = _refusal('service/{name} in "{namespace}" is not listening on port {port}', "SERVICE_PORT_NOT_FOUND")
# kube-aggregator reads EndpointSlices since 1.33; before, the texts say `endpoints`.
NO_ADDRESSES = {
    kind: _refusal(
        f'{kind} for service/{{name}} in "{{namespace}}" have no addresses with port name {{port}}',
        "SERVICE_WITHOUT_ENDPOINTS",
    )
    for kind in ("endpointslices", "endpoints")
}
NO_SLICES = {
    kind: _refusal(f'cannot find {kind} for service/{{name}} in "{{namespace}}"', "SERVICE_WITHOUT_ENDPOINTS")
    for kind in ("endpointslices", "endpoints")
}
_NO_ROUTE = ErrorText(
    'cannot route to service with ClusterIP "{address}"',
    codes(Code.SERVICE_UNRESOLVED, "SERVICE_TYPE_UNSUPPORTED"),
    "a headless Service has no address to call",
)
_REASONS = tuple(
    ErrorText(reason, codes(Code.SERVICE_UNRESOLVED, finding), f"reason {reason} of the condition Available")
    for reason, finding in (
        *(("ServiceNotFound", "SERVICE_NOT_FOUND"), ("ServicePortError", "SERVICE_PORT_NOT_FOUND")),
        *(("EndpointsNotFound", "SERVICE_WITHOUT_ENDPOINTS"), ("MissingEndpoints", "SERVICE_WITHOUT_ENDPOINTS")),
    )
)
# Everything that the check may meet: the condition's message says which.
_CAUSES = codes(
    *(Code.CONNECT_TIMEOUT, Code.CONNECT_REFUSED, Code.SERVICE_UNRESOLVED, Code.HTTP_STATUS, Code.TLS_TIMEOUT),
    *(Code.HTTP_TIMEOUT, Code.HOST_UNREACHABLE, Code.NETWORK_UNREACHABLE, Code.TLS_RESET, Code.TLS_EOF),
    *(Code.TLS_ALERT, Code.TLS_NOT_TLS, Code.CONNECT_RESET, Code.HTTP_RESET, Code.HTTP_BODY_INVALID),
    *(Code.TLS_UNKNOWN_AUTHORITY, Code.TLS_HOSTNAME_MISMATCH, Code.TLS_CERT_EXPIRED, Code.TLS_CERT_INVALID),
)
UNAVAILABLE = ErrorText(
    "service unavailable",
    codes(Code.APISERVICE_UNAVAILABLE),
    "the APIService is not Available, and every request gets this at once; its condition says why",
    _CAUSES,
)
_CHECK_FAILED = ErrorText(
    "FailedDiscoveryCheck",
    codes(Code.APISERVICE_UNAVAILABLE),
    "reason FailedDiscoveryCheck: the check of the APIService fails; the condition's message says how",
    _CAUSES,
    family=True,
)
_OF_RESOURCE = ErrorText(
    "the server is currently unable to handle the request (get {served})",
    codes(Code.APISERVICE_UNAVAILABLE, Code.HTTP_STATUS),
    "503 for a resource: the APIService that serves it is not Available, or its server answered so",
    _CAUSES,
)
# kubectl/pkg/cmd/top: the group metrics.k8s.io is not in the API server's list of groups.
_NO_METRICS = ErrorText(
    "Metrics API not available",
    codes(Code.APISERVICE_UNAVAILABLE),
    "the API server does not list metrics.k8s.io: its APIService is missing, or was not Available",
    _CAUSES,
)
_STALE = ErrorText(
    "stale GroupVersion discovery: {api}",
    codes(Code.APISERVICE_UNAVAILABLE),
    "the APIService of this group is not Available",
    _CAUSES,
)
_UNABLE = "{api}: the server is currently unable to handle the request"
_LISTED = tuple(
    ErrorText(f"{text} {_UNABLE}", _STALE.codes, _STALE.why, _CAUSES)
    for text in ("couldn't get resource list for", "unable to retrieve the complete list of server APIs:")
)
# What only an APIService's condition, or a request of its group, says.
_CONDITIONS = (*(NOT_PRESENT, NOT_LISTENING), *NO_ADDRESSES.values(), *NO_SLICES.values(), *_REASONS)
_OF_GROUPS = (_NO_METRICS, _STALE, *_LISTED, _CHECK_FAILED)
OF_APISERVICES = frozenset((*_CONDITIONS, *_OF_GROUPS))

ROWS = (
    *(NO_SERVICE, NO_PORT, NO_ENDPOINTS, TYPE_UNSUPPORTED, NOT_ALLOWED, _NO_ROUTE),
    *(*_CONDITIONS, UNAVAILABLE, _OF_RESOURCE, *_OF_GROUPS),
)
