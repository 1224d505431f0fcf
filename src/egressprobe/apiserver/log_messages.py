"""The log message around a network error, by kind, as kube-apiserver writes it. Pure.

Sources: k8s.io/apiserver/pkg/util/webhook/error.go and admission/plugin/webhook/errors (webhooks),
plugin/pkg/authenticator/token/oidc and github.com/coreos/go-oidc (OIDC),
k8s.io/apimachinery/pkg/util/proxy (aggregated APIs, kubelet).
"""

import posixpath

from egressprobe.apiserver.availability import UNAVAILABLE
from egressprobe.apiserver.refusals import NO_CLIENT, NO_CONVERTER, NOT_FOUND
from egressprobe.error_texts.calls import (
    CONVERSION,
    FAILED_CALLING,
    FAILING_OPEN,
    GET,
    INITIALIZING,
    INTERNAL,
    POST,
    REACHING_SERVICE,
    TO_CALL,
)
from egressprobe.error_texts.http import READING_BODY
from egressprobe.error_texts.oidc import FETCHING, FETCHING_KEYS, VERIFYING
from egressprobe.model.failure import Code
from egressprobe.model.measurement import Hop
from egressprobe.model.target import FailurePolicy, Kind, Target

# Failures of a response's content: the message has no `Get "URL":` in it.
_CONTENT = frozenset({Code.HTTP_STATUS, Code.OIDC_ISSUER_MISMATCH, Code.OIDC_JWKS_INVALID})
# Failures of a review's answer: client-go has no error of the request to report.
_ANSWERED = frozenset({Code.HTTP_STATUS, Code.HTTP_BODY_INVALID})


def sentence(target: Target, hop: Hop, code: Code, error: str) -> str | None:
    """The whole log line for a failed call; None for kinds that the API server does not know."""
    if target.kind is Kind.WEBHOOK:
        return _webhook(target, error, code)
    if target.kind is Kind.OIDC:
        return _oidc(hop, code, error)
    if target.refusal is not None or error == UNAVAILABLE:
        return error
    if target.kind in (Kind.AGGREGATED_API, Kind.KUBELET):
        return REACHING_SERVICE.of(problem=error)
    return None


def _oidc(hop: Hop, code: Code, error: str) -> str:
    """Of the plugin's initialization, or of a token whose keys are fetched (go-oidc v2.3.0 oidc.go, jwks.go)."""
    if error.startswith(VERIFYING):
        return error
    fetching = hop.role == "jwks"
    before = FETCHING if fetching else INITIALIZING.of(problem="")
    if code in _CONTENT or error.startswith(("oidc: ", READING_BODY.of(problem=""))):
        return before + error
    request = GET.of(url=hop.url, problem=error)
    return before + (FETCHING_KEYS.of(problem=request) if fetching else request)


def _webhook(target: Target, error: str, code: Code) -> str:
    """The message for the most important webhook of those that share the target."""
    kind, name, part = (*target.objects[0].split("/", 2), "", "")[:3] if target.objects else ("", "", "")
    url = f"{webhook_url(target)}?timeout={target.timeout_seconds}s"
    in_answer = code in _ANSWERED and not error.startswith("net/http: ")
    post = error if in_answer or error.startswith((NO_CLIENT, NOT_FOUND)) else POST.of(url=url, problem=error)
    if error == NO_CONVERTER:
        return error
    if kind == "CustomResourceDefinition":  # apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go
        resource, _, stored_kind = f"{name.partition('.')[2]}/{part}".partition(", Kind=")
        return CONVERSION.of(resource=resource, kind=stored_kind, problem=post.removeprefix(NO_CLIENT))
    name = part or target.name
    call = FAILED_CALLING.of(webhook=name, problem=post if error.startswith(NO_CLIENT) else TO_CALL.of(problem=post))
    if target.failure_policy is FailurePolicy.IGNORE:
        return FAILING_OPEN.of(webhook=name, problem=call)
    return INTERNAL.of(problem=call)


def webhook_url(target: Target) -> str:
    """The URL of the POST: the path cleaned; for a service always with its port."""
    path = posixpath.normpath("/" + target.path.strip("/"))
    if target.service:
        return f"https://{target.service.server_name}:{target.service.port}{path}"
    base = target.url.split("://", 1)[1].split("/", 1)[0]
    return f"https://{base}{path}"
