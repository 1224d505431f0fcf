"""What changed between the Go releases of the known Kubernetes versions, in TLS and HTTP.

The texts are those that clients built with Go 1.23.9, 1.24.11, 1.25.5 and 1.26.6 gave for the same servers; for 1.31
with the settings of Go 1.22 (GODEBUG tls3des=1,tlskyber=0,x509negativeserial=1).
"""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.lab.servers import server_context
from tests.probe.test_tls import CA, GOOD, attempt
from tests.support.peers.tls12_server import Tls12Server
from tests.support.peers.tls13_server import Tls13Server
from tests.support.peers.tls_scripts import ScriptedTls


def _rsa_credential():
    """As issue() makes one, with an RSA key."""
    key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
    builder = x509.CertificateBuilder(CA.certificate.subject, x509.Name([]), key.public_key(), 7)
    builder = builder.not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(80))
    names = x509.SubjectAlternativeName([x509.DNSName("hook.lab")])
    made = builder.add_extension(names, critical=True).sign(CA.key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (made.public_bytes(pem) + private).decode()


class _Informational(ScriptedTls):
    """1xx responses, then a final one."""

    def __init__(self, count):
        super().__init__(server_context(GOOD))
        self.answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" * count + b"HTTP/1.1 404 Not Found\r\n\r\n"


_CANCELED = "remote error: tls: user canceled"
_TOO_MANY = "net/http: HTTP/1.x transport connection broken: net/http: too many 1xx informational responses"
_NO_SUITE = "remote error: tls: handshake failure"
_ECHO = "tls: server echoed TLS 1.3 compatibility session ID in TLS 1.2"
# The server, and Go's text for the versions that refuse it.
SERVERS = {
    "user_canceled": (
        lambda: Tls13Server(GOOD, alerts=[b"\1\x5a"]),
        dict.fromkeys(("1.31", "1.32", "1.33", "1.34"), _CANCELED),
    ),
    "five informational responses": (lambda: _Informational(5), {}),
    "six informational responses": (lambda: _Informational(6), dict.fromkeys(("1.31", "1.32"), _TOO_MANY)),
    "a session id that comes back in TLS 1.2": (
        lambda: Tls12Server(GOOD.chain_and_key_pem, 0xC02B, echo=True),
        dict.fromkeys(("1.35", "1.36"), _ECHO),
    ),
    "TLS 1.2": (lambda: Tls12Server(GOOD.chain_and_key_pem, 0xC02B), {}),
    "AES with CBC": (lambda: Tls12Server(_rsa_credential(), 0xC013), {}),
    "3DES": (
        lambda: Tls12Server(_rsa_credential(), 0xC012),
        dict.fromkeys(("1.32", "1.33", "1.34", "1.35", "1.36"), _NO_SUITE),
    ),
}


@pytest.mark.parametrize("name", SERVERS)
def test_the_release_of_the_version_decides(lab_loop, name):
    make, refused = SERVERS[name]
    server, given = lab_loop.start(make()), {}
    for version in HELLOS:
        failure = attempt(server, version=version).failure
        if failure:
            given[version] = failure.api_server_error
    assert given == refused
