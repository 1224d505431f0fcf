"""From an error that was copied out of a log to the codes that it may mean.

The texts are those of kube-apiserver, Go's net, crypto/tls, crypto/x509 and net/http, and of go-oidc. One text may have
several causes: a timeout does not say which phase was waiting.
"""

import re

from egressprobe.catalog.entry import Entry
from egressprobe.catalog.registry import lookup
from egressprobe.model.failure import Code

# In this order: what names its phase comes before what does not.
PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"no such host", (Code.DNS_NXDOMAIN, Code.DNS_NO_ADDRESSES)),
    (r"server misbehaving", (Code.DNS_SERVFAIL, Code.DNS_REFUSED)),
    (r"lookup \S+.*(i/o timeout|deadline exceeded)", (Code.DNS_TIMEOUT,)),
    (r"(lookup|read udp) .*connection refused", (Code.DNS_UNREACHABLE,)),
    (r"cannot unmarshal DNS|invalid DNS response", (Code.DNS_MALFORMED,)),
    (
        r"no endpoints available|no service port|service \S+ not found|endpoints? .*not found",
        (Code.SERVICE_UNRESOLVED, "SERVICE_WITHOUT_ENDPOINTS", "SERVICE_NOT_FOUND"),
    ),
    (r"connect: connection refused", (Code.CONNECT_REFUSED,)),
    (r"dial tcp[^\"]*: i/o timeout|connect: connection timed out", (Code.CONNECT_TIMEOUT,)),
    (r"no route to host", (Code.HOST_UNREACHABLE,)),
    (r"network is unreachable|cannot assign requested address", (Code.NETWORK_UNREACHABLE,)),
    (r"TLS handshake timeout", (Code.TLS_TIMEOUT,)),
    (r"current time \S+ is after", (Code.TLS_CERT_EXPIRED,)),
    (r"current time \S+ is before", (Code.TLS_CERT_NOT_YET_VALID,)),
    (r"certificate has expired or is not yet valid", (Code.TLS_CERT_EXPIRED, Code.TLS_CERT_NOT_YET_VALID)),
    (r"signed by unknown authority", (Code.TLS_UNKNOWN_AUTHORITY, "TLS_INTERCEPTED")),
    (
        r"certificate is valid for|certificate is not valid for any names|IP SANs|legacy Common Name",
        (Code.TLS_HOSTNAME_MISMATCH,),
    ),
    (r"unable to load root certificates", (Code.CA_BUNDLE_INVALID,)),
    (r"protocol version not supported|server selected unsupported protocol version", (Code.TLS_PROTOCOL_VERSION,)),
    (r"remote error: tls: ", (Code.TLS_ALERT,)),
    (r"does not look like a TLS handshake|server gave HTTP response to HTTPS client", (Code.TLS_NOT_TLS,)),
    (r"x509: (?!certificate (signed|has expired|is valid|is not valid))", (Code.TLS_CERT_INVALID,)),
    (r"issuer did not match", (Code.OIDC_ISSUER_MISMATCH,)),
    (
        r"failed to decode keys|go-jose/go-jose: |failed to verify id token|signed with unsupported algorithm",
        (Code.OIDC_JWKS_INVALID,),
    ),
    (r"fetching keys|get keys failed", (Code.OIDC_JWKS_UNREACHABLE, Code.OIDC_JWKS_INVALID)),
    (r"stopped after 10 redirects|failed to parse Location header", (Code.HTTP_REDIRECT,)),
    (
        r"transport connection broken|malformed HTTP|unable to read response body",
        (Code.HTTP_BODY_INVALID, Code.HTTP_RESET),
    ),
    (r"failed to decode|unable to parse|invalid character", (Code.HTTP_BODY_INVALID, Code.HTTP_STATUS)),
    (
        r"\b(50[234]|429|40[134])\b[ :]|unable to handle the request|unexpected status",
        (Code.HTTP_STATUS, Code.SERVICE_UNRESOLVED),
    ),
    (
        r"FailedDiscoveryCheck|failing or missing response",
        (Code.CONNECT_TIMEOUT, Code.CONNECT_REFUSED, Code.HTTP_STATUS),
    ),
    (r"connection reset by peer|broken pipe", (Code.TLS_RESET, Code.CONNECT_RESET, Code.HTTP_RESET)),
    (r"\bEOF\b", (Code.TLS_EOF, Code.HTTP_RESET)),
    (
        r"deadline exceeded|Client\.Timeout exceeded|request canceled|timeout awaiting response|i/o timeout",
        (Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, Code.DNS_TIMEOUT, Code.HTTP_TIMEOUT),
    ),
)
_URL = re.compile(r"https://[^\s\"'<>\\]+")


def candidates(text: str) -> tuple[Entry, ...]:
    """The entries of the catalogue that `text` may mean, the most specific first; none for a text that is not known."""
    codes = [code for pattern, codes in PATTERNS if re.search(pattern, text, re.IGNORECASE) for code in codes]
    return tuple(entry for code in dict.fromkeys(codes) if (entry := lookup(code)))


def called_url(text: str) -> str | None:
    """The URL that the API server called, without its query."""
    match = _URL.search(text)
    return match[0].partition("?")[0].rstrip(".,:;)") if match else None
