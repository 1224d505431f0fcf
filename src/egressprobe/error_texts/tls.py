"""TLS handshakes and certificates: Go's crypto/tls, crypto/x509 and crypto/rsa, and client-go for a caBundle.

Sources: crypto/tls/alert.go, conn.go, handshake_client.go, handshake_client_tls13.go; crypto/x509/verify.go (Go 1.25);
k8s.io/client-go/transport/transport.go.
"""

from egressprobe.error_texts.template import ErrorText, codes
from egressprobe.model.failure import Code

TLS_TIMEOUT = ErrorText(
    "net/http: TLS handshake timeout",
    codes(Code.TLS_TIMEOUT),
    "TCP connected, and 10 s later the handshake was not complete",
    codes(Code.CONNECT_TIMEOUT),
)
_NOT_TLS_WHY = "the first bytes of the answer are not TLS: plain HTTP, or another protocol, on this port"
HTTP_RESPONSE = ErrorText(
    "http: server gave HTTP response to HTTPS client", codes(Code.TLS_NOT_TLS, Code.TLS_ALERT), _NOT_TLS_WHY
)
NOT_TLS = ErrorText(
    "tls: first record does not look like a TLS handshake",
    codes(Code.TLS_NOT_TLS, Code.TLS_ALERT),
    _NOT_TLS_WHY,
)
SSL_2 = ErrorText("tls: unsupported SSLv2 handshake received", codes(Code.TLS_NOT_TLS, Code.TLS_ALERT), _NOT_TLS_WHY)
PROTOCOL_VERSION = ErrorText(
    "remote error: tls: protocol version not supported",
    codes(Code.TLS_PROTOCOL_VERSION),
    "`remote error`: the server sent this alert; it has no TLS 1.2 or 1.3",
)
SELECTED_VERSION = ErrorText(
    "tls: server selected unsupported protocol version {version:x}",
    codes(Code.TLS_PROTOCOL_VERSION),
    "the server chose a version older than TLS 1.2",
)
REMOTE_ALERT = ErrorText(
    "remote error: tls: {problem}", codes(Code.TLS_ALERT), "`remote error`: the server sent this alert", family=True
)
LOCAL_ALERT = ErrorText(
    "local error: tls: {problem}",
    codes(Code.TLS_ALERT),
    "`local error`: the API server ended the handshake because of what the server sent",
    codes(Code.TLS_NOT_TLS),
    family=True,
)
INVALID_SIGNATURE = ErrorText(
    "tls: invalid signature by the server certificate: {problem}",
    codes(Code.TLS_ALERT, Code.TLS_CERT_INVALID),
    "the handshake's signature does not fit the certificate's key",
    family=True,
)
WEAK_KEY = ErrorText(
    "tls: invalid signature by the server certificate: crypto/rsa: {problem}",
    codes(Code.TLS_CERT_INVALID),
    "Go refuses the certificate's RSA key",
    codes(Code.TLS_ALERT),
)
VERIFICATION_ERROR = ErrorText(
    "tls: invalid signature by the server certificate: crypto/rsa: verification error",
    codes(Code.TLS_ALERT),
    "the server signed the handshake with another key than the certificate's",
)
CERTIFICATE_UNREADABLE = ErrorText(
    "tls: failed to parse certificate from server: {problem}",
    codes(Code.TLS_CERT_INVALID, Code.TLS_ALERT),
    "a certificate that the server sent cannot be parsed",
)
KEY_TOO_LARGE = ErrorText(
    "tls: server sent certificate containing RSA key larger than {bits} bits",
    codes(Code.TLS_CERT_INVALID),
    "an RSA key of the chain is too large",
)
KEY_UNSUPPORTED = ErrorText(
    "tls: server's certificate contains an unsupported type of public key: {type}",
    codes(Code.TLS_CERT_INVALID),
    "Go does not support the type of the certificate's key",
)
NO_CERTIFICATES = ErrorText("tls: no certificates", codes(Code.TLS_CERT_INVALID), "the server sent no certificate")
TLS_PROBLEM = ErrorText(
    "tls: {problem}",
    codes(Code.TLS_ALERT),
    "the server does not keep to the TLS protocol as Go reads it",
    codes(Code.TLS_NOT_TLS),
    family=True,
)
VERIFY_FAILED = ErrorText(
    "tls: failed to verify certificate: {problem}",
    codes(Code.TLS_CERT_INVALID),
    "the certificate or its chain is refused",
    family=True,
)
DATES = ErrorText("x509: certificate has expired or is not yet valid: current time {now} is {limit}")
_AFTER = ErrorText(
    "x509: certificate has expired or is not yet valid: current time {now} is after {limit}",
    codes(Code.TLS_CERT_EXPIRED),
    "`is after`: a certificate of the chain has expired",
)
_BEFORE = ErrorText(
    "x509: certificate has expired or is not yet valid: current time {now} is before {limit}",
    codes(Code.TLS_CERT_NOT_YET_VALID),
    "`is before`: a certificate of the chain is not valid yet",
)
_DATES_BARE = ErrorText(
    "certificate has expired or is not yet valid",
    codes(Code.TLS_CERT_EXPIRED, Code.TLS_CERT_NOT_YET_VALID),
    "without `is after` or `is before` the text does not say which",
)
UNKNOWN_AUTHORITY = ErrorText(
    "x509: certificate signed by unknown authority",
    codes(Code.TLS_UNKNOWN_AUTHORITY),
    "the chain ends at a CA that is not in the caBundle, or not among the system roots where there is none",
    codes("TLS_INTERCEPTED", Code.TLS_CERT_INVALID),
)
POSSIBLY_BECAUSE = ErrorText(
    "x509: certificate signed by unknown authority (possibly because of {because} "
    "while trying to verify candidate authority certificate {authority})",
    codes(Code.TLS_UNKNOWN_AUTHORITY),
    "a CA of the right name is known, but the signature is not by its key: another CA of the same name, for example",
    codes("TLS_INTERCEPTED", Code.TLS_CERT_INVALID),
)
MAY_NOT_SIGN = ErrorText("x509: invalid signature: parent certificate cannot sign this kind of certificate")
INSECURE_ALGORITHM = ErrorText("x509: cannot verify signature: insecure algorithm {algorithm}")
_WEAK = tuple(
    ErrorText(
        f'x509: certificate signed by unknown authority (possibly because of "{row.text}"',
        codes(Code.TLS_CERT_INVALID),
        f"the CA is known, and {why}",
        codes(Code.TLS_UNKNOWN_AUTHORITY),
    )
    for row, why in (
        (MAY_NOT_SIGN, "its certificate may not sign others"),
        (INSECURE_ALGORITHM, "the algorithm of the signature is too weak"),
    )
)
LEGACY_NAME = ErrorText(
    "x509: certificate relies on legacy Common Name field, use SANs instead",
    codes(Code.TLS_HOSTNAME_MISMATCH),
    "the certificate has no subject alternative name; the Common Name does not count",
)
NO_IP_SANS = ErrorText(
    "x509: cannot validate certificate for {host} because it doesn't contain any IP SANs",
    codes(Code.TLS_HOSTNAME_MISMATCH),
    "the call goes to an address, and the certificate has names only",
)
NONE_MATCHED = {
    what: ErrorText(
        f"x509: certificate is valid for {{many}} {what}, but none matched {{host}}",
        codes(Code.TLS_HOSTNAME_MISMATCH),
        "none of the certificate's names is the one that was called",
    )
    for what in ("IP SANs", "names")
}
NO_NAMES = ErrorText(
    "x509: certificate is not valid for any names, but wanted to match {host}",
    codes(Code.TLS_HOSTNAME_MISMATCH),
    "the certificate has no DNS name",
)
OTHER_NAMES = ErrorText(
    "x509: certificate is valid for {names}, not {host}",
    codes(Code.TLS_HOSTNAME_MISMATCH),
    "the certificate is for other names than the one that was called",
)
CERTIFICATE_PROBLEM = ErrorText(
    "x509: {problem}",
    codes(Code.TLS_CERT_INVALID),
    "crypto/x509 refuses a certificate of the chain",
    family=True,
)
_BUNDLE_WHY = "the caBundle of the configuration cannot be used, so no connection is made"
BUNDLE_UNPARSED = ErrorText(
    "unable to load root certificates: failed to parse certificate: {problem}",
    codes(Code.CA_BUNDLE_INVALID),
    _BUNDLE_WHY,
    codes("CA_BUNDLE_UNUSABLE"),
)
BUNDLE_WITHOUT = ErrorText(
    "unable to load root certificates: no valid certificate authority data seen",
    codes(Code.CA_BUNDLE_INVALID),
    _BUNDLE_WHY,
    codes("CA_BUNDLE_UNUSABLE"),
)
BUNDLE_NOT_PEM = ErrorText(
    "unable to load root certificates: unable to parse bytes as PEM block",
    codes(Code.CA_BUNDLE_INVALID),
    _BUNDLE_WHY,
    codes("CA_BUNDLE_UNUSABLE"),
)
_BUNDLE = ErrorText(
    "unable to load root certificates", codes(Code.CA_BUNDLE_INVALID), _BUNDLE_WHY, codes("CA_BUNDLE_UNUSABLE")
)
# As people quote them, without the package's name.
_SHORT = tuple(
    row._replace(text=row.text.removeprefix("x509: "))
    for row in (_AFTER, _BEFORE, POSSIBLY_BECAUSE, UNKNOWN_AUTHORITY, LEGACY_NAME, NO_IP_SANS, NO_NAMES, OTHER_NAMES)
)
_SHORT += tuple(
    ErrorText(text, codes(Code.TLS_CERT_INVALID), "crypto/x509 refuses a certificate of the chain")
    for text in (
        *("certificate specifies an incompatible key usage", "not authorized to sign other certificates"),
        *("parent certificate cannot sign this kind of certificate", "all candidate chains have invalid policies"),
    )
)
_SHORT += tuple(
    row._replace(text=row.text.removeprefix("unable to load root certificates: "))
    for row in (BUNDLE_WITHOUT, BUNDLE_NOT_PEM)
)

