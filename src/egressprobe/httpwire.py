"""HTTP over connections that we made and timed ourselves: httpcore speaks it, and never opens a socket here."""

import zlib
from collections.abc import AsyncIterable, Iterable

import httpcore

from egressprobe.tls import Channel, EndOfStreamError


class TooLargeError(ValueError):
    """A body over its bound, on the wire or unpacked."""


class UnpackError(ValueError):
    """A body that says gzip and is not."""


class Wire(httpcore.AsyncNetworkStream):
    """Our connection as httpcore wants it. The first error is kept as it was.

    until: event loop time at which a wait ends; whoever sends several requests sets it anew for each.
    """

    def __init__(self, channel: Channel, until: float) -> None:
        self.channel, self.until = channel, until
        self.error: Exception | None = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del max_bytes, timeout  # whatever came; one limit for the whole exchange
        try:
            return await self.channel.receive(self.until)
        except (OSError, EndOfStreamError) as error:
            self.error = self.error or error
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        try:
            if buffer:
                await self.channel.send(buffer, self.until)
        except OSError as error:
            self.error = self.error or error
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """The owner of the channel closes it."""


def is_packed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name.lower() == b"content-encoding" and value.lower() == b"gzip" for name, value in headers)


async def read_body(chunks: AsyncIterable[bytes], *, packed: bool, most: int) -> bytes:
    """The body, unpacked if it is gzip, never more than `most` bytes: a bomb stops at the limit.

    Raises TooLargeError, UnpackError and what reading raises.
    """
    unpack = zlib.decompressobj(wbits=31) if packed else None
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            part = unpack.decompress(chunk, most + 1 - size) if unpack else chunk
            size += len(part)
            if size > most:
                raise TooLargeError
            parts.append(part)
    except zlib.error as error:
        raise UnpackError(f"gzip: {error}") from error
    if unpack is not None and not unpack.eof and size:
        raise UnpackError("gzip: ends too early")
    return b"".join(parts)
