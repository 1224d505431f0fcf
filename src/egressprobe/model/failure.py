"""What can go wrong, as a closed list.

Rules:
- A failure is data. Phases return it; nothing is raised past a phase.
- A code is stable: alarms, queries and people's notes depend on it. New ones go into the contract first.
- Classification is by errno and by exception type, never by matching the text of a message; the only
  strings compared are OpenSSL's own reason mnemonics, which are its stable identifiers.
- Specific code, then the phase's generic code, then `internal_error`.

`apiServerError` is what Go's net, crypto/tls and net/http packages say in the same place: the text that
kube-apiserver logs and that people paste into a search box.
"""

import errno
from enum import StrEnum
from typing import NamedTuple

import msgspec

from egressprobe.model.remedy import RemedySteps
from egressprobe.model.struct import Struct


class Phase(StrEnum):
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"


class Code(StrEnum):
    """Failure codes, in the order of the phases; `explain CODE` prints the catalogue's text for each."""

    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_NO_ADDRESSES = "dns_no_addresses"
    DNS_SERVFAIL = "dns_servfail"
    DNS_REFUSED = "dns_refused"
    DNS_TIMEOUT = "dns_timeout"
    DNS_MALFORMED = "dns_malformed"
    DNS_UNREACHABLE = "dns_unreachable"
    SERVICE_UNRESOLVED = "service_unresolved"

    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_RESET = "connect_reset"
    HOST_UNREACHABLE = "host_unreachable"
    NETWORK_UNREACHABLE = "network_unreachable"

    TLS_TIMEOUT = "tls_timeout"
    TLS_RESET = "tls_reset"
    TLS_EOF = "tls_eof"
    TLS_NOT_TLS = "tls_not_tls"
    TLS_ALERT = "tls_alert"
    TLS_PROTOCOL_VERSION = "tls_protocol_version"
    TLS_CERT_EXPIRED = "tls_cert_expired"
    TLS_CERT_NOT_YET_VALID = "tls_cert_not_yet_valid"
    TLS_UNKNOWN_AUTHORITY = "tls_unknown_authority"
    TLS_HOSTNAME_MISMATCH = "tls_hostname_mismatch"
    TLS_CERT_INVALID = "tls_cert_invalid"
    CA_BUNDLE_INVALID = "ca_bundle_invalid"

    HTTP_TIMEOUT = "http_timeout"
    HTTP_RESET = "http_reset"
    HTTP_STATUS = "http_status"
    HTTP_REDIRECT = "http_redirect"
    HTTP_BODY_INVALID = "http_body_invalid"
    HTTP_BODY_TOO_LARGE = "http_body_too_large"
    OIDC_ISSUER_MISMATCH = "oidc_issuer_mismatch"
    OIDC_JWKS_UNREACHABLE = "oidc_jwks_unreachable"
    OIDC_JWKS_INVALID = "oidc_jwks_invalid"
    APISERVICE_UNAVAILABLE = "apiservice_unavailable"

    TARGET_FORBIDDEN = "target_forbidden"
    TARGET_INVALID = "target_invalid"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    PROBE_LIMITATION = "probe_limitation"
    INTERNAL_ERROR = "internal_error"
    BLOCKED_TARGET_REACHED = "blocked_target_reached"
    CONTROL_UNREACHABLE = "control_unreachable"


class Ending(StrEnum):
    """What the probe saw last of the exchange that failed: the fact from which the sets of codes are derived."""

    # The peer, or a server that speaks for it, said something.
    ANSWERED = "answered"
    # Nothing came back for as long as we waited: a caller that waits longer is taken to wait in vain as well.
    SILENT = "silent"
    RESET = "reset"
    CLOSED = "closed"
    # The network or our own kernel says that no packet gets there.
    UNREACHABLE = "unreachable"
    # Nothing was sent: the API server or the probe stops before.
    NOT_SENT = "not sent"


class CodeFacts(NamedTuple):
    """What a code says. phase: where it is met, None for any. measured: False if it says nothing of the target."""

    phase: Phase | None
    ending: Ending
    measured: bool = True


