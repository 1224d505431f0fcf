"""A TLS 1.2 server with a cipher suite that OpenSSL may not have, which can also echo the client's session id."""

import ssl
from contextlib import suppress

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from egressprobe.golang.tls.client_hello import vector
from egressprobe.golang.tls.key_schedule import SUITES, Secrets, prf
from egressprobe.golang.tls.protection import CbcProtection, Tls12Protection
from egressprobe.golang.tls_hello import read_client_hello
from egressprobe.lab.servers import TcpServer
from tests.support.peers.tls13_server import _certificates, message
from tests.support.peers.tls_scripts import ANSWER, record


class Tls12Server(TcpServer):
    """pem: chain and key, RSA for a suite with RSA. Without its suite in the offer: handshake_failure."""

    def __init__(self, pem, suite, *, echo=False):
        super().__init__()
        self._chain = [ssl.PEM_cert_to_DER_cert(c.public_bytes(Encoding.PEM).decode()) for c in _certificates(pem)]
        self._key = load_pem_private_key(pem[pem.index("-----BEGIN PRIVATE") :].encode(), None)
        self._number, self._suite, self._echo = suite, SUITES[suite], echo

    async def talk(self, reader, writer):
        try:
            with suppress(EOFError, ConnectionError, ValueError):
                await self._talk(reader, writer)
        finally:
            writer.close()

    async def _record(self, reader):
        header = await reader.readexactly(5)
        return header, await reader.readexactly(int.from_bytes(header[3:5]))

    def _sign(self, data):
        if isinstance(self._key, rsa.RSAPrivateKey):
            return b"\4\1" + vector(self._key.sign(data, padding.PKCS1v15(), hashes.SHA256()), 2)
        return b"\4\3" + vector(self._key.sign(data, ec.ECDSA(hashes.SHA256())), 2)

    def _keys(self, block):
        suite = self._suite
        ivs = 0 if suite.mac else suite.iv
        parts = []
        for size in (suite.mac, suite.mac, suite.key, suite.key, ivs, ivs):
            parts.append(block[:size])
            block = block[size:]
        if suite.mac:
            return CbcProtection(suite, parts[2], parts[0]), CbcProtection(suite, parts[3], parts[1])
        return Tls12Protection(suite, parts[2], parts[4]), Tls12Protection(suite, parts[3], parts[5])

    async def _talk(self, reader, writer):
        header, hello = await self._record(reader)
        offer = read_client_hello(header + hello, b"x-")
        if self._number not in offer.suites:
            writer.write(record(21, b"\2\x28"))
            return
        client, random, key = hello[6:38], bytes(range(32)), x25519.X25519PrivateKey.generate()
        session = vector(offer.session_id if self._echo else b"", 1)
        body = b"\3\3" + random + session + self._number.to_bytes(2) + b"\0" + vector(b"\xff\1\0\1\0", 2)
        exchange = b"\3\0\x1d" + vector(key.public_key().public_bytes_raw(), 1)
        flight = message(2, body) + message(11, vector(b"".join(vector(der, 3) for der in self._chain), 3))
        flight += message(12, exchange + self._sign(client + random + exchange)) + message(14, b"")
        writer.write(record(22, flight))
        _, share = await self._record(reader)
        transcript, digest = hello + flight + share, self._suite.digest
        secret = key.exchange(x25519.X25519PublicKey.from_public_bytes(share[5:]))
        master = prf(digest, secret, b"master secret", client + random, 48)
        suite = self._suite
        total = 2 * (suite.mac + suite.key + (0 if suite.mac else suite.iv))
        reading, writing = self._keys(prf(digest, master, b"key expansion", random + client, total))
        await self._record(reader)
        transcript += reading.open(*await self._record(reader))[1]
        finished = prf(digest, master, b"server finished", Secrets(digest, b"").hash(transcript), 12)
        writer.write(record(20, b"\1") + writing.seal(22, message(20, finished)))
        reading.open(*await self._record(reader))
        writer.write(writing.seal(23, ANSWER) + writing.seal(21, b"\1\0"))
        await writer.drain()
