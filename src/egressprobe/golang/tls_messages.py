"""The form of a server's handshake messages: crypto/tls/handshake_messages.go unmarshal (Go 1.25, 1.26). Pure.

Go reads a message before it looks whether the message belongs there. Unknown extensions are ignored.
"""

from collections.abc import Callable

from egressprobe.golang.tls_hello import Fields, read_alpn, read_server_hello
from egressprobe.golang.tls_record import DECODE_ERROR, TLS_1_3, UNEXPECTED_MESSAGE, local_error

_STATUS, _SIGNATURES, _SCT, _EARLY_DATA, _AUTHORITIES, _SIGNATURES_CERT = 5, 13, 18, 42, 47, 50
_SERVER_NAME, _ALPN = 0, 16
_OCSP = 1


def _filled(value: bytes) -> bytes:
    if not value:
        raise local_error(DECODE_ERROR)
    return value


def _vectors(data: bytes) -> None:
    """A list of non-empty values with lengths of two bytes; not empty."""
    fields = Fields(_filled(data))
    while fields.left:
        _filled(fields.vector(2))


def _numbers(data: bytes) -> None:
    if len(_filled(data)) % 2:
        raise local_error(DECODE_ERROR)


def _empty(body: bytes) -> None:
    if body:
        raise local_error(DECODE_ERROR)


def _extensions(data: bytes, known: dict[int, Callable[[Fields], object]]) -> None:
    """Each known extension to its end; one type twice is fine here."""
    fields = Fields(data)
    while fields.left:
        kind, value = fields.number(2), Fields(fields.vector(2))
        if kind in known:
            known[kind](value)
            value.end()


def _status(fields: Fields) -> None:
    if fields.number(1) != _OCSP:
        raise local_error(DECODE_ERROR)
    _filled(fields.vector(3))


_REQUEST: dict[int, Callable[[Fields], object]] = {
    _STATUS: lambda _: None,
    _SCT: lambda _: None,
    _SIGNATURES: lambda fields: _numbers(fields.vector(2)),
    _SIGNATURES_CERT: lambda fields: _numbers(fields.vector(2)),
    _AUTHORITIES: lambda fields: _vectors(fields.vector(2)),
}
_LEAF: dict[int, Callable[[Fields], object]] = {_STATUS: _status, _SCT: lambda fields: _vectors(fields.vector(2))}


def _certificate_request_13(body: bytes) -> None:
    fields = Fields(body)
    _empty(fields.vector(1))
    extensions = fields.vector(2)
    fields.end()
    _extensions(extensions, _REQUEST)


def _certificate_request_12(body: bytes, *, with_algorithms: bool = True) -> None:
    fields = Fields(body)
    _filled(fields.vector(1))
    if with_algorithms:
        _numbers(fields.vector(2))
    names = Fields(fields.vector(2))
    while names.left:
        names.vector(2)
    fields.end()


def _certificates_13(body: bytes) -> None:
    fields = Fields(body)
    _empty(fields.vector(1))
    chain, known = Fields(fields.vector(3)), _LEAF
    fields.end()
    while chain.left:
        chain.vector(3)
        _extensions(chain.vector(2), known)
        known = {}


def _certificates_12(body: bytes) -> None:
    fields = Fields(body)
    chain = Fields(fields.vector(3))
    fields.end()
    while chain.left:
        chain.vector(3)


def _ticket_13(body: bytes) -> None:
    fields = Fields(body)
    fields.take(8)
    fields.vector(1)
    fields.vector(2)
    extensions = fields.vector(2)
    fields.end()
    _extensions(extensions, {_EARLY_DATA: lambda value: value.take(4)})


def _ticket_12(body: bytes) -> None:
    fields = Fields(body)
    fields.take(4)
    fields.vector(2)
    fields.end()


def _certificate_verify(body: bytes, *, with_algorithm: bool = True) -> None:
    fields = Fields(body)
    if with_algorithm:
        fields.take(2)
    fields.vector(2)
    fields.end()


def _certificate_status(body: bytes) -> None:
    fields = Fields(body)
    _status(fields)
    fields.end()


def _key_update(body: bytes) -> None:
    if body not in (b"\0", b"\1"):
        raise local_error(DECODE_ERROR)


def _encrypted_extensions(body: bytes) -> None:
    fields = Fields(body)
    extensions = fields.extensions()
    fields.end()
    _empty(extensions.get(_SERVER_NAME, b""))
    _empty(extensions.get(_EARLY_DATA, b""))
    if _ALPN in extensions:
        read_alpn(extensions[_ALPN])


def _client_hello(body: bytes) -> None:
    """The fixed part; a server that sends one is refused anyway."""
    fields = Fields(body)
    fields.take(34)
    fields.vector(1)
    _numbers_or_none(fields.vector(2))
    fields.vector(1)
    if fields.left:
        fields.extensions()
        fields.end()


def _numbers_or_none(data: bytes) -> None:
    if len(data) % 2:
        raise local_error(DECODE_ERROR)


def _anything(body: bytes) -> None:
    del body


_FORMS: dict[int, tuple[Callable[[bytes], None], Callable[[bytes], None]]] = {
    # helloRequestMsg, clientHelloMsg, newSessionTicketMsg, endOfEarlyDataMsg, encryptedExtensionsMsg
    0: (_empty, _empty),
    1: (_client_hello, _client_hello),
    4: (_ticket_12, _ticket_13),
    5: (_empty, _empty),
    8: (_encrypted_extensions, _encrypted_extensions),
    11: (_certificates_12, _certificates_13),
    12: (_anything, _anything),
    13: (_certificate_request_12, _certificate_request_13),
    14: (_empty, _empty),
    15: (_certificate_verify, _certificate_verify),
    16: (_anything, _anything),
    20: (_anything, _anything),
    22: (_certificate_status, _certificate_status),
    24: (_key_update, _key_update),
}
# Before the version is known they have no algorithms (hasSignatureAlgorithm).
_EARLY: dict[int, Callable[[bytes], None]] = {
    13: lambda body: _certificate_request_12(body, with_algorithms=False),
    15: lambda body: _certificate_verify(body, with_algorithm=False),
}
_SERVER_HELLO = 2


def check_form(message: bytes, version: int) -> None:
    """Raises GoTlsError for a message that Go cannot read. version: 0 before it is known."""
    kind = message[0]
    if kind == _SERVER_HELLO:
        read_server_hello(message)
        return
    if kind not in _FORMS:
        raise local_error(UNEXPECTED_MESSAGE)
    form = _FORMS[kind][version == TLS_1_3]
    (form if version else _EARLY.get(kind, form))(message[4:])
