"""The availability check of an APIService, as the API server makes it: GET /apis/GROUP/VERSION on each endpoint,
TLS unverified, no server name, five seconds, any 2xx is good.

Imported only for targets of kind `aggregated-api`; the HTTP is transport/http.py's, over connections of our own.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial

from msgspec.structs import replace

from egressprobe.apiserver.availability import CHECK_LIMIT, CONNECTING_TIMED_OUT
from egressprobe.error_texts.calls import CHECK, GET
from egressprobe.error_texts.http import BAD_STATUS
from egressprobe.error_texts.network import CLIENT_TIMEOUT
from egressprobe.golang.release import GoRelease
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Attempt, Hop
from egressprobe.model.target import Endpoint, Target
from egressprobe.net.urls import HostPort
from egressprobe.probe.hop import Opened, Prober, each
from egressprobe.probe.transport.http.fetch import fetch_twice
from egressprobe.probe.transport.time_limits import Budget
from egressprobe.probe.transport.tls import Channel

_NAME = re.compile(r"(v[0-9][a-z0-9]*)\.([a-z0-9]([a-z0-9.-]*[a-z0-9])?)")
_TIMED_OUT = CLIENT_TIMEOUT.text


def check_path(target: Target) -> str:
    """The path of the request: the service's path, else from the APIService's name `VERSION.GROUP`, else `/apis`."""
    if target.service and target.service.path:
        return target.service.path
    name = _NAME.fullmatch(target.name)
    return f"/apis/{name[2]}/{name[1]}" if name else "/apis"


async def check(prober: Prober, target: Target) -> Hop:
    """Every endpoint by itself; no verdicts here."""
    path = check_path(target)
    unverified = replace(target, verify=False)
    attempts = await each(target.endpoints, lambda endpoint: _check_endpoint(prober, unverified, endpoint, path))
    return Hop(role="availability", url=path, host=target.host, port=target.port, attempts=attempts)


async def _check_endpoint(prober: Prober, target: Target, endpoint: Endpoint, path: str) -> Attempt:
    loop = asyncio.get_running_loop()
    budget = Budget(prober.run_ends, loop.time() + CHECK_LIMIT)
    url = f"https://{endpoint}{path}"
    # The endpoint's own address as the host: that is the URL the controller makes, and no server name is sent.
    host_port = HostPort("https", endpoint.address, endpoint.port, path)
    attempt, channel = await prober.open(target, endpoint, host_port, budget)
    if channel is not None:
        again = partial(prober.open, target, endpoint, host_port, budget)
        attempt = await _get(attempt, channel, again, url, budget, prober.hello.release)
        await channel.close_notify()
    if attempt.failure is None:
        return attempt
    return replace(attempt, failure=replace(attempt.failure, api_server_error=_message(url, attempt)))


async def _get(
    attempt: Attempt,
    channel: Channel,
    again: Callable[[], Awaitable[Opened]],
    url: str,
    budget: Budget,
    release: GoRelease,
) -> Attempt:
    # The controller closes the body unread.
    response, failure, ms, *_ = await fetch_twice(channel, again, url, budget, CHECK_LIMIT, release, body=False)
    status = response.status if response else None
    if status is not None and not 200 <= status < 300:
        failure = Failure(Phase.HTTP, Code.HTTP_STATUS, f"{url} answers with status {status}, not 2xx")
    done = None if failure else ms
    return replace(
        attempt, exchange_ms=done, exchange_status=status, failure=failure, failure_ms=ms if failure else None
    )


def _message(url: str, attempt: Attempt) -> str:
    """The condition's message."""
    failure = attempt.failure
    text = failure.api_server_error if failure and failure.api_server_error else _TIMED_OUT
    if failure and failure.code in (Code.CONNECT_TIMEOUT, Code.TLS_TIMEOUT):
        # The client's limit comes before any of the dialer's or the handshake's.
        text = CONNECTING_TIMED_OUT[failure.code is Code.TLS_TIMEOUT]
    what = GET.of(url=url, problem=text)
    if attempt.exchange_status is not None:
        what = BAD_STATUS.of(url=url, status=attempt.exchange_status)
    return CHECK.of(url=url, problem=what)
