"""The review that a webhook is sent with `exchange: review`, and what the API server makes of the answer. Pure.

The request is an AdmissionReview v1 for the creation of a ConfigMap that exists nowhere, marked dryRun: a webhook with
sideEffects None or NoneOnDryRun, which admission.k8s.io/v1 requires, does nothing outside the answer. A conversion
webhook gets a ConversionReview without objects.

Sources: k8s.io/apiserver/pkg/admission/plugin/webhook/request/admissionreview.go, k8s.io/apiextensions-apiserver
pkg/apiserver/conversion/webhook_converter.go, k8s.io/client-go/rest/request.go transformResponse and
k8s.io/apimachinery/pkg/api/errors NewGenericServerResponse (Kubernetes 1.35).
"""

import json
from typing import Any, NamedTuple

from egressprobe.error_texts.http import OTHER_STATUS, REVIEWS, SERVER_ERROR, STATUS_TEXTS
from egressprobe.golang.http.quote import escaped, quote
from egressprobe.golang.jose.json_text import JsonError, parse_json
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.target import Target
from egressprobe.model.text import with_ellipsis

_ADMISSION = ("admission.k8s.io/v1", "AdmissionReview")
_CONVERSION = ("apiextensions.k8s.io/v1", "ConversionReview")
_OK = range(200, 207)  # client-go: http.StatusOK to http.StatusPartialContent
_SERVER_ERROR = 500
_FORBIDDEN = 403
_OBJECT = "egressprobe"
_MOST_TEXT, _MOST_MESSAGE = 1000, 200  # characters of what a webhook may have written


class ReviewAnswer(NamedTuple):
    """The response to a review. content_type: of the response, empty without one."""

    status: int
    content_type: str
    body: bytes


def converts(target: Target) -> bool:
    """Whether the target is a conversion webhook, by the object that matters most."""
    return bool(target.objects) and target.objects[0].startswith("CustomResourceDefinition/")


def review_request(target: Target, uid: str) -> bytes:
    """The body of the POST."""
    if converts(target):
        request: dict[str, Any] = {"uid": uid, "desiredAPIVersion": _desired_version(target), "objects": []}
        return _document(_CONVERSION, request)
    kind = {"group": "", "version": "v1", "kind": "ConfigMap"}
    resource = {"group": "", "version": "v1", "resource": "configmaps"}
    request = {
        "uid": uid,
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": _OBJECT,
        "namespace": _OBJECT,
        "operation": "CREATE",
        "userInfo": {"username": _OBJECT, "groups": ["system:authenticated"]},
        "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _OBJECT, "namespace": _OBJECT}},
        "oldObject": None,
        "dryRun": True,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions", "dryRun": ["All"]},
    }
    return _document(_ADMISSION, request)


def _desired_version(target: Target) -> str:
    """GROUP/VERSION of `CustomResourceDefinition/PLURAL.GROUP/VERSION, Kind=KIND`."""
    _, name, version = (*target.objects[0].split("/", 2), "", "")[:3]
    return f"{name.partition('.')[2]}/{version.partition(',')[0]}"


def _document(kind: tuple[str, str], request: dict[str, Any]) -> bytes:
    return json.dumps({"apiVersion": kind[0], "kind": kind[1], "request": request}).encode()


def review_failure(target: Target, uid: str, answer: ReviewAnswer) -> Failure | None:
    """Why the API server does not accept the answer; None for one that allows or denies."""
    if answer.status not in _OK:
        message = f"{target.host} answers the review with status {answer.status}"
        return Failure(Phase.HTTP, Code.HTTP_STATUS, message, _cut(_status_text(answer)))
    error = _body_error(answer.body, uid, _CONVERSION if converts(target) else _ADMISSION)
    if error is None:
        return None
    message = f"{target.host} does not answer the review: {_cut(error, _MOST_MESSAGE)}"
    return Failure(Phase.HTTP, Code.HTTP_BODY_INVALID, message, _cut(error))


def _cut(text: str, most: int = _MOST_TEXT) -> str:
    return escaped(with_ellipsis(text, most))


def _status_text(answer: ReviewAnswer) -> str:
    known = STATUS_TEXTS.get(answer.status)
    if known:
        return known
    is_text = not answer.content_type or answer.content_type.startswith("text/")
    body = answer.body.decode("utf-8", "replace").strip() if is_text else "unknown"
    if answer.status == _FORBIDDEN:
        return body
    if answer.status >= _SERVER_ERROR:
        return SERVER_ERROR.of(answer=quote(body))
    return OTHER_STATUS.of(status=answer.status)


def _body_error(body: bytes, uid: str, wanted: tuple[str, str]) -> str | None:
    try:
        parse_json(body)
    except JsonError as error:
        return REVIEWS["not_json"].of(error=error)
    try:
        document = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):  # nested deeper than Python reads
        return REVIEWS["not_json"].of(error="json: exceeded max depth")
    if not isinstance(document, dict) or not document.get("kind"):
        return REVIEWS["no_kind"].of(answer=body.decode("utf-8", "replace"))
    kind = (document.get("apiVersion") or "", document["kind"])
    response = document.get("response")
    if kind != wanted:
        got_version, got_kind = kind
        return REVIEWS["other_kind"].of(
            version=wanted[0], kind=wanted[1], got_version=got_version or "/", got_kind=got_kind
        )
    if not isinstance(response, dict):
        return REVIEWS["no_conversion" if wanted is _CONVERSION else "no_response"].text
    if response.get("uid") != uid:
        return REVIEWS["other_uid"].of(uid=uid, got=quote(str(response.get("uid") or "")))
    if wanted is _CONVERSION:
        return _conversion_error(response.get("result"))
    return _patch_error(response)


def _conversion_error(result: Any) -> str | None:
    status = result.get("status") if isinstance(result, dict) else None
    if status == "Success":
        return None
    message = result.get("message") if isinstance(result, dict) else None
    return str(message) if message else REVIEWS["no_success"].of(status=status or "")


def _patch_error(response: dict[str, Any]) -> str | None:
    """A patch has a type and the type a patch, also of a validating webhook, which may have neither."""
    if response.get("patch") and not response.get("patchType"):
        return REVIEWS["no_patch_type"].text
    if response.get("patchType") and not response.get("patch"):
        return REVIEWS["no_patch"].text
    return None
