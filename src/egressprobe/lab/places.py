"""Where the lab's servers listen: on a loopback address each, or all on 127.0.0.1 with a port each.

Linux has all of 127.0.0.0/8, macOS only 127.0.0.1 unless each address is added by root. There the connections of the
probe to 127.77.0.N lead to port BASE + N of 127.0.0.1; names, URLs, certificates and results are the same.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.model.failure import Failure
from egressprobe.model.target import Endpoint
from egressprobe.probe.transport.connect import Connected, Dial, connect
from egressprobe.probe.transport.stream import Stream
from egressprobe.probe.transport.time_limits import Budget

_PREFIX = "127.77.0."
_ONLY = "127.0.0.1"
_BASES = (20443, 30443, 40443)


class LabPlace(NamedTuple):
    """port: of the URLs. at: address and port of a server by the last byte of its address. dns: the name server's."""

    port: int
    at: Callable[[int], tuple[str, int]]
    dns: str
    dial: Dial


def places(ports: Sequence[int]) -> Iterator[LabPlace]:
    """In the order in which they are tried. ports: for all servers, each on an address of its own."""
    for port in ports:
        yield LabPlace(port, partial(_own_address, port), f"{_PREFIX}53", connect)
    for base in _BASES:
        yield LabPlace(ports[0], partial(_own_port, base), _ONLY, _dial(base))


def _own_address(port: int, last: int) -> tuple[str, int]:
    return f"{_PREFIX}{last}", port


def _own_port(base: int, last: int) -> tuple[str, int]:
    return _ONLY, base + last


def _dial(base: int) -> Dial:
    async def dial(endpoint: Endpoint, budget: Budget, *, mss: int | None = None) -> tuple[Stream | None, Connected]:
        if not endpoint.address.startswith(_PREFIX):
            return await connect(endpoint, budget, mss=mss)
        real = Endpoint(_ONLY, base + int(endpoint.address.removeprefix(_PREFIX)))
        stream, connected = await connect(real, budget, mss=mss)
        if stream is not None:
            stream.endpoint = endpoint
        if connected.failure is not None:
            connected = replace(connected, failure=_as_if_to(endpoint, real, connected.failure))
        return stream, connected

    return dial


def _as_if_to(endpoint: Endpoint, real: Endpoint, failure: Failure) -> Failure:
    api_server_error = failure.api_server_error and failure.api_server_error.replace(str(real), str(endpoint))
    return replace(
        failure, message=failure.message.replace(str(real), str(endpoint)), api_server_error=api_server_error
    )
