"""Who called what: the words around an error, of which the name, the URL and the kind of call are read.

Sources: k8s.io/apiserver/pkg/util/webhook/error.go, pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go,
pkg/endpoints/filters/authentication.go; apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go;
k8s.io/apimachinery/pkg/util/proxy; k8s.io/kube-aggregator/pkg/controllers (Kubernetes 1.35); kubectl/pkg/cmd/util.
"""

from typing import NamedTuple

from egressprobe.error_texts.oidc import FETCHING, VERIFYING
from egressprobe.error_texts.template import ErrorText, codes
from egressprobe.model.failure import Code
from egressprobe.model.target import Kind

_ANSWERED = codes(Code.HTTP_STATUS, Code.HTTP_BODY_INVALID)
_OWN_WORDS = 'no `Post "URL"` in the text: the server answered, and these are its own words or client-go\'s'
_UNFINISHED = codes(
    *(Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, Code.DNS_TIMEOUT, Code.HTTP_TIMEOUT, Code.TLS_ALERT),
    *(Code.HTTP_RESET, Code.HTTP_BODY_INVALID),
)
_UNFINISHED_WHY = "the call got no answer that can be used; the words behind it are not known, or cut off"


class CallText(NamedTuple):
    """A row, and the kind of target whose call it is about; None: the row does not say."""

    row: ErrorText
    kind: Kind | None


INTERNAL = ErrorText("Internal error occurred: {problem}")
FAILED_CALLING = ErrorText('failed calling webhook "{webhook}": {problem}', root=True)
TO_CALL = ErrorText("failed to call webhook: {problem}", _ANSWERED, _OWN_WORDS, family=True)
# TO_CALL of a line that was cut off within the URL, or before it: nothing is known of an answer.
TO_CALL_CUT = ErrorText("failed to call webhook: Post", _UNFINISHED, _UNFINISHED_WHY, family=True)
FAILING_OPEN = ErrorText("Failed calling webhook, failing open {webhook}: {problem}", root=True)
_FAILING_CLOSED = ErrorText("Failed calling webhook, failing closed {webhook}: {problem}", root=True)
_FAILED_OPEN_NOTE = ErrorText(
    "failed-open.{phase}.webhook.admission.k8s.io/{round}",
    codes(Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, Code.DNS_TIMEOUT, Code.HTTP_TIMEOUT),
    "the annotation of an audit event says that a webhook was skipped; the API server's log has the error",
    root=True,
    family=True,
)
POST = ErrorText('Post "{url}": {problem}', _UNFINISHED, _UNFINISHED_WHY, family=True)
GET = ErrorText('Get "{url}": {problem}', _UNFINISHED, _UNFINISHED_WHY, family=True)
# The API server calls nothing with these methods: their URL says who was called.
_OTHER_METHODS = tuple(ErrorText(f'{method} "{{url}}": {{problem}}') for method in ("Put", "Patch", "Delete", "Head"))
# client-go's text where no client can be made: there is no request to put into the message.
NO_CLIENT = ErrorText("could not get REST client: {problem}")
CONVERSION = ErrorText(
    "conversion webhook for {resource}, Kind={kind} failed: {problem}", _ANSWERED, _OWN_WORDS, (), True, True
)
# What each request of a CRD gets whose conversion webhook has no usable caBundle
# (apiextensions-apiserver/pkg/apiserver/customresource_handler.go).
NO_CONVERTER = ErrorText(
    "Internal error occurred: error resolving resource",
    codes(Code.CA_BUNDLE_INVALID, "CA_BUNDLE_UNUSABLE"),
    "the API server cannot make the CRD's conversion webhook's client; its caBundle is the usual reason",
    root=True,
)
_INVALID_BUNDLE = ErrorText(
    "InvalidCABundle",
    codes(Code.CA_BUNDLE_INVALID, "CA_BUNDLE_UNUSABLE"),
    "reason InvalidCABundle of the CRD's condition Established",
)
REACHING_SERVICE = ErrorText(
    "error trying to reach service: {problem}", _UNFINISHED, _UNFINISHED_WHY, family=True, root=True
)
_DIALLING_BACKEND = ErrorText("error dialing backend: {problem}", root=True)
CHECK = ErrorText(
    "failing or missing response from {url}: {problem}", _UNFINISHED, _UNFINISHED_WHY, family=True, root=True
)
_CHECK_BEFORE_1_17 = ErrorText("no response from {url}: {problem}", root=True)
_CHECK_OF = ErrorText("{api} failed with: failing or missing response from {url}: {problem}", root=True)
_OPENAPI = ErrorText("failed to download {api}: failed to retrieve openAPI spec", root=True)
_OPENAPI_BEFORE_1_27 = ErrorText('loading OpenAPI spec for "{api}" failed with: {problem}', root=True)
_OPENAPI_ERROR = ErrorText('Error updating APIService "{api}" with err: {problem}', root=True)
INITIALIZING = ErrorText(
    "oidc authenticator: initializing plugin: {problem}", _UNFINISHED, _UNFINISHED_WHY, family=True, root=True
)
_VERIFYING = ErrorText(VERIFYING + "{problem}", root=True)
FETCHING_KEY_SET = ErrorText(FETCHING + "{problem}")
_UNAUTHENTICATED = ErrorText("Unable to authenticate the request")
_RESOURCE_LISTS = (
    ErrorText("couldn't get resource list for {api}: {problem}", root=True),
    ErrorText("unable to retrieve the complete list of server APIs: {api}: {problem}", root=True),
)
FROM_SERVER = tuple(
    ErrorText(text)
    for text in (
        "Error from server ({reason}): {problem}",
        "Error from server: {problem}",
        'error when creating "{file}": {problem}',
        "error when retrieving current configuration of: {problem}",
        "error when applying patch: {problem}",
    )
)

CALLS = (
    *(CallText(row, Kind.WEBHOOK) for row in (FAILING_OPEN, _FAILING_CLOSED, FAILED_CALLING, TO_CALL, CONVERSION)),
    *(CallText(row, Kind.WEBHOOK) for row in (NO_CONVERTER, _INVALID_BUNDLE, _FAILED_OPEN_NOTE, NO_CLIENT)),
    *(CallText(row, Kind.OIDC) for row in (INITIALIZING, _VERIFYING, FETCHING_KEY_SET)),
    *(
        CallText(row, Kind.AGGREGATED_API)
        for row in (
            _CHECK_OF,
            CHECK,
            _CHECK_BEFORE_1_17,
            REACHING_SERVICE,
            _OPENAPI,
            _OPENAPI_BEFORE_1_27,
            _OPENAPI_ERROR,
        )
    ),
    *(CallText(row, Kind.AGGREGATED_API) for row in _RESOURCE_LISTS),
    CallText(_DIALLING_BACKEND, Kind.KUBELET),
    *(CallText(row, None) for row in (INTERNAL, POST, GET, *_OTHER_METHODS, _UNAUTHENTICATED, *FROM_SERVER)),
)
# A request without an answer says more than the words around it.
ROWS = (POST, GET, *(call.row for call in CALLS if call.row.codes and call.row not in (POST, GET)))
