"""One target, by its kind: the hops that a call to it takes, and what is measured beside them.

`measure` is total: a network failure is data in the measurement, and an unexpected exception becomes `internal_error`
on this target alone. No verdicts here.

To add a kind: one row in `ENGINES`, with a module that returns the hops of a target.
"""

import asyncio
import importlib
import logging
import time
from asyncio import Future
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec.structs import replace

from egressprobe.apiserver.refusals import refused
from egressprobe.golang.resolver import server_text, split_server
from egressprobe.model.failure import Code, Failure, Phase
from egressprobe.model.measurement import Hop, Measurement, Resolution
from egressprobe.model.target import Expect, Kind, Target
from egressprobe.net.addresses import is_address
from egressprobe.net.urls import HostPort, parse_url
from egressprobe.probe.hop import Prober
from egressprobe.probe.transport.kernel_socket import enable_timestamps
from egressprobe.probe.transport.resolve import compare
from egressprobe.probe.transport.time_limits import OIDC_LIMIT, SLACK, Budget

logger = logging.getLogger("egressprobe")


class _Engine(NamedTuple):
    """The module that measures a kind, imported only when a plan has that kind (66 ms, 640 on a small Lambda).

    follow: name of its function (prober, target, first hop, budget) -> all hops, where the call has several.
    beside: name of its function (prober, target) -> a hop that is measured at the same time.
    """

    module: str
    follow: str = ""
    beside: str = ""

    def function(self, name: str) -> Callable[..., Awaitable[Any]]:
        function: Callable[..., Awaitable[Any]] = getattr(importlib.import_module(self.module), name)
        return function


# Kinds whose call is more than one hop with one exchange.
ENGINES: dict[Kind, _Engine] = {
    Kind.OIDC: _Engine("egressprobe.probe.oidc", follow="follow"),
    Kind.AGGREGATED_API: _Engine("egressprobe.probe.apiservice_check", beside="check"),
}


def prepare(prober: Prober) -> None:
    """Do what blocks before the measurements: load trust stores and modules, for the kinds of the plan.

    A webhook by name needs no module that is not there: tests/test_architecture.py lists what stays out.
    """
    enable_timestamps()
    for target in prober.plan.targets:
        if target.scheme != "tcp":
            with suppress(Exception):  # it fails again for its own target, which is then unknown
                prober.context(target, verify=target.verify)
    for kind in {target.kind for target in prober.plan.targets} & ENGINES.keys():
        importlib.import_module(ENGINES[kind].module)


async def measure(prober: Prober, target: Target) -> Measurement:
    """Measure one target. Raises nothing but CancelledError."""
    started = time.perf_counter()
    try:
        measured = await _measure(prober, target, _budget(prober, target))
    except Exception as error:
        logger.exception("measuring failed", extra={"target": target.name})
        message = f"egressprobe itself failed: {type(error).__name__}: {error}"
        measured = Measurement((), 0.0, failure=Failure(Phase.RESOLVE, Code.INTERNAL_ERROR, message))
    ms = round((time.perf_counter() - started) * 1e3, 3)
    return replace(measured, duration_ms=ms)


def _budget(prober: Prober, target: Target) -> Budget:
    """Starts when the slot is acquired; ends a little after the API server's own call would."""
    limit = OIDC_LIMIT if target.kind is Kind.OIDC else float(target.timeout_seconds)
    return Budget(prober.run_ends, asyncio.get_running_loop().time() + limit + SLACK)


async def _measure(prober: Prober, target: Target, budget: Budget) -> Measurement:
    if target.refusal is not None:
        return Measurement((refused(target, target.refusal),), 0.0)
    engine = ENGINES.get(target.kind, _Engine(""))
    beside: list[Future[Any]] = [
        asyncio.ensure_future(compare(target.host, server, budget)) for server in _other_servers(prober, target)
    ]
    if target.expect is Expect.BLOCKED and target.control:
        beside.append(asyncio.ensure_future(_control(prober, target, target.control, budget)))
    if engine.beside:
        beside.append(asyncio.ensure_future(engine.function(engine.beside)(prober, target)))
    try:
        host_port = HostPort(target.scheme, target.host, target.port, target.path)
        hop = await prober.hop(target, "call", target.url, host_port, budget)
        hops: tuple[Hop, ...] = (hop,)
        if engine.follow:
            hops = await engine.function(engine.follow)(prober, target, hop, budget)
        results = [await future for future in beside]
    finally:
        for future in beside:
            future.cancel()
    views = tuple(result for result in results if isinstance(result, Resolution))
    others = {result.role: result for result in results if isinstance(result, Hop)}
    return Measurement(hops, 0.0, views, others.get("control"), others.get("availability"))


def _other_servers(prober: Prober, target: Target) -> list[str]:
    """Name servers to compare with: the others of resolv.conf, and the plan's."""
    if target.endpoints or is_address(target.host):
        return []
    first, *rest = prober.config.servers
    others = dict.fromkeys((*rest, *(server_text(*split_server(s)) for s in prober.plan.compare_resolvers)))
    return [server for server in others if server != first]


async def _control(prober: Prober, target: Target, url: str, budget: Budget) -> Hop:
    """The positive control of a target that is expected to be blocked."""
    host_port = parse_url(url, ("tcp", "tls", "https"))
    return await prober.hop(target, "control", url, host_port._replace(scheme="tcp"), budget)
