"""Failures of an established connection, in the TLS and the HTTP phase: code, plain words, Go's text.

Where Go's checks (golang/tls_client.py) found the cause, the text is theirs. OpenSSL's reasons are used for what only
OpenSSL computes: signatures, key agreement, record protection. Any other reason means that OpenSSL is stricter than Go
may be, or that it lacks an algorithm: that is not measured (`probe_limitation`), neither pass nor fail.
"""

import ssl
from collections.abc import Sequence

from egressprobe.error_texts.tls import INVALID_SIGNATURE, REMOTE_ALERT
from egressprobe.golang.tls_client import UnsupportedVersionError
from egressprobe.golang.tls_record import (
    BAD_RECORD_MAC,
    PROTOCOL_VERSION,
    RECORD_OVERFLOW,
    TLS_1_3,
    UNEXPECTED_MESSAGE,
    CloseNotifyError,
    GoTlsError,
    NotTlsError,
    RemoteAlertError,
    alert_text,
    local_error,
)
from egressprobe.golang.x509.certificate import parse
from egressprobe.golang.x509.der import CertificateError
from egressprobe.model.failure import Code, Failure, Phase, classify_stream, errno_text
from egressprobe.probe.transport.peer_limits import PeerLimitError
from egressprobe.probe.transport.stream import Stream

# crypto/tls to a server that shares none of our groups, versions' ciphers or signature algorithms
NO_COMMON_GROUP = REMOTE_ALERT.of(problem="handshake failure")
_INVALID_SIGNATURE = INVALID_SIGNATURE.of(problem="")
_VERIFICATION_ERRORS = {
    "ECDSA": "ECDSA verification failure",
    "RSA": "crypto/rsa: verification error",
    "Ed25519": "Ed25519 verification failure",
}
_WRONG_ALGORITHM = "tls: certificate used with invalid signature algorithm"
# OpenSSL's reason (include/openssl/sslerr.h) -> Go's text in the same place
_REASONS = {
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": str(local_error(BAD_RECORD_MAC)),
    "BAD_DECRYPT": str(local_error(BAD_RECORD_MAC)),
    "LENGTH_TOO_SHORT": str(local_error(BAD_RECORD_MAC)),
    "DATA_LENGTH_TOO_LONG": str(local_error(RECORD_OVERFLOW)),
    "UNEXPECTED_MESSAGE": str(local_error(UNEXPECTED_MESSAGE)),
    "UNEXPECTED_RECORD": str(local_error(UNEXPECTED_MESSAGE)),
    "BAD_RECORD_TYPE": str(local_error(UNEXPECTED_MESSAGE)),
    "APP_DATA_IN_HANDSHAKE": str(local_error(UNEXPECTED_MESSAGE)),
    "MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA": str(local_error(UNEXPECTED_MESSAGE)),
    "NOT_ON_RECORD_BOUNDARY": "tls: handshake buffer not empty before setting read traffic secret",
    "WRONG_SIGNATURE_TYPE": _WRONG_ALGORITHM,
    "WRONG_CURVE": _WRONG_ALGORITHM,
    "BAD_KEY_SHARE": "tls: invalid server key share",
}
# Errors of the key agreement's arithmetic, which have other texts in TLS 1.2 and 1.3
_KEY_EXCHANGE = {"BAD_ECPOINT", "INVALID_ENCODING", "POINT_IS_NOT_ON_CURVE", "INVALID_KEY", "FAILED_DURING_DERIVATION"}


class EndOfStreamError(EOFError):
    """The peer closed the connection; `partial` when inside a TLS record."""

    def __init__(self, *, partial: bool) -> None:
        super().__init__("unexpected EOF" if partial else "EOF")


