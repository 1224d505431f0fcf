"""Servers whose handshake is damaged: Go's checks alone, then a whole attempt over loopback."""

import ssl
import time
from contextlib import suppress
from random import Random

from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.golang.release import GoRelease
from egressprobe.golang.tls.client import GoTlsClient
from egressprobe.golang.tls.client_hello import HelloTerms
from egressprobe.golang.tls_client import ServerFlight
from egressprobe.golang.tls_hello import read_client_hello
from egressprobe.golang.tls_record import TLS_1_3, GoTlsError
from egressprobe.lab.servers import server_context
from egressprobe.model.failure import Code
from egressprobe.probe.transport.tls_context import PADDING_PREFIX, Offer, client_hello, context
from tests.probe.test_tls import GOOD, attempt
from tests.support.peers.tls13_server import Tls13Server, message
from tests.support.peers.tls_scripts import ScriptedTls, flight, record, records, recut

_CALL = 0.4  # seconds that a damaged server may keep us waiting


def _contexts():
    made = []
    for group, version in ((None, None), ("secp384r1", None), (None, ssl.TLSVersion.TLSv1_2)):
        tls = server_context(GOOD)
        if group:
            tls.set_ecdh_curve(group)
        if version:
            tls.maximum_version = version
        made.append(tls)
    return made


CONTEXTS = _contexts()
HELLO = client_hello(context("", (), Offer(()), verify=False), b"t.lab")
OFFER = read_client_hello(HELLO, PADDING_PREFIX)


def _damaged(random, data):
    data = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 6))):
        at = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                data[at] = random.randrange(256)
            case 1:
                del data[at : at + random.randrange(8)]
            case 2:
                data[at:at] = random.randbytes(random.randrange(1, 8))
            case _:
                data[at:at] = record(random.choice((20, 21, 22, 23)), random.randbytes(random.choice((0, 1, 2, 4))))
        data = data or bytearray(b"\0")
    return bytes(data)


def test_tls_flights(fuzz):
    """Go's error or none, whatever comes and in whatever pieces."""
    flights = [flight(tls, HELLO) for tls in CONTEXTS]

    def check(random):
        data, server = _damaged(random, random.choice(flights)), ServerFlight(OFFER, GoRelease.V1_26)
        with suppress(GoTlsError):
            while data:
                size = random.randrange(1, len(data) + 1)
                server.feed(data[:size])
                data = data[size:]
        server.records.version, server.complete = random.choice((0x0303, TLS_1_3)), random.random() < 0.5
        with suppress(GoTlsError):
            server.decrypted(random.randbytes(random.randrange(4, 40)))

    fuzz(check, inputs=4500, most_seconds=0.2)


def test_tls_servers(fuzz, lab_loop):
    """A failure in time, never internal_error, and never a pass: what is changed is part of what both sides hash."""

    def check(random):
        original = {}

        def change(number, data):
            if number:
                return data
            kind, content = next(records(data))
            changed = _damaged(random, content)
            original["same"] = changed == content
            return recut(record(kind, changed), [random.randrange(1, 200)]) + data[5 + len(content) :]

        server = lab_loop.start(ScriptedTls(random.choice(CONTEXTS), change))
        began = time.monotonic()
        found = attempt(server, call=_CALL, version=random.choice(("1.31", "1.35", "1.36")))
        assert time.monotonic() - began < 60 * _CALL
        assert found.failure is None or found.failure.code is not Code.INTERNAL_ERROR, found.failure
        assert original["same"] or found.failure is not None

    fuzz(check, inputs=30)


_OTHER = (
    message(0, b""),
    message(4, bytes(13)),
    message(24, b"\0"),
    message(8, b"\0\0"),
    message(99, b"x"),
    message(20, b""),
)
_HELLO_TERMS = HelloTerms("t.lab", ("http/1.1",), HELLOS["1.35"].groups, GoRelease.V1_25)


def _changed_message(random, data):
    match random.randrange(5):
        case 0:
            return [message(data[0], _damaged(random, data[4:] or b"\0"))]
        case 1:
            return [data, data]
        case 2:
            return [random.choice(_OTHER), data]
        case 3:
            return [data, random.choice(_OTHER)]
        case _:
            return [random.choice(_OTHER)]


def test_encrypted_flights(fuzz, lab_loop):
    """Messages that both sides hash, so that only their content decides: never internal_error, never an open end."""

    def check(random):
        kind, flips = random.choice((2, 8, 11, 15, 20)), random.random() < 0.2
        changed_kinds, seed = [], random.random()

        def change(sent, data):
            own = Random(f"{seed} {sent}")  # the same for each connection
            if sent != kind and not (flips and own.random() < 0.3):
                return [data]
            changed = _changed_message(own, data)
            changed_kinds.extend([sent] if changed != [data] else [])
            return changed

        after = [random.choice(_OTHER) for _ in range(random.choice((0, 0, 1, 20)))]
        server = lab_loop.start(Tls13Server(GOOD, change=change, after=after))
        began = time.monotonic()
        found = attempt(server, call=_CALL, version=random.choice(("1.31", "1.35", "1.36")))
        assert time.monotonic() - began < 60 * _CALL
        assert found.failure is None or found.failure.code is not Code.INTERNAL_ERROR, found.failure
        if {15, 20} & set(changed_kinds):  # a signature and a hash of what both sides have seen
            assert found.failure is not None

    fuzz(check, inputs=80)


def test_bytes_for_the_second_client(fuzz):
    """Go's error or none, whatever comes and in whatever pieces."""
    flights = [flight(tls, HELLO) for tls in CONTEXTS]

    def check(random):
        client = GoTlsClient(_HELLO_TERMS, random.choice(list(GoRelease)), lambda _: None)
        data = _damaged(random, random.choice(flights)) if random.random() < 0.9 else random.randbytes(200)
        with suppress(GoTlsError):
            while data and client.selected is None:
                size = random.randrange(1, len(data) + 1)
                client.feed(data[:size])
                data = data[size:]

    fuzz(check, inputs=1000, most_seconds=0.5)
