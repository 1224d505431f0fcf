"""Handshakes that OpenSSL refuses, or does not show whole: the answer is that of Go's client.

Each expectation is what crypto/tls of Go 1.25.5 and 1.26.6 answered to the same server.
"""

import pytest

from egressprobe.apiserver.kube_version import HELLOS
from egressprobe.golang.tls.client_hello import HelloTerms, client_hello, first_shares, vector
from egressprobe.golang.tls.key_exchange import (
    P256,
    P384,
    SECP256R1MLKEM768,
    SECP384R1MLKEM1024,
    X25519,
    X25519MLKEM768,
    KeyShare,
    ShareError,
)
from egressprobe.model.failure import Code
from tests.probe.test_tls import GOOD, attempt
from tests.support.peers.tls13_server import Tls13Server, message

DECODE = "local error: tls: error decoding message"
UNEXPECTED = "local error: tls: unexpected message"


def extension(kind, value=b""):
    return kind.to_bytes(2) + vector(value, 2)


def extended(kind, *extensions):
    """A change that gives the message `kind` these extensions."""

    def change(sent, data):
        if sent != kind:
            return [data]
        packed = vector(b"".join(extensions), 2)
        if kind == 8:
            return [message(8, packed)]
        if kind == 2:
            at = 4 + 34 + 1 + data[38] + 3
            return [message(2, data[4:at] + vector(data[at + 2 :] + packed[2:], 2))]
        # The extensions of the leaf; there is one certificate.
        entry = data[8:-2] + packed
        return [message(11, b"\0" + vector(entry, 3))]

    return change


def inserted(before, data):
    return lambda kind, sent: [data, sent] if kind == before else [sent]


def replaced(kind, data):
    return lambda sent, old: [data] if sent == kind else [old]


# What changes, and Go's text; None: Go accepts it.
CASES = {
    "honest": ({}, None),
    "EncryptedExtensions 13 and 23": ({"change": extended(8, extension(13, b"\0\2\4\3"), extension(23))}, None),
    "EncryptedExtensions of any type": (
        {"change": extended(8, extension(0x4469, b"x"), extension(0xFF01, b"\0"))},
        None,
    ),
    "EncryptedExtensions with groups": ({"change": extended(8, extension(10, b"\0\2\0\x1d"))}, None),
    "EncryptedExtensions twice": ({"change": extended(8, extension(13), extension(13))}, DECODE),
    "an answer to a name that was not sent": ({"change": extended(8, extension(0, b"x"))}, DECODE),
    "a ServerHello with groups": ({"change": extended(2, extension(13, b"\0\2\4\3"))}, None),
    "a ServerHello of TLS 1.2": (
        {"change": extended(2, extension(23))},
        "tls: server sent a ServerHello extension forbidden in TLS 1.3",
    ),
    "a certificate's unknown extension": ({"change": extended(11, extension(0xFF01, b"\0"))}, None),
    "a certificate's empty staple": ({"change": extended(11, extension(5, b"\1\0\0\0"))}, DECODE),
    "a certificate's staple": ({"change": extended(11, extension(5, b"\1\0\0\1x"))}, None),
    "a certificate's empty SCT": ({"change": extended(11, extension(18, b"\0\0"))}, DECODE),
    "a request for a certificate": ({"requests": b"\0" + vector(extension(13, b"\0\2\4\3"), 2)}, None),
    "a request without algorithms": ({"requests": b"\0\0\0"}, None),
    "a request with a filled SCT": (
        {"requests": b"\0" + vector(extension(13, b"\0\2\4\3") + extension(18, b"x"), 2)},
        DECODE,
    ),
    "a request with no authorities": (
        {"requests": b"\0" + vector(extension(13, b"\0\2\4\3") + extension(47, b"\0\0"), 2)},
        DECODE,
    ),
    "a request with a context": ({"requests": b"\1x" + vector(extension(13, b"\0\2\4\3"), 2)}, DECODE),
    "a warning in the clear": ({"clear": [b"\x15\3\3\0\2\1\x5a"]}, "local error: tls: bad record MAC"),
    "17 change_cipher_specs": ({"clear": [b"\x14\3\3\0\1\1"] * 16}, "tls: too many ignored records"),
    "a ticket of no bytes": ({"after": [message(4, bytes(13))]}, None),
    "a ticket with a known extension": ({"after": [message(4, bytes(11) + vector(extension(41, b"\0\0"), 2))]}, None),
    "a ticket that is cut": ({"after": [message(4, bytes(12))]}, DECODE),
    "a message that is no message": ({"change": inserted(11, b"\x63\0\0\0")}, UNEXPECTED),
    "a HelloRequest": (
        {"change": inserted(11, b"\0\0\0\0")},
        "tls: received unexpected handshake message of type *tls.helloRequestMsg when waiting for "
        "*tls.certificateMsgTLS13",
    ),
    "no Finished": (
        {"change": replaced(20, message(8, b"\0\0"))},
        "tls: received unexpected handshake message of type *tls.encryptedExtensionsMsg when waiting for "
        "*tls.finishedMsg",
    ),
    "another Finished": ({"change": replaced(20, message(20, bytes(32)))}, "tls: invalid server finished hash"),
    "a signature of nothing": (
        {"change": replaced(15, message(15, b"\4\3\0\0"))},
        "tls: invalid signature by the server certificate: ECDSA verification failure",
    ),
    "a signature by another curve's scheme": (
        {"change": replaced(15, message(15, b"\5\3\0\0"))},
        "tls: certificate used with invalid signature algorithm",
    ),
}


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("version", ["1.35", "1.36"])
def test_go_decides(lab_loop, case, version):
    options, text = CASES[case]
    failure = attempt(lab_loop.start(Tls13Server(GOOD, **options)), version=version).failure
    assert (failure.api_server_error if failure else None) == text
    assert failure is None or failure.code is Code.TLS_ALERT


