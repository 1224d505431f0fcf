"""The client's side of SOCKS 5 (RFC 1928, RFC 1929), as net/http/socks_bundle.go speaks it. Pure: it does no input.

The texts are Go's; the caller puts `socks connect tcp PROXY->TARGET: ` before them.
"""

from collections.abc import Generator
from ipaddress import ip_address

from egressprobe.net.addresses import is_address

_VERSION, _CONNECT = 5, 1
_NO_AUTHENTICATION, _PASSWORD, _NONE_ACCEPTABLE = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_LONGEST = 255
# socksReply.String
_REPLIES = {
    1: "general SOCKS server failure",
    2: "connection not allowed by ruleset",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}

# What is sent, and how many bytes of the answer are needed next.
type SocksStep = tuple[bytes, int]


class SocksError(ValueError):
    """A proxy that refuses, or that does not speak SOCKS 5. The text is Go's."""


def socks_connect(host: str, port: int, credentials: tuple[bytes, bytes] | None) -> Generator[SocksStep, bytes]:
    """The dialogue for one CONNECT: yields what to send and how much to read, is sent what was read.

    host: an address, or a name that the proxy resolves. Raises SocksError.
    """
    methods = bytes([_NO_AUTHENTICATION, _PASSWORD] if credentials else [_NO_AUTHENTICATION])
    answer = yield bytes([_VERSION, len(methods)]) + methods, 2
    _check_version(answer[0])
    method = answer[1]
    if method == _NONE_ACCEPTABLE:
        raise SocksError("no acceptable authentication methods")
    if credentials:  # without credentials Go goes on, whatever method was selected
        yield from _authenticate(method, credentials)
    answer = yield bytes([_VERSION, _CONNECT, 0]) + _address(host) + port.to_bytes(2), 4
    _check_version(answer[0])
    if answer[1]:
        raise SocksError(f"unknown error {_REPLIES.get(answer[1], f'unknown code: {answer[1]}')}")
    if answer[2]:
        raise SocksError("non-zero reserved field")
    if answer[3] not in (_IPV4, _NAME, _IPV6):
        raise SocksError(f"unknown address type {answer[3]}")
    length = {_IPV4: 4, _IPV6: 16}.get(answer[3])
    if length is None:
        length = (yield b"", 1)[0]
    yield b"", length + 2


def _check_version(version: int) -> None:
    if version != _VERSION:
        raise SocksError(f"unexpected protocol version {version}")


def _authenticate(method: int, credentials: tuple[bytes, bytes]) -> Generator[SocksStep, bytes]:
    if method == _NO_AUTHENTICATION:
        return
    if method != _PASSWORD:
        raise SocksError(f"unsupported authentication method {method}")
    user, password = credentials
    if not user or max(len(user), len(password)) > _LONGEST:
        raise SocksError("invalid username/password")
    answer = yield bytes([1, len(user)]) + user + bytes([len(password)]) + password, 2
    if answer[0] != 1:
        raise SocksError("invalid username/password version")
    if answer[1]:
        raise SocksError("username/password authentication failed")


def _address(host: str) -> bytes:
    if is_address(host) and "%" not in host:
        address = ip_address(host)
        address = getattr(address, "ipv4_mapped", None) or address
        return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed
    name = host.encode()
    if len(name) > _LONGEST:
        raise SocksError("FQDN too long")
    return bytes([_NAME, len(name)]) + name
