"""Responses: Go's net/http, and what client-go and the webhook code make of an answer.

Sources: net/http/transport.go, h2_bundle.go, transfer.go, client.go (Go 1.25); k8s.io/apimachinery/pkg/api/errors
NewGenericServerResponse; k8s.io/apiserver/pkg/admission/plugin/webhook/request/admissionreview.go.
"""

from egressprobe.error_texts.template import ErrorText, codes
from egressprobe.model.failure import Code

_ENDED = codes(Code.HTTP_RESET)
_UNREADABLE = codes(Code.HTTP_BODY_INVALID)
TRANSPORT_BROKEN = ErrorText(
    "net/http: HTTP/1.x transport connection broken: {problem}",
    codes(Code.HTTP_BODY_INVALID, Code.HTTP_RESET),
    "TLS works, and the head of the response cannot be read",
    family=True,
)
_BROKEN_END = ErrorText(
    "net/http: HTTP/1.x transport connection broken: unexpected EOF", _ENDED, "the response ends within its head"
)
_BROKEN_SOCKET = tuple(
    ErrorText(
        f"net/http: HTTP/1.x transport connection broken: {operation} tcp ", _ENDED, "the connection broke in the head"
    )
    for operation in ("read", "write")
)
_MALFORMED = ErrorText(
    "malformed HTTP response {problem}", _UNREADABLE, "what the server answers is not HTTP", family=True
)
READING_BODY = ErrorText(
    "unable to read response body: {problem}",
    codes(Code.HTTP_BODY_INVALID, Code.HTTP_RESET),
    "the head of the response came, and its body cannot be read",
    codes(Code.HTTP_TIMEOUT),
    family=True,
)
_BODY_END = tuple(
    ErrorText(f"unable to read response body: {text}", _ENDED, "the response ends within its body")
    for text in ("unexpected EOF", "http: unexpected EOF reading trailer", "EOF")
)
_BODY_SOCKET = ErrorText("unable to read response body: read tcp ", _ENDED, "the connection broke within the body")
HEADERS_TOO_LARGE = ErrorText(
    "net/http: server response headers exceeded {most} bytes; aborted", _UNREADABLE, "the head is too large"
)
INFORMATIONAL = ErrorText(
    "net/http: too many 1xx informational responses", _UNREADABLE, "more than five 1xx responses before the final one"
)
H2_INFORMATIONAL = ErrorText("http2: too many 1xx informational responses", _UNREADABLE, INFORMATIONAL.why)
TOO_MUCH_BODY = ErrorText(
    "net/http: server replied with more than declared Content-Length; truncated",
    _UNREADABLE,
    "the body is longer than its Content-Length",
)
_HTTP2 = tuple(
    ErrorText(text, codes(Code.HTTP_BODY_INVALID, Code.HTTP_RESET), why, codes(Code.HTTP_TIMEOUT), family=True)
    for text, why in (
        ("http2: {problem}", "HTTP/2: the connection or its frames are broken"),
        ("stream error: {problem}", "HTTP/2: the server ended the request"),
        ("connection error: {problem}", "HTTP/2: the connection was ended"),
    )
)
CONNECTION_LOST = ErrorText(
    "http2: client connection lost",
    codes(Code.HTTP_TIMEOUT, Code.CONNECT_TIMEOUT),
    "a kept HTTP/2 connection does not answer any more: the path broke after it was opened",
    codes(Code.HTTP_RESET),
)
TOO_MANY_REDIRECTS = ErrorText(
    "stopped after {most} redirects", codes(Code.HTTP_REDIRECT), "the server redirects without end"
)
BAD_LOCATION = ErrorText(
    'failed to parse Location header "{answer}": {error}', codes(Code.HTTP_REDIRECT), "a redirect leads to no URL"
)
UNSUPPORTED_SCHEME = ErrorText(
    "unsupported protocol scheme {scheme}",
    codes(Code.HTTP_REDIRECT, Code.HTTP_BODY_INVALID),
    "the URL that the server named is not one that can be called",
)
_URL_PROBLEMS = tuple(
    ErrorText(text, codes(Code.HTTP_REDIRECT), "a URL that the server named cannot be called")
    for text in ("no Host in request URL", "http: nil Request.URL")
)
_EOF = ErrorText(
    "EOF",
    codes(Code.TLS_EOF, Code.HTTP_RESET),
    "the server, or something between, closed the connection; the text does not say when",
    codes(Code.DNS_MALFORMED),
)
_UNEXPECTED_EOF = ErrorText(
    "unexpected EOF",
    codes(Code.TLS_EOF, Code.HTTP_RESET),
    "the connection was closed within a record or a response; the text does not say which",
    codes(Code.HTTP_BODY_INVALID),
)
# client-go's words of a status without a Status object in the body.
STATUS_TEXTS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}
STATUSES = {
    status: ErrorText(text, codes(Code.HTTP_STATUS), f"these are client-go's words of a response with status {status}")
    for status, text in STATUS_TEXTS.items()
}
STATUSES[503] = STATUSES[503]._replace(
    codes=codes(Code.HTTP_STATUS, Code.APISERVICE_UNAVAILABLE),
    why=f"{STATUSES[503].why}; of a resource it means that its APIService is not Available",
)
SERVER_ERROR = ErrorText(
    "an error on the server ({answer}) has prevented the request from succeeding",
    codes(Code.HTTP_STATUS),
    "these are client-go's words of a response with status 500 or more",
)
OTHER_STATUS = ErrorText(
    "the server responded with the status code {status} but did not return more details",
    codes(Code.HTTP_STATUS),
    "the status of the response",
)
_NO_REVIEW = "the server answered, and its answer is not the review that was asked for"
_REVIEWS = {
    "not_json": "couldn't get version/kind; json parse error: {error}",
    "no_kind": "Object 'Kind' is missing in '{answer}'",
    "other_kind": "expected webhook response of {version}, Kind={kind}, got {got_version}, Kind={got_kind}",
    "no_conversion": "no response provided",
    "no_response": "webhook response was absent",
    "other_uid": 'expected response.uid="{uid}", got {got}',
    "no_success": "response.result.status was '{status}', not 'Success'",
    "no_patch_type": "webhook returned response.patch but not response.patchType",
    "no_patch": "webhook returned response.patchType but not response.patch",
}
REVIEWS = {name: ErrorText(text, _UNREADABLE, _NO_REVIEW) for name, text in _REVIEWS.items()}
# Of an APIService's check: `bad status from URL: 404`.
BAD_STATUS = ErrorText(
    "bad status from {url}: {status}", codes(Code.HTTP_STATUS), "the server answers the check with this status, not 2xx"
)
_PARSE_URL = ErrorText(
    'parse "{answer}": {problem}', codes(Code.HTTP_REDIRECT), "a URL that the server named is not one", family=True
)
_JSON = ErrorText(
    "invalid character {problem}", _UNREADABLE, "the body is not JSON: an error page, for example", family=True
)
PROXY_CONNECT = ErrorText(
    "proxyconnect tcp: ",
    (),
    "`proxyconnect`: a proxy of the client's settings is what does not answer",
    family=True,
)
_GATEWAY = tuple(
    ErrorText(f"{status} {reason}", codes(Code.HTTP_STATUS), f"a response with status {status}")
    for status, reason in (
        *((500, "Internal Server Error"), (502, "Bad Gateway"), (503, "Service Unavailable")),
        *((504, "Gateway Timeout"), (429, "Too Many Requests"), (404, "Not Found"), (403, "Forbidden")),
        *((401, "Unauthorized"), (400, "Bad Request"), (301, "Moved Permanently"), (302, "Found")),
    )
)
_PROXY_REFUSES = tuple(
    ErrorText(f'": {reason}', codes(Code.HTTP_STATUS), f"a proxy answers CONNECT with `{reason}`: it refuses the call")
    for reason in (
        "Forbidden",
        "Proxy Authentication Required",
        "Bad Gateway",
        "Service Unavailable",
        "Gateway Timeout",
    )
)

ROWS = (
    *(
        _BROKEN_END,
        *_BROKEN_SOCKET,
        *_BODY_END,
        _BODY_SOCKET,
        HEADERS_TOO_LARGE,
        INFORMATIONAL,
        TOO_MUCH_BODY,
        CONNECTION_LOST,
    ),
    *(TOO_MANY_REDIRECTS, BAD_LOCATION, UNSUPPORTED_SCHEME, *_URL_PROBLEMS, BAD_STATUS),
    *(*REVIEWS.values(), *STATUSES.values(), SERVER_ERROR, OTHER_STATUS, *_PROXY_REFUSES, *_GATEWAY),
    *(TRANSPORT_BROKEN, READING_BODY, _MALFORMED, *_HTTP2, _PARSE_URL, _JSON, _UNEXPECTED_EOF, _EOF),
)