@pytest.mark.parametrize(
    ("group", "version", "passes"),
    [
        (X25519MLKEM768, "1.35", True),
        (SECP256R1MLKEM768, "1.36", True),
        (SECP384R1MLKEM1024, "1.36", True),
        (SECP256R1MLKEM768, "1.35", False),
        (X25519MLKEM768, "1.31", False),
    ],
)
def test_a_server_with_one_hybrid_group_only(lab_loop, group, version, passes):
    """OpenSSL before 3.5 has none of them; only the first of Go's list has a share, for another the server asks."""
    measured = attempt(lab_loop.start(Tls13Server(GOOD, group)), version=version)
    if group == X25519MLKEM768 and passes:
        assert measured.failure is None
        assert measured.tls.group == "X25519MLKEM768"
    elif passes:
        assert measured.failure.api_server_error == "EOF", "this server ends after its HelloRetryRequest"
    else:
        assert measured.failure.api_server_error == "remote error: tls: handshake failure"


def test_a_retry_with_an_encrypted_hello_is_refused(lab_loop):
    """Nobody asked for it; in a ServerHello it is ignored."""
    change = extended(2, extension(0xFE0D, bytes(8)))
    retry = attempt(lab_loop.start(Tls13Server(GOOD, P384, change)), version="1.35").failure
    assert retry.api_server_error == "tls: unexpected encrypted client hello extension in serverHello"
    assert attempt(lab_loop.start(Tls13Server(GOOD, X25519, change)), version="1.35").failure is None


@pytest.mark.parametrize("group", [X25519, P256, P384, X25519MLKEM768, SECP256R1MLKEM768, SECP384R1MLKEM1024])
def test_a_share_of_another_size_is_no_share(group):
    share = KeyShare(group)
    for data in (b"", bytes(31), bytes(2000), b"\2" + bytes(32)):
        with pytest.raises(ShareError):
            share.agree(data)


@pytest.mark.parametrize("version", list(HELLOS))
@pytest.mark.parametrize("alpn", [("http/1.1",), ("h2", "http/1.1")])
def test_the_hello_has_gos_size(version, alpn):
    """As recorded of kube-apiserver, but for the draft of 1.32, which is left out."""
    hello = HELLOS[version]
    terms = HelloTerms("t.lab", alpn, hello.groups, hello.release)
    size = 5 + len(client_hello(terms, bytes(32), bytes(32), first_shares(terms)))
    wanted = hello.size + len("t.lab") + 3 * ("h2" in alpn)
    assert size == pytest.approx(wanted, abs=1300 if version == "1.32" else 0)
