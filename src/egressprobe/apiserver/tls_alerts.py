"""What TLS alerts mean, by their number; read back from Go's text of them (crypto/tls/alert.go, Go 1.25). Pure."""

import re

from egressprobe.golang.tls_record import ALERT_TEXTS

# RFC 8446 section 6, RFC 5246 section 7.2, RFC 7301, RFC 6066.
HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY, INTERNAL_ERROR = 40, 71, 80
UNRECOGNIZED_NAME, CERTIFICATE_REQUIRED, NO_APPLICATION_PROTOCOL = 112, 116, 120
# What a server sends that does not accept the client's certificate, or that there is none. OpenSSL and Go in TLS 1.2
# send handshake failure, Java bad certificate; in TLS 1.3 it is certificate required (RFC 8446 section 4.4.2.4).
CLIENT_CERTIFICATE_ALERTS = frozenset({40, 42, 43, 44, 45, 46, 48, 49, 116})
_NUMBERS = {text: number for number, text in ALERT_TEXTS.items()}
_REMOTE = re.compile(r"(?:^|: )remote error: tls: (?:alert\((\d+)\)|(.*))$")


def alert_number(error: str | None) -> int | None:
    """The number of the alert that Go's error text ends with, as received; None for any other text."""
    match = _REMOTE.search(error or "")
    if match is None:
        return None
    return int(match[1]) if match[1] else _NUMBERS.get(match[2])
