"""An OIDC provider hop by hop: discovery, its redirects, the key set (often on another host).

Every host on the path is measured like any other: resolved, all addresses dialled. Then one GET goes to the
first address whose attempt succeeded, over a connection of its own.
"""

import asyncio
from typing import Any

import msgspec
from msgspec.structs import replace

from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Hop, HttpExchange, Role
from egressprobe.model.target import Endpoint, Target
from egressprobe.net.urls import HostPort, parse_url, shown
from egressprobe.probe.hop import Prober
from egressprobe.probe.transport.http import (
    Response,
    fetch,
    http_failure,
    shown_body,
)
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, OIDC_LIMIT, SLACK, Budget

MAX_REDIRECTS = 10  # net/http.defaultCheckRedirect
_KEY_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}  # RFC 7518, RFC 8037


async def follow(prober: Prober, target: Target, first: Hop, budget: Budget) -> tuple[Hop, ...]:
    """The hops of one provider; the last one holds the failure, if any. `first`: the issuer's host, measured."""
    issuer = target.url
    hops, response = await _walk(prober, target, discovery_url(issuer), replace(first, role="discovery"), budget)
    if response is None:
        return tuple(hops)
    jwks, failure = read_discovery(response, issuer)
    if failure:
        return (*hops[:-1], _failed(hops[-1], failure))
    again = budget._replace(call_ends=asyncio.get_running_loop().time() + OIDC_LIMIT + SLACK)
    # The key set's host is measured anew even where it is the issuer's: it is another connection.
    keys, response = await _walk(prober, target, jwks, None, again)
    failure = read_keys(response) if response is not None else None
    if failure:
        keys[-1] = _failed(keys[-1], failure)
    return (*hops, *keys)


async def _walk(
    prober: Prober, target: Target, url: str, hop: Hop | None, budget: Budget
) -> tuple[list[Hop], Response | None]:
    """GET `url` and follow its redirects. Without a response the last hop says why."""
    role: Role = "jwks" if hop is None else "discovery"
    hops: list[Hop] = []
    for _ in range(MAX_REDIRECTS + 1):
        try:
            place = parse_url(url, ("https", "http"), query=True)
        except ValueError as error:
            message = f'"{shown(url)}" {error}'
            text = f'unsupported protocol scheme or URL: "{shown(url)}"'
            failure = Failure(Phase.HTTP, Code.HTTP_REDIRECT, message, text)
            hops.append(Hop(role=role, url=shown(url), host="", port=0, failure=failure))
            return hops, None
        if asyncio.get_running_loop().time() >= budget.call_ends:
            message = f"the redirects before {shown(url)} took the whole time limit"
            failure = Failure(Phase.HTTP, Code.HTTP_TIMEOUT, message)
            hops.append(Hop(role=role, url=shown(url), host=place.host, port=place.port, failure=failure))
            return hops, None
        measured = hop or await prober.hop(target, role, url, place, budget)
        fetched, response = await _fetch(prober, target, replace(measured, url=shown(url)), url, place, budget)
        hops.append(fetched)
        if response is None or response.location is None:
            return hops, response
        url, hop = response.location, None
    message, text = f"more than {MAX_REDIRECTS} redirects", f"stopped after {MAX_REDIRECTS} redirects"
    hops[-1] = _failed(hops[-1], Failure(Phase.HTTP, Code.HTTP_REDIRECT, message, text))
    return hops, None


async def _fetch(
    prober: Prober, target: Target, hop: Hop, url: str, place: HostPort, budget: Budget
) -> tuple[Hop, Response | None]:
    """One GET to the first address of the hop whose attempt succeeded."""
    address = next((attempt.address for attempt in hop.attempts if attempt.failure is None), None)
    if address is None:
        return hop, None
    opened = await prober.open(target, Endpoint(address, place.port), place, budget)
    if opened.channel is None:
        return _failed(hop, opened.attempt.failure), None
    try:
        response, failure, ms = await fetch(opened.channel, url, budget, HTTP_LIMIT)
    finally:
        await opened.channel.close_notify()
    http = HttpExchange(
        url=shown(url),
        address=address,
        duration_ms=ms,
        protocol=response.protocol if response else "",
        status=response.status if response else None,
        body_bytes=len(response.body) if response else 0,
        failure=failure,
    )
    return replace(hop, http=http, failure=failure), response


def _failed(hop: Hop, failure: Failure | None) -> Hop:
    """The hop with what is wrong with its response; its exchange shows it too."""
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


def read_discovery(response: Response, issuer: str) -> tuple[str, Failure | None]:
    """The jwks_uri of a discovery document, or the reason why the API server refuses it."""
    if response.status != 200:
        text = f"{response.status} {response.reason}: {shown_body(response.body)}"
        return "", http_failure(Code.HTTP_STATUS, f"discovery answers with status {response.status}, not 200", text)
    document = _object(response.body)
    if isinstance(document, str):
        text = f"oidc: failed to decode provider discovery object: {document}"
        return "", http_failure(Code.HTTP_BODY_INVALID, f"the discovery document is not JSON: {document}", text)
    got, jwks = _field(document, "issuer"), _field(document, "jwks_uri")
    if got != issuer:
        shown = got if isinstance(got, str) else ""
        text = f'oidc: issuer did not match the issuer returned by provider, expected "{issuer}" got "{shown}"'
        message = f'the document names the issuer "{shown}", the cluster is configured with "{issuer}"'
        return "", http_failure(Code.OIDC_ISSUER_MISMATCH, message, text)
    if not isinstance(jwks, str) or not jwks:
        return "", http_failure(Code.HTTP_BODY_INVALID, "the discovery document has no jwks_uri", None)
    return jwks, None


def read_keys(response: Response) -> Failure | None:
    """What is wrong with a key set; None when it holds at least one key to verify tokens with."""
    prefix = "oidc: verify token: failed to verify signature: fetching keys oidc: "
    if response.status != 200:
        text = f"{prefix}get keys failed: {response.status} {response.reason} {shown_body(response.body)}"
        return http_failure(Code.HTTP_STATUS, f"the key set answers with status {response.status}, not 200", text)
    document = _object(response.body)
    keys = _field(document, "keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        why = document if isinstance(document, str) else 'no list "keys"'
        text = f"{prefix}failed to decode keys: {why}"
        return http_failure(Code.OIDC_JWKS_INVALID, f"the key set is not a JSON Web Key Set: {why}", text)
    if not any(_usable(key) for key in keys):
        message = f"the key set holds no key that can verify a token ({len(keys)} in all)"
        text = "oidc: verify token: failed to verify signature: failed to verify id token signature"
        return http_failure(Code.OIDC_JWKS_INVALID, message, text)
    return None


def _usable(key: Any) -> bool:
    members = _KEY_MEMBERS.get(key.get("kty", "")) if isinstance(key, dict) else None
    return members is not None and all(isinstance(key.get(name), str) for name in members)


def discovery_url(issuer: str) -> str:
    """`TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"`."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"
