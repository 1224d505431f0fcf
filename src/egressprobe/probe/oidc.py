"""An OIDC provider hop by hop: discovery, its redirects, the key set (often on another host).

Every host on the way is measured like any other: resolved, all addresses dialled. Then one GET goes to the
first address that took the call, over a connection of its own.
"""

import asyncio
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Hop, HttpExchange, Role
from egressprobe.model.target import Endpoint, Target
from egressprobe.net.urls import Place, parse_url, shown
from egressprobe.probe.hop import Prober
from egressprobe.probe.transport.http import (
    Answer,
    _failure,
    _shown,
    fetch,
)
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, OIDC_LIMIT, SLACK, Budget

MAX_REDIRECTS = 10  # net/http.defaultCheckRedirect
_KEY_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}  # RFC 7518, RFC 8037


async def follow(prober: Prober, target: Target, first: Hop, budget: Budget) -> tuple[Hop, ...]:
    """The hops of one provider; the last one holds the failure, if any. `first`: the issuer's host, measured."""
    issuer = target.url
    hops, answer = await _walk(prober, target, discovery_url(issuer), replace(first, role="discovery"), budget)
    if answer is None:
        return tuple(hops)
    jwks, failure = read_discovery(answer, issuer)
    if failure:
        return (*hops[:-1], _failed(hops[-1], failure))
    again = budget._replace(call_ends=asyncio.get_running_loop().time() + OIDC_LIMIT + SLACK)
    # The key set's host is measured anew even where it is the issuer's: it is another connection.
    keys, answer = await _walk(prober, target, jwks, None, again)
    failure = read_keys(answer) if answer is not None else None
    if failure:
        keys[-1] = _failed(keys[-1], failure)
    return (*hops, *keys)


async def _walk(
    prober: Prober, target: Target, url: str, hop: Hop | None, budget: Budget
) -> tuple[list[Hop], Answer | None]:
    """GET `url` and follow its redirects. No answer: the last hop says why."""
    role: Role = "jwks" if hop is None else "discovery"
    hops: list[Hop] = []
    for _ in range(MAX_REDIRECTS + 1):
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
        measured = hop or await prober.hop(target, role, url, place, budget)
        fetched, answer = await _fetch(prober, target, replace(measured, url=shown(url)), url, place, budget)
        hops.append(fetched)
        if answer is None or answer.location is None:
            return hops, answer
        url, hop = answer.location, None
    said, text = f"more than {MAX_REDIRECTS} redirects", f"stopped after {MAX_REDIRECTS} redirects"
    hops[-1] = _failed(hops[-1], Failure(Phase.HTTP, Code.HTTP_REDIRECT, said, text))
    return hops, None


async def _fetch(
    prober: Prober, target: Target, hop: Hop, url: str, place: Place, budget: Budget
) -> tuple[Hop, Answer | None]:
    """One GET to the first address of the hop that took a call."""
    address = next((attempt.address for attempt in hop.attempts if attempt.failure is None), None)
    if address is None:
        return hop, None
    opened = await prober.open(target, Endpoint(address, place.port), place, budget)
    if opened.channel is None:
        return _failed(hop, opened.attempt.failure), None
    try:
        answer, failure, ms = await fetch(opened.channel, url, budget, HTTP_LIMIT)
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


def _field(document: dict[str, Any], name: str) -> Any:
    """A member by name, in any case: encoding/json prefers the exact one."""
    if name in document:
        return document[name]
    return next((value for key, value in document.items() if key.lower() == name), None)


def _object(body: bytes) -> dict[str, Any] | str:
    """The JSON object in `body`, or why there is none."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error)
    except RecursionError:
        return "exceeded max depth"
    return document if isinstance(document, dict) else f"a JSON {type(document).__name__}, not an object"


def read_discovery(answer: Answer, issuer: str) -> tuple[str, Failure | None]:
    """The jwks_uri out of a discovery document, or what the API server holds against it."""
    if answer.status != 200:
        text = f"{answer.status} {answer.reason}: {_shown(answer.body)}"
        return "", _failure(Code.HTTP_STATUS, f"discovery answers with status {answer.status}, not 200", text)
    document = _object(answer.body)
    if isinstance(document, str):
        text = f"oidc: failed to decode provider discovery object: {document}"
        return "", _failure(Code.HTTP_BODY_INVALID, f"the discovery document is not JSON: {document}", text)
    got, jwks = _field(document, "issuer"), _field(document, "jwks_uri")
    if got != issuer:
        shown = got if isinstance(got, str) else ""
        text = f'oidc: issuer did not match the issuer returned by provider, expected "{issuer}" got "{shown}"'
        said = f"the document names the issuer «{shown}», the cluster is configured with «{issuer}»"
        return "", _failure(Code.OIDC_ISSUER_MISMATCH, said, text)
    if not isinstance(jwks, str) or not jwks:
        return "", _failure(Code.HTTP_BODY_INVALID, "the discovery document has no jwks_uri", None)
    return jwks, None


def read_keys(answer: Answer) -> Failure | None:
    """What is wrong with a key set; None when it holds at least one key to verify tokens with."""
    prefix = "oidc: verify token: failed to verify signature: fetching keys oidc: "
    if answer.status != 200:
        text = f"{prefix}get keys failed: {answer.status} {answer.reason} {_shown(answer.body)}"
        return _failure(Code.HTTP_STATUS, f"the key set answers with status {answer.status}, not 200", text)
    document = _object(answer.body)
    keys = _field(document, "keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        why = document if isinstance(document, str) else "no list «keys»"
        text = f"{prefix}failed to decode keys: {why}"
        return _failure(Code.OIDC_JWKS_INVALID, f"the key set is not a JSON Web Key Set: {why}", text)
    if not any(_usable(key) for key in keys):
        said = f"the key set holds no key that can verify a token ({len(keys)} in all)"
        text = "oidc: verify token: failed to verify signature: failed to verify id token signature"
        return _failure(Code.OIDC_JWKS_INVALID, said, text)
    return None


def _usable(key: Any) -> bool:
    members = _KEY_MEMBERS.get(key.get("kty", "")) if isinstance(key, dict) else None
    return members is not None and all(isinstance(key.get(name), str) for name in members)


def discovery_url(issuer: str) -> str:
    """`TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"`."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"
