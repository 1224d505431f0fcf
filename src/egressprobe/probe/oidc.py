"""An OIDC provider hop by hop: discovery, its redirects, the key set (often on another host).

Every host on the path is measured like any other: resolved, all addresses dialled. Then one GET goes to the
first address whose attempt succeeded, over a connection of its own. URLs that the provider names are read as Go reads
them; its documents are judged by golang/jose.
"""

import asyncio
import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from msgspec.structs import replace

from egressprobe.error_texts.http import BAD_LOCATION, TOO_MANY_REDIRECTS
from egressprobe.error_texts.oidc import (
    ALGORITHM,
    FETCHING,
    KEYS_REQUEST,
    KEYS_STATUS,
    NO_JWKS_URI,
    UNVERIFIED,
    VERIFYING,
)
from egressprobe.golang.http.quote import escaped
from egressprobe.golang.http.url import GoUrl, UrlError, parse_go_url, resolve
from egressprobe.golang.jose.key_set import KeySet, read_key_set
from egressprobe.golang.jose.provider import DiscoveryDocument, DocumentError, issuer_mismatch, read_provider
from egressprobe.golang.jose.rsa_private import TooCostlyError
from egressprobe.model.failure import Code, Failure
from egressprobe.model.measurement import Hop, HttpExchange, Role
from egressprobe.model.target import Endpoint, Target
from egressprobe.net.urls import HostPort, shown
from egressprobe.probe.hop import Prober
from egressprobe.probe.transport.http.fetch import fetch_twice, http_failure, shown_body
from egressprobe.probe.transport.http.request import Response, host_port
from egressprobe.probe.transport.time_limits import HTTP_LIMIT, OIDC_LIMIT, SLACK, Budget

# Most providers speak HTTP/2: imported before anything is measured, not in the middle of it.
importlib.import_module("httpx")

MAX_REDIRECTS = 10  # net/http.defaultCheckRedirect: the tenth is not followed any more
# Bytes of a document that are decoded on the event loop; a larger one would hold up the other targets.
_DECODED_HERE = 32 * 1024
# Not the loop's own threads: asyncio.run waits for those, and a document that is decoded at the run's deadline would
# delay the report.
_DECODERS = ThreadPoolExecutor(4, "decode")
_SHOWN_ISSUER = 500  # characters of an issuer of the document, in a message
_MOST_REASONS = 3  # of keys that cannot verify a token, in a message
# plugin/pkg/authenticator/token/oidc AllValidSigningAlgorithms
_ALGORITHMS = '["ES256" "ES384" "ES512" "PS256" "PS384" "PS512" "RS256" "RS384" "RS512"]'


async def follow(prober: Prober, target: Target, first: Hop, budget: Budget) -> tuple[Hop, ...]:
    """The hops of one provider; the last one holds the failure, if any. `first`: the issuer's host, measured."""
    issuer = target.url
    hops, response = await _walk(prober, target, discovery_url(issuer), replace(first, role="discovery"), budget)
    if response is None:
        return tuple(hops)
    provider = await _decoded(response, partial(read_discovery, response, issuer))
    if isinstance(provider, Failure):
        return (*hops[:-1], _failed(hops[-1], provider))
    again = budget._replace(call_ends=asyncio.get_running_loop().time() + OIDC_LIMIT + SLACK)
    # The key set's host is measured anew even where it is the issuer's: it is another connection.
    keys, response = await _walk(prober, target, provider.jwks_uri, None, again)
    failure = await _decoded(response, partial(read_keys, response)) if response is not None else None
    if failure:
        keys[-1] = _failed(keys[-1], failure)
    return (*hops, *keys)


async def _decoded[T](response: Response, read: Callable[[], T]) -> T:
    """Decode a document; a large one in a thread, since decoding 1 MiB can take most of a second."""
    if len(response.body) <= _DECODED_HERE:
        return read()
    return await asyncio.get_running_loop().run_in_executor(_DECODERS, read)


async def _walk(
    prober: Prober, target: Target, text: str, hop: Hop | None, budget: Budget
) -> tuple[list[Hop], Response | None]:
    """GET the URL in `text` and follow its redirects. Without a response the last hop says why."""
    role: Role = "jwks" if hop is None else "discovery"
    hops: list[Hop] = []
    url, base = None, None
    for requests in range(MAX_REDIRECTS + 1):
        try:
            url = parse_go_url(text) if base is None else resolve(base, text)
            if requests == MAX_REDIRECTS:
                break
            place = host_port(url)
        except UrlError as error:
            if url is None and hops:
                hops[-1] = _failed(hops[-1], _bad_location(text, error))
            else:
                hops.append(_uncallable(role, text, url, error))
            return hops, None
        if asyncio.get_running_loop().time() >= budget.call_ends:
            message = f"the redirects before {url.shown} took the whole time limit"
            failure = http_failure(Code.HTTP_TIMEOUT, message, None)
            hops.append(Hop(role=role, url=url.shown, host=place.host, port=place.port, failure=failure))
            return hops, None
        measured = hop or await prober.hop(target, role, url.shown, place, budget)
        fetched, response = await _fetch(prober, target, replace(measured, url=url.shown), url, place, budget)
        hops.append(fetched)
        if response is None or response.location is None:
            return hops, response
        text, base, url, hop = response.location, url, None, None
    message, words = (
        f"{MAX_REDIRECTS} redirects, of which the last is not followed",
        TOO_MANY_REDIRECTS.of(most=MAX_REDIRECTS),
    )
    hops[-1] = _failed(hops[-1], http_failure(Code.HTTP_REDIRECT, message, words))
    return hops, None