def stream_failure(error: Exception, stream: Stream, phase: Phase, waited: float, *, ran_out: bool) -> Failure:
    """The failure for an error on an established connection, in the TLS or the HTTP phase."""
    tls = phase is Phase.TLS
    where = str(stream.endpoint)
    if isinstance(error, TimeoutError):
        if ran_out:
            return Failure(phase, Code.DEADLINE_EXCEEDED, f"the run's deadline passed while waiting for {where}")
        what = "the ClientHello" if tls else "the request"
        code = Code.TLS_TIMEOUT if tls else Code.HTTP_TIMEOUT
        if stream.answered:
            return Failure(phase, code, f"{where} does not complete its answer to {what} in {waited:.1f} s")
        return Failure(phase, code, f"{where} does not answer {what}: no data for {waited:.1f} s")
    if isinstance(error, EndOfStreamError | CloseNotifyError | ssl.SSLZeroReturnError):  # for Go a close_notify is EOF
        code = Code.TLS_EOF if tls else Code.HTTP_RESET
        during = "in the handshake" if tls else "before it answered"
        text = "EOF" if isinstance(error, ssl.SSLZeroReturnError) else str(error)
        return Failure(phase, code, f"{where} closed the connection {during}", text)
    if isinstance(error, PeerLimitError):
        return Failure(phase, Code.PROBE_LIMITATION, f"{where} {error}: not measured further")
    if isinstance(error, GoTlsError):
        return _go_failure(error, where)
    if isinstance(error, ssl.SSLError):
        return ssl_failure(error, where, 0, ())
    if isinstance(error, OSError):
        text = errno_text(error)
        return Failure(phase, classify_stream(error, phase), f"{where}: {text}", f"{stream.describe()}: {text}")
    raise error


def _go_failure(error: GoTlsError, where: str) -> Failure:
    text = str(error)
    if isinstance(error, NotTlsError):
        return Failure(Phase.TLS, Code.TLS_NOT_TLS, f"{where} does not speak TLS on this port", text)
    if isinstance(error, UnsupportedVersionError):
        message = f"{where} supports only TLS versions older than 1.2"
        return Failure(Phase.TLS, Code.TLS_PROTOCOL_VERSION, message, text)
    if isinstance(error, RemoteAlertError):
        code = Code.TLS_PROTOCOL_VERSION if error.number == PROTOCOL_VERSION else Code.TLS_ALERT
        return Failure(Phase.TLS, code, f'{where} refused with the alert "{alert_text(error.number)}"', text)
    reason = text.removeprefix("local error: ").removeprefix("tls: ")
    return Failure(Phase.TLS, Code.TLS_ALERT, f"{where} violates the TLS protocol: {reason}", text)


def ssl_failure(error: ssl.SSLError, where: str, version: int, chain: Sequence[bytes]) -> Failure:
    """What only OpenSSL noticed. version: of the handshake, 0 after it. chain: as sent."""
    reason = error.reason or ""
    text = _REASONS.get(reason)
    if reason == "DIGEST_CHECK_FAILED":
        old = "tls: server's Finished message was incorrect"
        text = "tls: invalid server finished hash" if version == TLS_1_3 else old
    elif reason == "BAD_SIGNATURE":
        text = _INVALID_SIGNATURE + _VERIFICATION_ERRORS.get(_key_algorithm(chain), "verification failure")
    elif reason in _KEY_EXCHANGE:
        old = "tls: invalid ServerKeyExchange message"
        text = "tls: invalid server key share" if version == TLS_1_3 else old
    shown = reason.lower().replace("_", " ") or str(error)
    if text is None:
        message = f"{where}: this probe's {ssl.OPENSSL_VERSION} refuses the handshake ({shown}); Go may accept it"
        return Failure(Phase.TLS, Code.PROBE_LIMITATION, message)
    return Failure(Phase.TLS, Code.TLS_ALERT, f"{where}: the handshake failed ({shown})", text)


def _key_algorithm(chain: Sequence[bytes]) -> str:
    try:
        return parse(chain[0]).key.algorithm
    except (IndexError, CertificateError):
        return ""