# The log of the server that is called (net/http/server.go): a client refused its certificate.
_OF_THE_SERVER = tuple(
    ErrorText(
        f"http: TLS handshake error from {{peer}}: remote error: tls: {alert}",
        codes(Code.TLS_UNKNOWN_AUTHORITY, Code.TLS_HOSTNAME_MISMATCH, Code.TLS_CERT_EXPIRED),
        "the log of a server: its client refuses its certificate. Of a webhook's server the client is the API server",
        codes("TLS_INTERCEPTED"),
    )
    for alert in ("bad certificate", "unknown certificate", "unknown certificate authority")
)

ROWS = (
    *_OF_THE_SERVER,
    *(TLS_TIMEOUT, HTTP_RESPONSE, NOT_TLS, SSL_2, PROTOCOL_VERSION, SELECTED_VERSION),
    *(_AFTER, _BEFORE, _DATES_BARE, *_WEAK, POSSIBLY_BECAUSE, UNKNOWN_AUTHORITY),
    *(LEGACY_NAME, NO_IP_SANS, *NONE_MATCHED.values(), NO_NAMES, OTHER_NAMES),
    *(BUNDLE_UNPARSED, BUNDLE_WITHOUT, BUNDLE_NOT_PEM, _BUNDLE),
    *_SHORT,
    *(VERIFICATION_ERROR, WEAK_KEY, CERTIFICATE_UNREADABLE, KEY_TOO_LARGE, KEY_UNSUPPORTED, NO_CERTIFICATES),
    *(INVALID_SIGNATURE, VERIFY_FAILED, REMOTE_ALERT, LOCAL_ALERT, CERTIFICATE_PROBLEM, TLS_PROBLEM),
)
