"""DNS, connecting, and sockets that break: Go's net package (net.DNSError, net.OpError, syscall), and time limits.

Sources: net/dnsclient_unix.go, net/dial.go, net/net.go (Go 1.25); net/http/client.go, transport.go; context.
"""

from egressprobe.error_texts.template import ErrorText, codes
from egressprobe.model.failure import ERRNO_TEXTS, Code

_NAMED_PHASE = "`lookup` names the phase: DNS"
# What a limit over the whole call may have waited for; then what fails late rather than never.
_ANY_PHASE = codes(Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, Code.DNS_TIMEOUT, Code.HTTP_TIMEOUT)
_LATE = codes(
    *(Code.HOST_UNREACHABLE, Code.DNS_UNREACHABLE, Code.DNS_SERVFAIL, Code.DNS_REFUSED, Code.DNS_MALFORMED),
    *(Code.DNS_NXDOMAIN, Code.CONNECT_REFUSED, Code.CONNECT_RESET, Code.NETWORK_UNREACHABLE),
)
_LATE_TLS = codes(Code.TLS_RESET, Code.TLS_EOF, Code.HTTP_RESET, Code.HTTP_BODY_INVALID, Code.TLS_ALERT)
_WHOLE_CALL = "the limit of the whole call ended it; the text does not say which phase was waiting"