# One row a code, in the order of `Code`. Every other set of codes is derived from this table.
CODES: dict[Code, CodeFacts] = {
    Code.DNS_NXDOMAIN: CodeFacts(Phase.RESOLVE, Ending.ANSWERED),
    Code.DNS_NO_ADDRESSES: CodeFacts(Phase.RESOLVE, Ending.ANSWERED),
    Code.DNS_SERVFAIL: CodeFacts(Phase.RESOLVE, Ending.ANSWERED),
    Code.DNS_REFUSED: CodeFacts(Phase.RESOLVE, Ending.ANSWERED),
    Code.DNS_TIMEOUT: CodeFacts(Phase.RESOLVE, Ending.SILENT),
    Code.DNS_MALFORMED: CodeFacts(Phase.RESOLVE, Ending.ANSWERED),
    Code.DNS_UNREACHABLE: CodeFacts(Phase.RESOLVE, Ending.UNREACHABLE),
    Code.SERVICE_UNRESOLVED: CodeFacts(Phase.RESOLVE, Ending.NOT_SENT),
    Code.CONNECT_REFUSED: CodeFacts(Phase.CONNECT, Ending.ANSWERED),
    Code.CONNECT_TIMEOUT: CodeFacts(Phase.CONNECT, Ending.SILENT),
    Code.CONNECT_RESET: CodeFacts(Phase.CONNECT, Ending.RESET),
    Code.HOST_UNREACHABLE: CodeFacts(Phase.CONNECT, Ending.UNREACHABLE),
    Code.NETWORK_UNREACHABLE: CodeFacts(Phase.CONNECT, Ending.UNREACHABLE),
    Code.TLS_TIMEOUT: CodeFacts(Phase.TLS, Ending.SILENT),
    Code.TLS_RESET: CodeFacts(Phase.TLS, Ending.RESET),
    Code.TLS_EOF: CodeFacts(Phase.TLS, Ending.CLOSED),
    Code.TLS_NOT_TLS: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.TLS_ALERT: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.TLS_PROTOCOL_VERSION: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.TLS_CERT_EXPIRED: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.TLS_CERT_NOT_YET_VALID: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.TLS_UNKNOWN_AUTHORITY: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.TLS_HOSTNAME_MISMATCH: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.TLS_CERT_INVALID: CodeFacts(Phase.TLS, Ending.ANSWERED),
    Code.CA_BUNDLE_INVALID: CodeFacts(Phase.TLS, Ending.NOT_SENT),
    Code.HTTP_TIMEOUT: CodeFacts(Phase.HTTP, Ending.SILENT),
    Code.HTTP_RESET: CodeFacts(Phase.HTTP, Ending.RESET),
    Code.HTTP_STATUS: CodeFacts(Phase.HTTP, Ending.ANSWERED),
    Code.HTTP_REDIRECT: CodeFacts(Phase.HTTP, Ending.ANSWERED),
    Code.HTTP_BODY_INVALID: CodeFacts(Phase.HTTP, Ending.ANSWERED),
    # Go reads on.
    Code.HTTP_BODY_TOO_LARGE: CodeFacts(Phase.HTTP, Ending.ANSWERED, measured=False),
    Code.OIDC_ISSUER_MISMATCH: CodeFacts(Phase.HTTP, Ending.ANSWERED),
    # The failure of another host; its own phase and message stand in the failure.
    Code.OIDC_JWKS_UNREACHABLE: CodeFacts(None, Ending.ANSWERED),
    Code.OIDC_JWKS_INVALID: CodeFacts(Phase.HTTP, Ending.ANSWERED),
    Code.APISERVICE_UNAVAILABLE: CodeFacts(Phase.HTTP, Ending.NOT_SENT),
    Code.TARGET_FORBIDDEN: CodeFacts(None, Ending.NOT_SENT, measured=False),
    Code.TARGET_INVALID: CodeFacts(None, Ending.NOT_SENT),
    Code.DEADLINE_EXCEEDED: CodeFacts(None, Ending.NOT_SENT, measured=False),
    Code.PROBE_LIMITATION: CodeFacts(None, Ending.NOT_SENT, measured=False),
    Code.INTERNAL_ERROR: CodeFacts(None, Ending.NOT_SENT, measured=False),
    Code.BLOCKED_TARGET_REACHED: CodeFacts(Phase.CONNECT, Ending.ANSWERED),
    Code.CONTROL_UNREACHABLE: CodeFacts(None, Ending.NOT_SENT, measured=False),
}
_CUT = {Ending.SILENT, Ending.RESET, Ending.CLOSED}
# We could not measure: these never count as pass and never as fail.
NOT_MEASURED = frozenset(code for code, facts in CODES.items() if not facts.measured)
SILENT = frozenset(code for code, facts in CODES.items() if facts.ending is Ending.SILENT)
# Dialled, and no packet came back from the address.
NO_REPLY = frozenset(
    code
    for code, facts in CODES.items()
    if facts.phase is Phase.CONNECT and facts.ending in (Ending.SILENT, Ending.UNREACHABLE)
)
# TCP connected and the handshake ended without one word of TLS: the retry ladder looks for the cause, and a target
# that must be blocked counts as blocked.
HANDSHAKE_CUT = frozenset(code for code, facts in CODES.items() if facts.phase is Phase.TLS and facts.ending in _CUT)


