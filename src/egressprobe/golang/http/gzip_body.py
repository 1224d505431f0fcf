"""A gzip body as Go's client unpacks it: one member after the other, nothing else behind them.

Source: net/http/transport.go gzipReader, compress/gzip/gunzip.go (Go 1.25); RFC 1952.
"""

import struct
import zlib

from egressprobe.golang.http.input import BodyTooLargeError, HttpError

_EXTRA, _NAME, _COMMENT, _HEADER_CRC = 4, 8, 16, 2
_MOST_NAME = 512  # gunzip.go: z.buf
_WINDOW = 512  # bytes given to zlib first; what it does not use is copied


def gunzip(data: bytes, most: int) -> bytes:
    """The unpacked body; b"" of an empty one. Raises HttpError (in_body), BodyTooLargeError beyond `most` bytes."""
    unpacked = bytearray()
    at = 0
    while at < len(data):
        at = _header(data, at)
        start = len(unpacked)
        at = _deflate(data, at, unpacked, most)
        if at + 8 > len(data):
            raise _error("unexpected EOF")
        crc, size = struct.unpack_from("<II", data, at)
        if crc != zlib.crc32(memoryview(unpacked)[start:]) or size != (len(unpacked) - start) & 0xFFFFFFFF:
            raise _error("gzip: invalid checksum")
        at += 8
    return bytes(unpacked)


class GzipError(HttpError):
    """A body that was sent whole and is not gzip."""


def _error(text: str) -> GzipError:
    return GzipError(text, in_body=True)


def _header(data: bytes, start: int) -> int:
    """Where the compressed data begins."""
    if start + 10 > len(data):
        raise _error("unexpected EOF")
    if data[start : start + 3] != b"\x1f\x8b\x08":
        raise _error("gzip: invalid header")
    flags, at = data[start + 3], start + 10
    if flags & _EXTRA:
        if at + 2 > len(data):
            raise _error("unexpected EOF")
        at += 2 + struct.unpack_from("<H", data, at)[0]
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            end = data.find(b"\0", at, at + _MOST_NAME)
            if end < 0:
                raise _error("gzip: invalid header" if at + _MOST_NAME <= len(data) else "unexpected EOF")
            at = end + 1
    if flags & _HEADER_CRC:
        if at + 2 > len(data):
            raise _error("unexpected EOF")
        if struct.unpack_from("<H", data, at)[0] != zlib.crc32(data[start:at]) & 0xFFFF:
            raise _error("gzip: invalid header")
        at += 2
    if at > len(data):
        raise _error("unexpected EOF")
    return at


def _deflate(data: bytes, at: int, unpacked: bytearray, most: int) -> int:
    """Unpack one member's data onto `unpacked`; where it ends. The windows grow: many small members stay linear."""
    unpack = zlib.decompressobj(wbits=-15)
    window = _WINDOW
    while not unpack.eof:
        if at >= len(data) and not unpack.unconsumed_tail:
            raise _error("unexpected EOF")
        piece = data[at : at + window]
        try:
            unpacked += unpack.decompress(piece, most + 1 - len(unpacked))
        except zlib.error as error:
            raise _error(f"flate: corrupt input before offset {at + len(piece)}") from error
        if len(unpacked) > most:
            raise BodyTooLargeError
        at += len(piece) - len(unpack.unconsumed_tail) - len(unpack.unused_data)
        window = min(window * 2, 1 << 16)
    return at
