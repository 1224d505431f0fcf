"""One possible call, and the limits that may end it: its own, and http.Client.Timeout. Pure."""

import math
from typing import NamedTuple

from egressprobe.apiserver.client_rules import CLIENT_TIMEOUT, Client
from egressprobe.model.failure import Code, Failure, Phase

RACE = 0.1  # seconds: two timers of a busy API server end a call in either order


class PredictedCall(NamedTuple):
    """One possible call: `seconds` until it returns; `error` and `failure` None when it passes.

    alternatives: other texts that it may end with at that time.
    """

    seconds: float
    error: str | None = None
    failure: Failure | None = None
    alternatives: tuple[str, ...] = ()


def limited(call: PredictedCall, client: Client, cause: Failure | None) -> PredictedCall:
    """The call's own limit over everything: `context deadline exceeded`, whatever it was waiting for.

    Where another limit ends the call at the same time, either text may come: RACE seconds decide nothing.
    """
    texts = _racing(call, client)
    if call.seconds < client.limit:
        return call._replace(alternatives=tuple(text for text in texts if text != call.error))
    failure = call.failure or cause
    if failure is None:
        message = f"the call takes {call.seconds:.1f} s, more than its timeout of {client.limit:.0f} s"
        failure = Failure(Phase.HTTP, Code.HTTP_TIMEOUT, message)
    # What never ends by itself may have a text of its own for the limit (the body of a document that stops).
    error = (call.error if math.isinf(call.seconds) else None) or client.rules.timed_out
    others = tuple(text for text in texts if text != error)
    return PredictedCall(client.limit, error, failure, others)


def _racing(call: PredictedCall, client: Client) -> tuple[str, ...]:
    """Every text of a call that fails within RACE of its limit, by chance."""
    connecting = call.failure is not None and call.failure.phase is not Phase.HTTP
    at_client_timeout = client.limit == CLIENT_TIMEOUT and connecting and call.seconds >= client.limit - RACE
    others = client.rules.timeouts if at_client_timeout else ()
    if call.error is None or abs(call.seconds - client.limit) > RACE:
        return (client.rules.timed_out, *others) if others else ()
    return (client.rules.timed_out, call.error, *others)