class Failure(Struct, frozen=True):
    """One failure: where, which, in plain words, and as kube-apiserver would say it.

    confirm, remedy: lines of how to confirm and to fix it, commands and sentences; remedy_steps: the same as data. Of a
    target's failure only.
    """

    phase: Phase
    code: Code
    message: str
    api_server_error: str | None = None
    confirm: str | msgspec.UnsetType = msgspec.UNSET
    remedy: str | msgspec.UnsetType = msgspec.UNSET
    remedy_steps: RemedySteps | msgspec.UnsetType = msgspec.UNSET


# errno -> (code while connecting, code once data flows, Go's text: syscall/zerrors_linux_amd64.go)
_ERRNO: dict[int, tuple[Code, Code, str]] = {
    errno.ECONNREFUSED: (Code.CONNECT_REFUSED, Code.TLS_RESET, "connection refused"),
    errno.ECONNRESET: (Code.CONNECT_RESET, Code.TLS_RESET, "connection reset by peer"),
    errno.ECONNABORTED: (Code.CONNECT_RESET, Code.TLS_RESET, "software caused connection abort"),
    errno.EPIPE: (Code.CONNECT_RESET, Code.TLS_RESET, "broken pipe"),
    errno.ETIMEDOUT: (Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT, "connection timed out"),
    errno.EHOSTUNREACH: (Code.HOST_UNREACHABLE, Code.TLS_RESET, "no route to host"),
    errno.EHOSTDOWN: (Code.HOST_UNREACHABLE, Code.TLS_RESET, "host is down"),
    errno.ENETUNREACH: (Code.NETWORK_UNREACHABLE, Code.TLS_RESET, "network is unreachable"),
    errno.ENETDOWN: (Code.NETWORK_UNREACHABLE, Code.TLS_RESET, "network is down"),
    errno.EADDRNOTAVAIL: (Code.NETWORK_UNREACHABLE, Code.TLS_RESET, "cannot assign requested address"),
    errno.EAFNOSUPPORT: (
        Code.NETWORK_UNREACHABLE,
        Code.TLS_RESET,
        "address family not supported by protocol",
    ),
    errno.EACCES: (Code.NETWORK_UNREACHABLE, Code.TLS_RESET, "permission denied"),
    errno.EPERM: (Code.NETWORK_UNREACHABLE, Code.TLS_RESET, "operation not permitted"),
    errno.EINVAL: (Code.NETWORK_UNREACHABLE, Code.TLS_RESET, "invalid argument"),
}
# Go's text of an errno -> its code while connecting, and once data flows.
ERRNO_TEXTS: dict[str, tuple[Code, Code]] = {text: (dialling, flowing) for dialling, flowing, text in _ERRNO.values()}
# Running out of descriptors, buffers or memory is a local problem: it says nothing about the path.
_LOCAL_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def errno_text(error: OSError) -> str:
    """Go's text of an errno, or the system's where Go's is not in the table."""
    known = _ERRNO.get(error.errno or 0)
    return known[2] if known else (error.strerror or type(error).__name__).lower()


def classify_connect(error: OSError) -> Code:
    """The code of an `OSError` that connect(2) gave."""
    if error.errno in _LOCAL_ERRNOS:
        return Code.INTERNAL_ERROR
    known = _ERRNO.get(error.errno or 0)
    return known[0] if known else Code.INTERNAL_ERROR


def classify_stream(error: OSError, phase: Phase) -> Code:
    """The code of an `OSError` on an established connection, in the TLS or the HTTP phase."""
    if error.errno in _LOCAL_ERRNOS:
        return Code.INTERNAL_ERROR
    known = _ERRNO.get(error.errno or 0)
    code = known[1] if known else Code.INTERNAL_ERROR
    if phase is Phase.HTTP:
        return {Code.TLS_RESET: Code.HTTP_RESET, Code.TLS_TIMEOUT: Code.HTTP_TIMEOUT}.get(code, code)
    return code
