"""Our connection as httpcore's stream, and bodies read over it with a bound."""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterable, Iterable

import httpcore

from egressprobe.probe.transport.tls import Channel
from egressprobe.probe.transport.tls_failure import EndOfStreamError

# httpx logs every URL with its query at INFO, which a function's log level may let through.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


class TooLargeError(ValueError):
    """A body over its bound, as received or decompressed."""


class UnpackError(ValueError):
    """A body that is labelled gzip and is not gzip."""


class Wire(httpcore.AsyncNetworkStream):
    """Our connection as httpcore's stream interface. The first error is kept unchanged.

    until: event loop time at which a wait ends; a caller that sends several requests sets it for each.
    most: bytes received altogether, None for no bound.
    """

    def __init__(self, channel: Channel, until: float, most: int | None = None) -> None:
        self.channel, self.until = channel, until
        self.error: Exception | None = None
        self._left = most

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del max_bytes, timeout  # what has arrived; one limit for the whole exchange
        try:
            data = await receive(self.channel, self.until)
        except (OSError, EndOfStreamError) as error:
            self.error = self.error or error
            raise httpcore.ReadError(str(error)) from error
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self.error = self.error or TooLargeError()
                raise httpcore.ReadError("too many bytes")
        return data

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


async def receive(channel: Channel, until: float) -> bytes:
    """The next bytes. Raises TimeoutError at `until` also while data is waiting; lets the other targets run.

    What the data so far cost is charged to the peer before that. Raises PeerLimitError.
    """
    if asyncio.get_running_loop().time() >= until:
        raise TimeoutError
    channel.stream.budget.stop_cpu()
    await asyncio.sleep(0)
    data = await channel.receive(until)
    channel.stream.budget.start_cpu(asyncio.get_running_loop())
    return data


def is_packed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the body is gzip."""
    return any(name.lower() == b"content-encoding" and value.lower() == b"gzip" for name, value in headers)


async def read_body(chunks: AsyncIterable[bytes], *, packed: bool, most: int) -> bytes:
    """The body, decompressed if it is gzip, at most `most` bytes: a decompression bomb stops at the limit.

    Raises TooLargeError, UnpackError and what reading raises.
    """
    unpack = zlib.decompressobj(wbits=31) if packed else None
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in chunks:
            if unpack is not None and unpack.eof and chunk:
                raise UnpackError("gzip: invalid header")  # of the member that the next bytes would begin
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
