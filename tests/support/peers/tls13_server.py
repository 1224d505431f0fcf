"""A TLS 1.3 server whose encrypted messages and records can be changed too, and that has any group of Go's.

It is honest but for what a test changes: both sides hash the changed messages, so that only their content decides.
"""

import ssl
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from egressprobe.golang.tls.client_hello import vector
from egressprobe.golang.tls.key_exchange import P256, P384, SECP384R1MLKEM1024, X25519, X25519MLKEM768
from egressprobe.golang.tls.key_schedule import SUITES, Secrets
from egressprobe.golang.tls.protection import Tls13Protection
from egressprobe.golang.tls_hello import Fields, read_client_hello
from egressprobe.lab.servers import TcpServer
from tests.support.peers.tls_scripts import ANSWER, record

SUITE = SUITES[0x1301]
_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_CURVES = {P256: ec.SECP256R1(), P384: ec.SECP384R1()}


def message(kind, body):
    return bytes([kind]) + vector(body, 3)


def _shares(hello):
    """Group -> key share of a ClientHello message."""
    fields = Fields(hello[4:])
    fields.take(34)
    fields.vector(1)
    fields.vector(2)
    fields.vector(1)
    entries, shares = Fields(Fields(fields.extensions()[51]).vector(2)), {}
    while entries.left:
        group = entries.number(2)
        shares[group] = entries.vector(2)
    return shares


def _agree(group, share):
    """Our share and the secret."""
    if group == X25519:
        key = x25519.X25519PrivateKey.generate()
        secret = key.exchange(x25519.X25519PublicKey.from_public_bytes(share))
        return key.public_key().public_bytes_raw(), secret
    if group in _CURVES:
        key = ec.generate_private_key(_CURVES[group])
        secret = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[group], share))
        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), secret
    if group == X25519MLKEM768:
        kem, (ours, secret) = share[:1184], _agree(X25519, share[1184:])
        shared, ciphertext = mlkem.MLKEM768PublicKey.from_public_bytes(kem).encapsulate()
        return ciphertext + ours, shared + secret
    classic, size = (P384, 97) if group == SECP384R1MLKEM1024 else (P256, 65)
    kem = mlkem.MLKEM1024PublicKey if group == SECP384R1MLKEM1024 else mlkem.MLKEM768PublicKey
    ours, secret = _agree(classic, share[:size])
    shared, ciphertext = kem.from_public_bytes(share[size:]).encapsulate()
    return ours + ciphertext, secret + shared


class Tls13Server(TcpServer):
    """credential: with a P-256 key. change(kind, message): the messages to send instead, from the ServerHello on.

    after: messages after the handshake. requests: also a CertificateRequest. clear: records in the clear before the
    encrypted ones. alerts: after the handshake as well.
    """

    def __init__(
        self, credential, group=X25519, change=lambda kind, data: [data], after=(), requests=b"", clear=(), alerts=()
    ):
        super().__init__()
        pem = credential.chain_and_key_pem
        self._chain = [ssl.PEM_cert_to_DER_cert(c.public_bytes(Encoding.PEM).decode()) for c in _certificates(pem)]
        self._key = load_pem_private_key(pem[pem.index("-----BEGIN PRIVATE") :].encode(), None)
        self._group, self._change, self._after = group, change, after
        self._requests, self._clear, self._alerts = requests, clear, alerts

    async def talk(self, reader, writer):
        try:
            with suppress(EOFError, ConnectionError):
                await self._talk(reader, writer)
        finally:
            writer.close()

    async def _record(self, reader):
        header = await reader.readexactly(5)
        return header, await reader.readexactly(int.from_bytes(header[3:5]))

    async def _talk(self, reader, writer):
        header, hello = await self._record(reader)
        offer = read_client_hello(header + hello, b"x-")
        if self._group not in offer.groups:
            writer.write(record(21, b"\2\x28"))
            return
        if self._group not in offer.shares:
            (retry,) = self._change(2, self._hello(offer, _RETRY_RANDOM, self._group.to_bytes(2)))
            writer.write(record(22, retry))
            await reader.read(65536)
            return
        ours, secret = _agree(self._group, _shares(hello)[self._group])
        share = self._group.to_bytes(2) + vector(ours, 2)
        transcript = hello
        for changed in self._change(2, self._hello(offer, bytes(range(32)), share)):
            writer.write(record(22, changed))
            transcript += changed
        secrets = Secrets(SUITE.digest, secret)
        traffic = {side: secrets.handshake(side, transcript) for side in "cs"}
        keys = Tls13Protection(SUITE, traffic["s"])
        for data in (record(20, b"\1"), *self._clear):
            writer.write(data)
        bodies = self._flight(secrets, traffic["s"])
        kind, body = next(bodies)
        while kind:
            for changed in self._change(kind, message(kind, body)):
                transcript += changed
                writer.write(keys.seal(22, changed))
            kind, body = bodies.send(transcript)
        reading = Tls13Protection(SUITE, secrets.application("c", transcript))
        writing = Tls13Protection(SUITE, secrets.application("s", transcript))
        await self._skip(reader, Tls13Protection(SUITE, traffic["c"]))
        for data in self._after:
            writer.write(writing.seal(22, data))
        for data in self._alerts:
            writer.write(writing.seal(21, data))
        reading.open(*await self._record(reader))
        writer.write(writing.seal(23, ANSWER))
        writer.write(writing.seal(21, b"\1\0"))
        await writer.drain()

    async def _skip(self, reader, keys):
        """To the end of the client's Finished."""
        while True:
            header, payload = await self._record(reader)
            if header[0] == 23 and keys.open(header, payload)[1][:1] == b"\x14":
                return

    def _hello(self, offer, random, share):
        extensions = b"\0\x2b\0\2\3\4" + b"\0\x33" + vector(share, 2)
        return message(2, b"\3\3" + random + vector(offer.session_id, 1) + b"\x13\1\0" + vector(extensions, 2))

    def _flight(self, secrets, traffic):
        """Type and body of each encrypted message; it is sent the transcript up to there."""
        transcript = yield 8, b"\0\0"
        if self._requests:
            transcript = yield 13, self._requests
        transcript = yield 11, b"\0" + vector(b"".join(vector(der, 3) + b"\0\0" for der in self._chain), 3)
        transcript = yield 15, self._signature(secrets.hash(transcript))
        yield 20, secrets.finished(traffic, transcript)
        yield 0, b""

    def _signature(self, digest):
        signed = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + digest
        return b"\4\3" + vector(self._key.sign(signed, ec.ECDSA(hashes.SHA256())), 2)


def _certificates(pem):
    return x509.load_pem_x509_certificates(pem[: pem.index("-----BEGIN PRIVATE")].encode())