def _bad_location(text: str, error: UrlError) -> Failure:
    """A redirect to what is not a URL (net/http Client.do)."""
    name = shown(text)
    message = f'the redirect to "{name}" cannot be followed: {escaped(str(error))}'
    return http_failure(Code.HTTP_REDIRECT, message, BAD_LOCATION.of(answer=name, error=error))


def _uncallable(role: Role, text: str, url: GoUrl | None, error: UrlError) -> Hop:
    """A URL that Go's client does not take: refused when it is parsed (url is None), or before it is dialled."""
    name = url.shown if url else shown(text)
    words = str(error) if url or role != "jwks" else KEYS_REQUEST.of(problem=error)
    message = f'"{name}" cannot be called: {escaped(str(error))}'
    return Hop(role=role, url=name, host="", port=0, failure=http_failure(Code.HTTP_REDIRECT, message, words))


async def _fetch(
    prober: Prober, target: Target, hop: Hop, url: GoUrl, place: HostPort, budget: Budget
) -> tuple[Hop, Response | None]:
    """One GET to the first address of the hop whose attempt succeeded."""
    address = next((attempt.address for attempt in hop.attempts if attempt.failure is None), None)
    if address is None:
        return hop, None
    opened = await prober.open(target, Endpoint(address, place.port), place, budget)
    if opened.channel is None:
        return _failed(hop, opened.attempt.failure), None
    again = partial(prober.open, target, Endpoint(address, place.port), place, budget)
    try:
        fetched = await fetch_twice(opened.channel, again, url, budget, HTTP_LIMIT, prober.hello.release)
    finally:
        await opened.channel.close_notify()
    response = fetched.response
    http = HttpExchange(
        url=url.shown,
        address=address,
        duration_ms=fetched.ms,
        protocol=response.protocol if response else "",
        status=response.status if response else None,
        body_bytes=len(response.body) if response else 0,
        failure=fetched.failure,
        retries=fetched.retries,
    )
    return replace(hop, http=http, failure=fetched.failure), response


def _failed(hop: Hop, failure: Failure | None) -> Hop:
    """The hop with what is wrong with its response; its exchange shows it too."""
    http = replace(hop.http, failure=failure) if hop.http else None
    return replace(hop, http=http, failure=failure)


def read_discovery(response: Response, issuer: str) -> DiscoveryDocument | Failure:
    """The discovery document, or the reason why the API server refuses it."""
    if response.status != 200:
        text = f"{response.status_line}: {shown_body(response.body)}"
        return http_failure(Code.HTTP_STATUS, f"discovery answers with status {response.status}, not 200", text)
    try:
        provider = read_provider(response.body, response.content_type)
    except DocumentError as error:
        message = f"the discovery document cannot be decoded: {escaped(error.reason)}{_labelled(response)}"
        return http_failure(Code.HTTP_BODY_INVALID, message, str(error))
    if provider.issuer != issuer:
        issuer_shown = provider.issuer[:_SHOWN_ISSUER]
        message = f'the document names the issuer "{escaped(issuer_shown)}", the cluster is configured with "{issuer}"'
        return http_failure(Code.OIDC_ISSUER_MISMATCH, message, issuer_mismatch(issuer, issuer_shown))
    if not provider.jwks_uri:
        text = FETCHING + NO_JWKS_URI.text
        return http_failure(Code.HTTP_BODY_INVALID, "the discovery document has no jwks_uri", text)
    return provider


def _labelled(response: Response) -> str:
    """What the sender calls a body that is not JSON, where that helps."""
    kind = escaped(response.content_type[:80])
    return "" if "json" in kind.lower() else f" (Content-Type: {kind or 'none'})"


def read_keys(response: Response) -> Failure | None:
    """What is wrong with a key set; None when it holds at least one key to verify tokens with."""
    if response.status != 200:
        text = FETCHING + KEYS_STATUS.of(problem=f"{response.status_line} {shown_body(response.body)}")
        return http_failure(Code.HTTP_STATUS, f"the key set answers with status {response.status}, not 200", text)
    try:
        keys = read_key_set(response.body, response.content_type)
    except DocumentError as error:
        message = f"the key set cannot be decoded, so no token is accepted: {escaped(error.reason)}"
        return http_failure(Code.OIDC_JWKS_INVALID, message + _labelled(response), FETCHING + str(error))
    except TooCostlyError as error:
        return http_failure(Code.PROBE_LIMITATION, f"{error}: not measured further", None)
    if keys.usable:
        return None
    return http_failure(Code.OIDC_JWKS_INVALID, _nothing_usable(keys), _unverified(keys))


def _nothing_usable(keys: KeySet) -> str:
    """Why no key verifies a token, for the first few."""
    if not keys.keys:
        return "the key set holds no keys"
    reasons = [f"keys[{index}]: {key.unusable}" for index, key in enumerate(keys.keys[:_MOST_REASONS])]
    more = len(keys.keys) - len(reasons)
    return f"no key of the set can verify a token: {'; '.join(reasons)}" + (f"; and {more} more" if more else "")


def _unverified(keys: KeySet) -> str:
    """What is logged for a token that a key of the set has signed."""
    kinds = {key.kty for key in keys.keys}
    if kinds not in ({"OKP"}, {"oct"}):
        return UNVERIFIED.text
    algorithm = "EdDSA" if kinds == {"OKP"} else "HS256"
    return VERIFYING + ALGORITHM.of(expected=_ALGORITHMS, algorithm=algorithm)


def discovery_url(issuer: str) -> str:
    """`TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"`."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"
