"""Go's dialer replayed on measured times: net/dial.go dialParallel, dialSerial, partialDeadline (Go 1.25 and 1.26).

Pure. Input: for each address whether it connects and after how long. Output of `dial`: the address that the call
gets, or the error, and when. All times are seconds from the start of the call.

- Each address gets an equal share of the time that is left, and at least LEAST_DIAL.
- The first error is the one reported.
- The other address family starts FALLBACK_DELAY after the first, or when the first has failed.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

FALLBACK_DELAY = 0.3  # net.Dialer.FallbackDelay (RFC 8305): head start of the first address family
LEAST_DIAL = 2.0  # net/dial.go partialDeadline saneMinimum


class Leg(NamedTuple):
    """One address: `seconds` until it connects or fails (inf: silent), `error`: Go's text, None if it connects."""

    seconds: float
    error: str | None
    timeout_error: str


class Dialled(NamedTuple):
    """The address of the connection, or None and the error; `at`: seconds until that is known."""

    address: str | None
    at: float
    error: str | None


class NotMeasuredError(LookupError):
    """The dial would try an address that was not measured."""


def _serial(order: Sequence[str], legs: Mapping[str, Leg], start: float, deadline: float, horizon: float) -> Dialled:
    """Addresses one after the other; the first error is the one reported."""
    now, error = start, None
    for i, address in enumerate(order):
        if now >= horizon:
            break
        if address not in legs:
            raise NotMeasuredError(address)
        leg = legs[address]
        remaining = deadline - now
        if remaining <= 0:
            error = error or leg.timeout_error
            break
        share = remaining / (len(order) - i)
        if share < LEAST_DIAL:
            share = min(LEAST_DIAL, remaining)
        if leg.error is None and leg.seconds <= share:
            return Dialled(address, now + leg.seconds, None)
        if leg.error is not None and leg.seconds < share:
            now += leg.seconds
            error = error or leg.error
        else:
            now += share
            error = error or leg.timeout_error
    return Dialled(None, now, error)


def dial(
    order: Sequence[str], legs: Mapping[str, Leg], start: float, deadline: float, horizon: float = math.inf
) -> Dialled:
    """Dial `order` (sorted by RFC 6724) with Happy Eyeballs between the families.

    The family of the first address goes first; the other starts after 300 ms or when the first has failed.
    deadline: the dialer's own limit. horizon: when the caller gives up; later results do not matter to it.
    Raises NotMeasuredError where the outcome depends on an address that is not in `legs`.
    """
    first_is_v6 = ":" in order[0]
    primary = [a for a in order if (":" in a) == first_is_v6]
    fallback = [a for a in order if (":" in a) != first_is_v6]
    first = _serial(primary, legs, start, deadline, horizon)
    if not fallback or (first.address and first.at <= start + FALLBACK_DELAY):
        return first
    begin = min(start + FALLBACK_DELAY, first.at)
    second = _serial(fallback, legs, begin, deadline, horizon)
    connected = [result for result in (first, second) if result.address]
    if connected:
        return min(connected, key=lambda result: result.at)
    return Dialled(None, max(first.at, second.at), first.error)
