"""OIDC discovery and key sets over connections that we made and timed ourselves.

httpx speaks HTTP/1.1 and h2 and reads redirects; it never opens a socket here: `_OneConnection` hands it a
`Session` (or a plain `Stream` for an http:// key set). Imported only for targets of kind `oidc`: 66 ms.

What the API server asks of the answers (k8s.io/apiserver .../token/oidc and github.com/coreos/go-oidc):
status exactly 200, a JSON document whose `issuer` equals the configured one byte for byte, a `jwks_uri`,
and there a JSON Web Key Set (RFC 7517).
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, NamedTuple

import httpcore
import httpx
import msgspec

from egressprobe.budget import Budget
from egressprobe.exchange import USER_AGENT
from egressprobe.failure import Code, Failure, Phase
from egressprobe.httpwire import TooLargeError, UnpackError, Wire, is_packed, read_body
from egressprobe.tls import Channel, EndOfStreamError, stream_failure
from egressprobe.urls import shown

# httpx logs every URL with its query at INFO, which a function's log level may let through.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

MAX_BODY = 1 << 20  # bytes, after decompression
MAX_REDIRECTS = 10  # net/http.defaultCheckRedirect
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEY_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}  # RFC 7518, RFC 8037
_ERROR_BODY = 200  # of an error page, in a message


class Answer(NamedTuple):
    """One response: `location` of a redirect, else `body`."""

    status: int
    reason: str
    protocol: str
    body: bytes
    location: str | None


class Fetched(NamedTuple):
    """What a GET brought: `answer` or `failure`, and the milliseconds on the wire."""

    answer: Answer | None
    failure: Failure | None
    ms: float


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk


class _OneConnection(httpx.AsyncBaseTransport):
    """An httpx transport over the one connection it is given."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        h2 = self._wire.channel.protocol == "h2"
        kind = httpcore.AsyncHTTP2Connection if h2 else httpcore.AsyncHTTP11Connection
        connection = kind(origin=url.origin, stream=self._wire)
        response = await connection.handle_async_request(
            httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions)
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response.stream),
            extensions=response.extensions,
        )


async def get(channel: Channel, url: str, until: float) -> Answer:
    """GET `url` over `channel`. Raises what broke the connection, TooLargeError, UnpackError or httpx.HTTPError."""
    wire = Wire(channel, until)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}  # as Go's transport asks
    async with httpx.AsyncClient(transport=_OneConnection(wire), headers=headers, trust_env=False) as client:
        request = client.build_request("GET", url)
        try:
            response = await client.send(request, stream=True)
            try:
                body = await read_body(response.aiter_raw(), packed=is_packed(response.headers.raw), most=MAX_BODY)
            finally:
                with suppress(httpx.HTTPError, httpcore.ReadError, httpcore.WriteError, OSError):
                    await response.aclose()
        except (httpx.TransportError, httpcore.ReadError, httpcore.WriteError):
            if wire.error is not None:
                raise wire.error from None
            raise
        location = None
        if response.status_code in _REDIRECTS and "location" in response.headers:
            location = str(response.url.join(response.headers["location"]))
        return Answer(response.status_code, response.reason_phrase, response.http_version, body, location)


async def fetch(channel: Channel, url: str, budget: Budget, limit: float) -> Fetched:
    """`get` for at most `limit` seconds. Network trouble and answers that are no HTTP are data."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    answer: Answer | None = None
    failure: Failure | None = None
    try:
        answer = await get(channel, url, budget.until(loop.time(), limit))
    except (ssl.SSLError, OSError, EndOfStreamError) as error:
        waited = time.perf_counter() - started
        failure = stream_failure(error, channel.stream, Phase.HTTP, waited, ran_out=budget.ran_out(loop.time()))
    except TooLargeError:
        failure = _failure(Code.HTTP_BODY_TOO_LARGE, f"{shown(url)} sends more than {MAX_BODY} bytes", None)
    except (httpx.HTTPError, httpx.InvalidURL, UnpackError) as error:
        said = f"{shown(url)} does not answer in HTTP: {error}"
        text = f"net/http: HTTP/1.x transport connection broken: {error}"
        failure = _failure(Code.HTTP_BODY_INVALID, said, text)
    seconds = channel.stream.lap() or time.perf_counter() - started
    return Fetched(answer, failure, round(seconds * 1e3, 3))


def _failure(code: Code, said: str, text: str | None) -> Failure:
    return Failure(Phase.HTTP, code, said, text)


def _shown(body: bytes) -> str:
    return body[:_ERROR_BODY].decode("utf-8", "replace").strip()


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
