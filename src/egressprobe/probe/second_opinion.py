"""A handshake that OpenSSL refuses, or does not show whole, made once more by a TLS client as Go's (golang/tls).

OpenSSL refuses some of what Go accepts (extensions that it does not expect, warnings, curves of certificates, groups
that it lacks) and gives its own reasons for what both refuse. The answer here is Go's, and where Go accepts, the
exchange goes on over this connection.
"""

import ssl

from msgspec.structs import replace

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt
from egressprobe.model.target import Endpoint
from egressprobe.probe.missing_group import selected_group
from egressprobe.probe.transport.connect import Dial
from egressprobe.probe.transport.go_session import GoOffer, go_handshake
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls import Channel

# Of Go 1.23 only: a draft of the hybrid share.
_NOT_OURS = "X25519Kyber768Draft00"


async def with_missing_group(
    dial: Dial, first: Attempt, offer: GoOffer, budget: Budget
) -> tuple[Attempt, Channel | None]:
    """After a refusal: whether it is only this OpenSSL's, as the server has a group that Go offers and OpenSSL not."""
    endpoint = Endpoint(first.address, first.port)
    group = await selected_group(endpoint, offer.name, offer.hello, budget)
    if group is None:
        return first, None
    if group != _NOT_OURS:
        return await second_opinion(dial, first, offer, budget)
    message = f"{endpoint} takes the group {group}, which the API server has and this {ssl.OPENSSL_VERSION} has not"
    return replace(first, failure=Failure(Phase.TLS, Code.PROBE_LIMITATION, message)), None


async def second_opinion(dial: Dial, first: Attempt, offer: GoOffer, budget: Budget) -> tuple[Attempt, Channel | None]:
    """`first` as a Go client measures it, and the connection if it is good. `first` itself if nothing connects."""
    stream, connected = await dial(Endpoint(first.address, first.port), budget)
    if stream is None:
        return first, None
    keep = False
    try:
        session, handshake, failure = await go_handshake(stream, offer, budget)
        keep = failure is None
    finally:
        if not keep:
            stream.close()
    attempt = replace(
        first,
        connect_ms=connected.ms,
        connect_user_ms=connected.user_ms,
        tls=handshake,
        failure=failure,
        failure_ms=None if failure is None else handshake.duration_ms,
    )
    return attempt, session if keep else None