NO_SUCH_HOST = ErrorText(
    "dial tcp: lookup {host}: no such host",
    codes(Code.DNS_NXDOMAIN, Code.DNS_NO_ADDRESSES, Code.HTTP_REDIRECT),
    "Go says `no such host` for NXDOMAIN, for an answer without addresses and for a name that is not valid",
)
LOOKUP_FAILED = ErrorText("dial tcp: lookup {host} on {server}: {error}", (), _NAMED_PHASE, family=True)
NO_SUCH_HOST_ON = ErrorText(
    "lookup {host} on {server}: no such host",
    codes(Code.DNS_NXDOMAIN, Code.DNS_NO_ADDRESSES),
    NO_SUCH_HOST.why,
)
NO_SUCH_HOST_BARE = ErrorText("no such host", codes(Code.DNS_NXDOMAIN, Code.DNS_NO_ADDRESSES), NO_SUCH_HOST.why)
MISBEHAVING = ErrorText(
    "server misbehaving",
    codes(Code.DNS_SERVFAIL, Code.DNS_REFUSED),
    "Go says `server misbehaving` for every response code but NXDOMAIN, SERVFAIL and REFUSED among them",
)
LAME_REFERRAL = ErrorText("lame referral", codes(Code.DNS_SERVFAIL), "the name server is not responsible for the name")
UNREADABLE_DNS = ErrorText(
    "cannot unmarshal DNS message", codes(Code.DNS_MALFORMED), "the name server's response cannot be read"
)
INVALID_DNS = ErrorText(
    "invalid DNS response", codes(Code.DNS_MALFORMED), "what came back does not answer the query that was sent"
)
LOOKUP_EOF = ErrorText(
    "lookup {host} on {server}: EOF", codes(Code.DNS_MALFORMED), "the name server closed the TCP connection"
)
LOOKUP_TIMEOUT = ErrorText("dial tcp: lookup {host}: i/o timeout", codes(Code.DNS_TIMEOUT), _NAMED_PHASE, _LATE)
LOOKUP_DEADLINE = ErrorText("lookup {host}: context deadline exceeded", codes(Code.DNS_TIMEOUT), _NAMED_PHASE)
# net.OpError of a query: `read` once connected, `dial` before.
QUERY_TIMEOUT = {
    "read": ErrorText("read {net} {local}->{server}: i/o timeout"),
    "dial": ErrorText("dial {net} {server}: i/o timeout"),
}
QUERY_ERROR = {
    "read": ErrorText("read {net} {local}->{server}: read: {error}"),
    "dial": ErrorText("dial {net} {server}: connect: {error}"),
}
_LOOKED_UP = tuple(
    ErrorText(f"lookup {{host}} on {{resolver}}: {row.text}", codes(Code.DNS_TIMEOUT), "the name server did not answer")
    for row in QUERY_TIMEOUT.values()
)
_UNREACHABLE = tuple(
    ErrorText(
        f"lookup {{host}} on {{resolver}}: {row.of(net='{net}', local='{local}', server='{server}', error=text)}",
        codes(Code.DNS_UNREACHABLE),
        f"the name server's address answered `{text}`",
        codes(Code.INTERNAL_ERROR),
    )
    for row in QUERY_ERROR.values()
    for text in ERRNO_TEXTS
)
DIAL_TIMEOUT = ErrorText(
    "dial tcp {endpoint}: i/o timeout",
    codes(Code.CONNECT_TIMEOUT),
    "`dial tcp ADDRESS: i/o timeout`: no answer to the SYN until the dialer's limit",
    _LATE,
)
DIAL_ERROR = ErrorText("dial tcp {endpoint}: connect: {error}", (), "`connect:` names the phase: TCP", family=True)
_DIALLED = tuple(
    ErrorText(
        DIAL_ERROR.of(endpoint="{endpoint}", error=text),
        codes(connecting),
        f"`connect: {text}`: the answer to the SYN, or of this side's kernel",
        codes(Code.TARGET_INVALID),
    )
    for text, (connecting, _) in ERRNO_TEXTS.items()
)
INVALID_PORT = ErrorText(
    "dial tcp: address {port}: invalid port",
    codes(Code.TARGET_INVALID, Code.HTTP_REDIRECT),
    "the port of the URL, or of a redirect, is not in 1..65535",
)
# On an established connection: `read tcp LOCAL->REMOTE: read: connection reset by peer`.
SOCKET_ERROR = ErrorText("{operation} tcp {local}->{remote}: {operation}: {error}")
# Code of an established connection's errno in the handshake -> after it.
_LATER = {Code.TLS_RESET: Code.HTTP_RESET, Code.TLS_TIMEOUT: Code.HTTP_TIMEOUT}
_BROKEN = tuple(
    ErrorText(
        f"{operation} tcp {{local}}->{{remote}}: {operation}: {text}",
        codes(established, _LATER[established]),
        f"an established connection ended with `{text}`; the text does not say whether in the handshake or after it",
        codes(Code.CONNECT_RESET),
    )
    for operation in ("read", "write")
    for text, (_, established) in ERRNO_TEXTS.items()
)
_BARE = tuple(
    ErrorText(text, codes(connecting, *extra), f"`{text}`; the text does not say of which operation")
    for text, (connecting, established) in ERRNO_TEXTS.items()
    for extra in ((established,) if connecting is not Code.NETWORK_UNREACHABLE else (),)
    if " " in text and text not in ("permission denied", "invalid argument", "operation not permitted")
)
DEADLINE = ErrorText("context deadline exceeded", _ANY_PHASE, _WHOLE_CALL, (*_LATE, *_LATE_TLS))
CLIENT_TIMEOUT = ErrorText(
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
    _ANY_PHASE,
    "http.Client.Timeout ended the call; the text does not say which phase was waiting",
    (*_LATE, *_LATE_TLS),
)
CANCELED_CONNECTING = ErrorText(
    "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
    codes(Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, Code.DNS_TIMEOUT),
    "`while waiting for connection`: there was no usable connection yet, in DNS, TCP or TLS",
    (*_LATE, *_LATE_TLS, *codes(Code.HTTP_TIMEOUT)),
)
# A line that was cut off behind these words.
CANCELED_CUT = ErrorText(
    "request canceled while waiting for connection",
    *CANCELED_CONNECTING[1:4],
)
CANCELED = ErrorText(
    "request canceled (Client.Timeout exceeded while awaiting headers)",
    codes(Code.HTTP_TIMEOUT),
    "`while awaiting headers` without `waiting for connection`: the request was sent and not answered",
    _ANY_PHASE,
)
BODY_TIMEOUT = ErrorText(
    "context deadline exceeded (Client.Timeout or context cancellation while reading body)",
    codes(Code.HTTP_TIMEOUT),
    "`while reading body`: the headers came, the rest did not",
)
NO_HEADERS = ErrorText(
    "net/http: timeout awaiting response headers", codes(Code.HTTP_TIMEOUT), "the request was sent and not answered"
)
_IO_TIMEOUT = ErrorText("i/o timeout", _ANY_PHASE, "a time limit; the text does not say of which operation")
_CANCELED_BARE = ErrorText(
    "context canceled",
    _ANY_PHASE,
    "the client of the API server gave up before the call ended; the text does not say which phase was waiting",
)

ROWS = (
    *(*_LOOKED_UP, *_UNREACHABLE, NO_SUCH_HOST, NO_SUCH_HOST_ON, LOOKUP_EOF, LOOKUP_TIMEOUT, LOOKUP_DEADLINE),
    *(NO_SUCH_HOST_BARE, MISBEHAVING, LAME_REFERRAL, UNREADABLE_DNS, INVALID_DNS, INVALID_PORT),
    *(*_DIALLED, DIAL_TIMEOUT, *_BROKEN, *_BARE),
    *(CANCELED_CONNECTING, CANCELED_CUT, CANCELED, BODY_TIMEOUT, NO_HEADERS, CLIENT_TIMEOUT, DEADLINE),
    *(_IO_TIMEOUT, _CANCELED_BARE),
)
