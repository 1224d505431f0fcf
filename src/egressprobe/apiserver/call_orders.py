"""The orders in which a call may try the addresses of a hop: net/dnsclient_unix.go keeps the response's. Pure."""

from collections.abc import Iterator, Sequence

from egressprobe.model.measurement import Attempt, Hop

# Every rotation of both families is tried up to here; beyond, both turn together.
_MAX_ORDERS = 256


def key_of(hop: Hop, attempt: Attempt) -> str:
    """The key of an attempt in an order: its address; endpoints of a service may share one on several ports."""
    return attempt.address if hop.resolution else f"{attempt.address} {attempt.port}"


def orders(hop: Hop) -> Iterator[tuple[str, ...]]:
    """Every equally likely list of addresses, the one seen first.

    A service's call picks one endpoint at random; a name's response comes in any rotation, each family by
    itself. /etc/hosts does not rotate.
    """
    resolution = hop.resolution
    if resolution is None:
        yield from ((key_of(hop, attempt),) for attempt in hop.attempts)
        return
    addresses = resolution.addresses
    if not addresses:
        return
    v4 = [a for a in addresses if ":" not in a]
    v6 = [a for a in addresses if ":" in a]
    first, second = (v6, v4) if ":" in addresses[0] else (v4, v6)
    if resolution.origin != "dns":
        yield tuple(addresses)
    elif len(first) * max(len(second), 1) > _MAX_ORDERS:
        for i in range(max(len(first), len(second))):
            yield (*_rotated(first, i), *_rotated(second, i))
    else:
        for i in range(len(first)):
            for j in range(max(len(second), 1)):
                yield (*_rotated(first, i), *_rotated(second, j))


def _rotated(items: Sequence[str], by: int) -> tuple[str, ...]:
    by %= len(items) or 1
    return (*items[by:], *items[:by])
