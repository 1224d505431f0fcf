"""An OIDC provider hop by hop: discovery, its redirects, the key set (often on another host).

Every host on the way is measured like any other: resolved, all addresses dialled. Then one GET goes to the
first address that took the call, over a connection of its own.
"""

import asyncio

from msgspec.structs import replace

from egressprobe import oidc
from egressprobe.budget import HTTP_LIMIT, OIDC_LIMIT, SLACK, Budget
from egressprobe.failure import Code, Failure, Phase
from egressprobe.measured import Hop, HttpExchange, Role
from egressprobe.model import Endpoint, Target
from egressprobe.probe import Probe
from egressprobe.urls import Place, parse_url, shown


async def follow(probe: Probe, target: Target, first: Hop, budget: Budget) -> tuple[Hop, ...]:
    """The hops of one provider; the last one holds the failure, if any. `first`: the issuer's host, measured."""
    issuer = target.url
    hops, answer = await _walk(probe, target, oidc.discovery_url(issuer), replace(first, role="discovery"), budget)
    if answer is None:
        return tuple(hops)
    jwks, failure = oidc.read_discovery(answer, issuer)
    if failure:
        return (*hops[:-1], _failed(hops[-1], failure))
    again = budget._replace(call_ends=asyncio.get_running_loop().time() + OIDC_LIMIT + SLACK)
    # The key set's host is measured anew even where it is the issuer's: it is another connection.
    keys, answer = await _walk(probe, target, jwks, None, again)
    failure = oidc.read_keys(answer) if answer is not None else None
    if failure:
        keys[-1] = _failed(keys[-1], failure)
    return (*hops, *keys)


async def _walk(
    probe: Probe, target: Target, url: str, hop: Hop | None, budget: Budget
) -> tuple[list[Hop], oidc.Answer | None]:
    """GET `url` and follow its redirects. No answer: the last hop says why."""
    role: Role = "jwks" if hop is None else "discovery"
    hops: list[Hop] = []
    for _ in range(oidc.MAX_REDIRECTS + 1):
        try:
            place = parse_url(url, ("https", "http"), query=True)
        except ValueError as error:
            said = f"«{shown(url)}» {error}"
            failure = Failure(
                Phase.HTTP, Code.HTTP_REDIRECT, said, f'unsupported protocol scheme or URL: "{shown(url)}"'
            )
            hops.append(Hop(role=role, url=shown(url), host="", port=0, failure=failure))
            return hops, None
        if asyncio.get_running_loop().time() >= budget.call_ends:
            said = f"the redirects before {shown(url)} took all the time there is"
            failure = Failure(Phase.HTTP, Code.HTTP_TIMEOUT, said)
            hops.append(Hop(role=role, url=shown(url), host=place.host, port=place.port, failure=failure))
            return hops, None
        measured = hop or await probe.hop(target, role, url, place, budget)
        fetched, answer = await _fetch(probe, target, replace(measured, url=shown(url)), url, place, budget)
        hops.append(fetched)
        if answer is None or answer.location is None:
            return hops, answer
        url, hop = answer.location, None
    said, text = f"more than {oidc.MAX_REDIRECTS} redirects", f"stopped after {oidc.MAX_REDIRECTS} redirects"
    hops[-1] = _failed(hops[-1], Failure(Phase.HTTP, Code.HTTP_REDIRECT, said, text))
    return hops, None


async def _fetch(
    probe: Probe, target: Target, hop: Hop, url: str, place: Place, budget: Budget
) -> tuple[Hop, oidc.Answer | None]:
    """One GET to the first address of the hop that took a call."""
    address = next((attempt.address for attempt in hop.attempts if attempt.failure is None), None)
    if address is None:
        return hop, None
    opened = await probe.open(target, Endpoint(address, place.port), place, budget)
    if opened.channel is None:
        return _failed(hop, opened.attempt.failure), None
    try:
        answer, failure, ms = await oidc.fetch(opened.channel, url, budget, HTTP_LIMIT)
    finally:
        await opened.channel.goodbye()
    http = HttpExchange(
        url=shown(url),
        address=address,
        duration_ms=ms,
        protocol=answer.protocol if answer else "",
        status=answer.status if answer else None,
        body_bytes=len(answer.body) if answer else 0,
        failure=failure,
    )
    return replace(hop, http=http, failure=failure), answer


def _failed(hop: Hop, failure: Failure | None) -> Hop:
    """The hop with what is wrong with its answer; its exchange shows it too."""
    http = replace(hop.http, failure=failure) if hop.http else None
    return replace(hop, http=http, failure=failure)
